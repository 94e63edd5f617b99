package feasible

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// target is one side of a constraint: a property of the node, or literal text.
type target struct {
	text    string // as written
	literal bool
	value   func(*api.Node) (string, bool)
}

// parseTarget reads "${attr.kernel.name}" and its like. What is not of that
// form is literal; a property that no node can have is never set.
func parseTarget(text string) target {
	inner, ok := strings.CutPrefix(text, "${")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	if !ok {
		return target{text, true, func(*api.Node) (string, bool) { return text, true }}
	}
	return target{text, false, property(inner)}
}

// Column gives the values of a target such as "${node.datacenter}" by row.
func Column(f *fleet.Fleet, target string) *fleet.Column {
	return f.Column("target\x00"+target, parseTarget(target).value)
}

// Value gives the value of a target on a node.
func Value(target string, n *api.Node) (string, bool) { return parseTarget(target).value(n) }

func property(name string) func(*api.Node) (string, bool) {
	switch name {
	case "node.unique.id":
		return func(n *api.Node) (string, bool) { return n.ID, true }
	case "node.unique.name":
		return func(n *api.Node) (string, bool) { return n.Name, true }
	case "node.datacenter":
		return func(n *api.Node) (string, bool) { return n.Datacenter, true }
	case "node.class":
		return func(n *api.Node) (string, bool) { return n.NodeClass, true }
	case "node.pool":
		return func(n *api.Node) (string, bool) { return n.NodePool, true }
	}
	if key, ok := strings.CutPrefix(name, "attr."); ok {
		return func(n *api.Node) (string, bool) { v, ok := n.Attributes[key]; return v, ok }
	}
	if key, ok := strings.CutPrefix(name, "meta."); ok {
		return func(n *api.Node) (string, bool) { v, ok := n.Meta[key]; return v, ok }
	}
	return func(*api.Node) (string, bool) { return "", false }
}

// unique says whether nodes of one computed class may differ in the property.
func unique(text string) bool {
	return strings.HasPrefix(text, "${node.unique.") || strings.HasPrefix(text, "${attr.unique.") || strings.HasPrefix(text, "${meta.unique.")
}
