package auth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/seraihq/serai/internal/pattern"
)

// maxRules bounds the source of a policy, in bytes.
const maxRules = 1 << 20

// Policy is a parsed policy.
type Policy struct {
	namespaces map[string]namespaceGrant
	pools      map[string]grant
	volumes    map[string]grant
	scopes     map[string]grant
}

type namespaceGrant struct {
	jobs      grant
	variables map[string]grant // by glob of the path
}

// labelled are the kinds of rules that name what they are about.
var labelled = map[string]struct {
	words *vocabulary
	label *pattern.Pattern
}{
	"namespace":   {namespaceWords, pattern.New(`^[a-zA-Z0-9-_*]{1,128}$`)},
	"node_pool":   {poolWords, pattern.New(`^[a-zA-Z0-9-_*]{1,128}$`)},
	"host_volume": {volumeWords, pattern.New(`^[a-zA-Z0-9-_.*\[\]]{1,128}$`)},
}

var variablePath = pattern.New(`^[a-zA-Z0-9-_~/*]{1,128}$`)

// Parse reads the rules of a policy, HCL or JSON. What is wrong with them is of
// kind ErrInvalid, and says where.
func Parse(source string) (*Policy, error) {
	if strings.TrimSpace(source) == "" {
		return nil, api.Errorf(api.ErrInvalid, "the policy has no rules; write for example namespace \"default\" { policy = \"read\" }")
	}
	file, problems := hclx.Parse("policy", []byte(source), hclx.Limits{Bytes: maxRules})
	var tree hclx.Value
	if problems.Err() == nil {
		tree, problems = file.Tree()
	}
	if err := problems.Err(); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "%v", err)
	}
	p := &parser{file: file, policy: &Policy{
		namespaces: map[string]namespaceGrant{}, pools: map[string]grant{}, volumes: map[string]grant{}, scopes: map[string]grant{},
	}}
	for _, e := range tree.Entries {
		p.rule(e)
	}
	if err := p.problems.Sort().Err(); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "%v", err)
	}
	if len(tree.Entries) == 0 {
		return nil, api.Errorf(api.ErrInvalid, "the policy has no rules; write for example namespace \"default\" { policy = \"read\" }")
	}
	return p.policy, nil
}

type parser struct {
	file     *hclx.File
	policy   *Policy
	problems hclx.Problems
}

func (p *parser) add(at hclx.Range, format string, args ...any) {
	p.problems = append(p.problems, p.file.At(at, format, args...))
}

func (p *parser) unknown(at hclx.Range, what, name string, known []string) {
	problem := p.file.At(at, "unknown %s %q", what, name)
	problem.Suggest = hclx.Nearest(name, known)
	problem.Detail = "known: " + strings.Join(known, ", ")
	p.problems = append(p.problems, problem)
}

func (p *parser) rule(e hclx.Entry) {
	if _, ok := labelled[e.Name]; ok {
		p.eachLabel(e, func(label string, at hclx.Range, body hclx.Value) { p.labelledRule(e.Name, label, at, body) })
		return
	}
	words, ok := scopeWords[e.Name]
	switch {
	case !ok:
		p.unknown(e.Range, "rule", e.Name, slices.Sorted(seq(maps.Keys(labelled), maps.Keys(scopeWords))))
	case len(e.Labels) > 0:
		p.add(e.Range, "rule %q takes no label, and has %q", e.Name, e.Labels[0])
	default:
		body, ok := p.one(e)
		if !ok {
			return
		}
		if _, twice := p.policy.scopes[e.Name]; twice {
			p.add(e.Range, "rule %q stands twice", e.Name)
		}
		keys := []string{"policy"}
		if scopeCapabilities[e.Name] {
			keys = append(keys, "capabilities")
		}
		p.policy.scopes[e.Name] = p.grantOf(e.Name, body, e.Range, words, keys)
	}
}

// one gives the body of a rule without a label, which JSON may wrap in a list.
func (p *parser) one(e hclx.Entry) (hclx.Value, bool) {
	v := e.Value
	if v.Kind == hclx.List && len(v.Items) == 1 {
		v = v.Items[0]
	}
	if v.Kind != hclx.Object {
		p.add(e.Range, "rule %q must be a block, not %s", e.Name, v.Kind)
		return v, false
	}
	return v, true
}

