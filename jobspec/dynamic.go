package jobspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// expanded is a block with the names that a dynamic block around it declares.
type expanded struct {
	block
	scope *hcl.EvalContext
}

// expand replaces dynamic blocks by what they make.
func (t *treeBuilder) expand(blocks []block, scope *hcl.EvalContext) []expanded {
	out := make([]expanded, 0, len(blocks))
	for _, b := range blocks {
		if b.kind != "dynamic" {
			out = append(out, expanded{b, scope})
			continue
		}
		out = append(out, t.dynamic(b, scope)...)
	}
	return out
}

// dynamicParts is what a dynamic block holds.
type dynamicParts struct {
	forEach  *attribute
	labels   *attribute
	iterator string
	content  body
}

func (t *treeBuilder) dynamic(b block, scope *hcl.EvalContext) []expanded {
	if len(b.labels) != 1 {
		t.addf(b.at, "a dynamic block needs the kind of the blocks it makes as its label: write dynamic \"NAME\" { … }")
		return nil
	}
	parts, ok := t.dynamicParts(b)
	if !ok {
		return nil
	}
	items, problems := t.eval.value(parts.forEach.expr, scope)
	if problems != nil {
		t.problems = append(t.problems, problems...)
		return nil
	}
	if items.IsNull() || !items.IsKnown() || !items.CanIterateElements() {
		t.addf(parts.forEach.expr.at, "for_each must be a list, set or map, not %s", items.Type().FriendlyName())
		return nil
	}
	var out []expanded
	for it := items.ElementIterator(); it.Next(); {
		t.eval.budget.charge(stepCost * 8)
		key, value := it.Element()
		child := scope.NewChild()
		child.Variables = map[string]cty.Value{parts.iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		x := expanded{block{kind: b.labels[0], at: b.at, body: parts.content}, child}
		if x.labels, ok = t.dynamicLabels(parts.labels, child); ok {
			out = append(out, x)
		}
	}
	return out
}

func (t *treeBuilder) dynamicParts(b block) (dynamicParts, bool) {
	p := dynamicParts{iterator: b.labels[0]}
	before := len(t.problems)
	attrs, blocks, problems := b.body.content(map[string]int{"content": 0})
	t.problems = append(t.problems, problems...)
	for _, a := range attrs {
		switch a.name {
		case "for_each":
			p.forEach = &a
		case "labels":
			p.labels = &a
		case "iterator":
			p.iterator = hcl.ExprAsKeyword(a.expr.Expression)
			if text, diags := a.expr.Value(nil); p.iterator == "" && !diags.HasErrors() && text.Type() == cty.String && !text.IsNull() {
				p.iterator = text.AsString()
			}
			if p.iterator == "" {
				t.addf(a.expr.at, "iterator must be a name")
			}
		default:
			t.unknown(a.at, "attribute", a.name, "dynamic", []string{"for_each", "iterator", "labels", "content"})
		}
	}
	for _, x := range blocks {
		switch {
		case x.kind != "content":
			t.unknown(x.at, "block", x.kind, "dynamic", []string{"content"})
		case p.content != nil:
			t.addf(x.at, "a dynamic block has one content block")
		default:
			p.content = x.body
		}
	}
	if p.forEach == nil {
		t.addf(b.at, "a dynamic block needs for_each")
	}
	if p.content == nil {
		t.addf(b.at, "a dynamic block needs content { … }")
	}
	return p, len(t.problems) == before
}

func (t *treeBuilder) dynamicLabels(a *attribute, scope *hcl.EvalContext) ([]string, bool) {
	if a == nil {
		return nil, true
	}
	v, problems := t.eval.value(a.expr, scope)
	if problems != nil {
		t.problems = append(t.problems, problems...)
		return nil, false
	}
	node, err := plain(v)
	list, ok := node.([]any)
	if err != nil || !ok {
		t.addf(a.expr.at, "labels must be a list of texts")
		return nil, false
	}
	labels := make([]string, len(list))
	for i, item := range list {
		text, ok := plainText(item)
		if !ok {
			t.addf(a.expr.at, "labels must be a list of texts")
			return nil, false
		}
		labels[i] = text
	}
	return labels, true
}
