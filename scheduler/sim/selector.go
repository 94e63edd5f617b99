package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
)

// Selector chooses nodes.
type Selector struct {
	text  string
	terms []term
}

type term struct {
	value func(*api.Node) (string, bool)
	not   bool
	glob  string
}

// selectable are the properties of a node that a selector can name.
var selectable = map[string]func(*api.Node) (string, bool){
	"id":         func(n *api.Node) (string, bool) { return n.ID, true },
	"name":       func(n *api.Node) (string, bool) { return n.Name, true },
	"datacenter": func(n *api.Node) (string, bool) { return n.Datacenter, true },
	"dc":         func(n *api.Node) (string, bool) { return n.Datacenter, true },
	"class":      func(n *api.Node) (string, bool) { return n.NodeClass, true },
	"pool":       func(n *api.Node) (string, bool) { return n.NodePool, true },
	"status":     func(n *api.Node) (string, bool) { return n.Status, true },
}

// ParseSelector reads terms such as "datacenter=b,class=web-*" or
// "meta.rack!=r7": all have to hold, "*" in a value stands for any text.
func ParseSelector(text string) (*Selector, error) {
	s := &Selector{text: text}
	for part := range strings.SplitSeq(text, ",") {
		key, glob, ok := strings.Cut(part, "=")
		key, not := strings.CutSuffix(strings.TrimSpace(key), "!")
		if glob, _ = strings.CutPrefix(glob, "="); !ok || key == "" {
			return nil, fmt.Errorf("selector %q: write it as property=value, several joined by commas", text)
		}
		value, err := propertyOf(strings.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("selector %q: %w", text, err)
		}
		s.terms = append(s.terms, term{value, not, strings.TrimSpace(glob)})
	}
	return s, nil
}

func propertyOf(key string) (func(*api.Node) (string, bool), error) {
	if value, ok := selectable[strings.ToLower(key)]; ok {
		return value, nil
	}
	if name, ok := strings.CutPrefix(key, "attr."); ok {
		return func(n *api.Node) (string, bool) { v, ok := n.Attributes[name]; return v, ok }, nil
	}
	if name, ok := strings.CutPrefix(key, "meta."); ok {
		return func(n *api.Node) (string, bool) { v, ok := n.Meta[name]; return v, ok }, nil
	}
	return nil, fmt.Errorf("a node has no property %q; there are id, name, datacenter, class, pool, status, attr.NAME and meta.NAME", key)
}

// String gives the selector as it was written.
func (s *Selector) String() string { return s.text }

// Match says whether a node is chosen. A property that is absent equals nothing.
func (s *Selector) Match(n *api.Node) bool {
	return !slices.ContainsFunc(s.terms, func(t term) bool {
		v, ok := t.value(n)
		return (ok && feasible.Glob(t.glob, v)) == t.not
	})
}

// Nodes gives the nodes of the world that are chosen, by name.
func (s *Selector) Nodes(w *World) []*api.Node {
	return w.Nodes(s.Match)
}