// eachLabel gives the label and the body of every rule in an entry: a block with
// a label in HCL, an object of labels in JSON, or a list of those.
func (p *parser) eachLabel(e hclx.Entry, f func(label string, at hclx.Range, body hclx.Value)) {
	switch {
	case e.Block && len(e.Labels) != 1:
		p.add(e.Range, "rule %q needs one label, the name or glob that it is about, and has %d", e.Name, len(e.Labels))
	case e.Block:
		f(e.Labels[0], e.Range, e.Value)
	case e.Value.Kind == hclx.List:
		for _, item := range e.Value.Items {
			p.eachLabel(hclx.Entry{Name: e.Name, Value: item, Range: e.Range}, f)
		}
	case e.Value.Kind != hclx.Object:
		p.add(e.Range, "rule %q must be an object of names, not %s", e.Name, e.Value.Kind)
	default:
		for _, inner := range e.Value.Entries {
			body := inner.Value
			if body.Kind == hclx.List && len(body.Items) == 1 {
				body = body.Items[0]
			}
			if body.Kind != hclx.Object {
				p.add(inner.Range, "rule %q for %q must be an object, not %s; is the label missing?", e.Name, inner.Name, body.Kind)
				continue
			}
			f(inner.Name, inner.Range, body)
		}
	}
}

func (p *parser) labelledRule(kind, label string, at hclx.Range, body hclx.Value) {
	rule := labelled[kind]
	if !rule.label.MatchString(label) {
		p.add(at, "rule %q: %q is no name or glob; it must match %s", kind, label, rule.label)
		return
	}
	keys := []string{"policy", "capabilities"}
	if kind == "namespace" {
		keys = append(keys, "variables")
	}
	g := p.grantOf(kind+" "+fmt.Sprintf("%q", label), body, at, rule.words, keys)
	var twice bool
	switch kind {
	case "namespace":
		_, twice = p.policy.namespaces[label]
		p.policy.namespaces[label] = namespaceGrant{jobs: g, variables: p.variables(body)}
	case "node_pool":
		_, twice = p.policy.pools[label]
		p.policy.pools[label] = g
	case "host_volume":
		_, twice = p.policy.volumes[label]
		p.policy.volumes[label] = g
	}
	if twice {
		p.add(at, "rule %s %q stands twice; write all of it in one", kind, label)
	}
}

// grantOf reads the policy and the capabilities of a rule.
func (p *parser) grantOf(what string, body hclx.Value, at hclx.Range, words *vocabulary, keys []string) (g grant) {
	seen := map[string]bool{}
	for _, e := range body.Entries {
		if !slices.Contains(keys, e.Name) {
			p.unknown(e.Range, "key", e.Name, keys)
			continue
		}
		if seen[e.Name] {
			p.add(e.Range, "%s: key %q stands twice", what, e.Name)
		}
		seen[e.Name] = true
		switch e.Name {
		case "policy":
			if e.Value.Kind != hclx.String {
				p.add(e.Range, "%s: policy must be a string, not %s", what, e.Value.Kind)
				continue
			}
			names, ok := words.levels[e.Value.Text]
			if !ok {
				p.unknown(e.Value.Range, "policy", e.Value.Text, slices.Sorted(maps.Keys(words.levels)))
			}
			g |= words.bits(names)
		case "capabilities":
			g |= p.capabilities(what, e, words)
		}
	}
	if len(body.Entries) == 0 {
		p.add(at, "%s: says nothing; set policy or capabilities", what)
	}
	return g
}

func (p *parser) capabilities(what string, e hclx.Entry, words *vocabulary) (g grant) {
	if e.Value.Kind != hclx.List {
		p.add(e.Range, "%s: capabilities must be a list of strings, not %s", what, e.Value.Kind)
		return 0
	}
	for _, item := range e.Value.Items {
		bit := words.bit(item.Text)
		if item.Kind != hclx.String || bit == 0 {
			p.unknown(item.Range, "capability", item.Text, words.names)
			continue
		}
		g |= bit
	}
	return g
}

// variables reads the rules for the variables of a namespace.
func (p *parser) variables(namespace hclx.Value) map[string]grant {
	out := map[string]grant{}
	for _, e := range namespace.Entries {
		if e.Name != "variables" {
			continue
		}
		body, ok := p.one(e)
		if !ok {
			continue
		}
		for _, inner := range body.Entries {
			if inner.Name != "path" {
				p.unknown(inner.Range, "key", inner.Name, []string{"path"})
				continue
			}
			p.eachLabel(inner, func(path string, at hclx.Range, rule hclx.Value) {
				if !variablePath.MatchString(path) {
					p.add(at, "%q is no path of variables; it must match %s", path, variablePath)
				}
				if _, twice := out[path]; twice {
					p.add(at, "path %q stands twice", path)
				}
				g := p.grantOf(fmt.Sprintf("path %q", path), rule, at, variableWords, []string{"capabilities"})
				if g&variableWords.bit("read") != 0 {
					g |= variableWords.bit("list")
				}
				out[path] = g
			})
		}
	}
	return out
}

// seq gives the elements of sequences, one after the other.
func seq[T any](all ...func(yield func(T) bool)) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for _, s := range all {
			for v := range s {
				if !yield(v) {
					return
				}
			}
		}
	}
}
