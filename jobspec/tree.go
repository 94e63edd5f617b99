package jobspec

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// treeBuilder evaluates the job block into a tree in the shape of the job's
// JSON, and notes the place of every value.
type treeBuilder struct {
	eval      *evaluator
	problems  hclx.Problems
	warnings  []string
	positions map[string]hcl.Range
}

func (t *treeBuilder) addf(at hcl.Range, format string, args ...any) {
	t.problems = append(t.problems, t.eval.file.At(at, format, args...))
}

// unknown reports a name that a block does not have.
func (t *treeBuilder) unknown(at hcl.Range, what, name, kind string, known []string) {
	p := t.eval.file.At(at, "%s has no %s %s", kind, what, quote(name))
	p.Suggest = hclx.Nearest(name, known)
	t.problems = append(t.problems, p)
}

// object evaluates the body of a block with a spec. kind is the block as people
// write it, for messages; path is that of the object in the job.
func (t *treeBuilder) object(kind string, b body, s *spec, path string, scope *hcl.EvalContext) map[string]any {
	t.eval.budget.block()
	t.positions[path] = b.place()
	attrs, blocks, problems := b.content(s.kinds)
	t.problems = append(t.problems, problems...)
	out := map[string]any{}
	for _, a := range attrs {
		t.attribute(out, kind, a, s, path, scope)
	}
	for _, x := range t.expand(blocks, scope) {
		t.block(out, kind, x, s, path)
	}
	t.sweeten(out, s, path)
	return out
}

func (t *treeBuilder) attribute(out map[string]any, kind string, a attribute, s *spec, path string, scope *hcl.EvalContext) {
	dst, ok := s.attrs[a.name]
	if !ok {
		if dst, ok = s.blocks[a.name]; ok && dst.form < freeMap {
			t.addf(a.at, "%s is a block: write %s { … } without an equals sign", quote(a.name), a.name)
			return
		}
	}
	if !ok {
		t.unknown(a.at, "attribute or block", a.name, kind, s.names())
		return
	}
	key := dst.json
	if key == "" {
		key = sugarKey(a.name)
	}
	if node, ok := t.evaluate(a, join(path, key), scope); ok && node != nil {
		out[key] = node
	}
}

// evaluate gives the value of an attribute as a tree; nil for null.
func (t *treeBuilder) evaluate(a attribute, path string, scope *hcl.EvalContext) (any, bool) {
	t.positions[path] = a.expr.at
	for k, rng := range itemRanges(a.expr.Expression) {
		t.positions[path+"["+k+"]"] = rng
	}
	v, problems := t.eval.value(a.expr, scope)
	if problems != nil {
		t.problems = append(t.problems, problems...)
		return nil, false
	}
	node, err := plain(v)
	if err != nil {
		t.addf(a.expr.at, "%v", err)
		return nil, false
	}
	return node, true
}

func (t *treeBuilder) block(out map[string]any, kind string, x expanded, s *spec, path string) {
	dst, ok := s.blocks[x.kind]
	if !ok {
		if _, isAttr := s.attrs[x.kind]; isAttr {
			t.addf(x.at, "%s is an attribute: write %s = …", quote(x.kind), x.kind)
			return
		}
		t.unknown(x.at, "block", x.kind, kind, s.names())
		return
	}
	if len(x.labels) != dst.labels {
		t.labels(x, dst)
		return
	}
	switch dst.form {
	case freeMap, textMap, listMap:
		t.freeBlock(out, x, dst, join(path, dst.json))
	case single:
		key := dst.json
		if key == "" {
			key = sugarKey(x.kind)
		}
		if _, twice := out[key]; twice {
			t.addf(x.at, "block %s appears twice; only one is allowed here", quote(x.kind))
			return
		}
		out[key] = t.object(x.kind, x.body, dst.inner, join(path, key), x.scope)
		t.positions[join(path, key)] = x.at
	case keyed:
		t.keyedBlock(out, x, dst, join(path, dst.json))
	case repeated:
		t.listedBlock(out, x, dst, s, path)
	}
}

func (t *treeBuilder) labels(x expanded, dst slot) {
	switch {
	case dst.labels == 0:
		t.addf(x.at, "block %s takes no label: write %s { … }", quote(x.kind), x.kind)
	case len(x.labels) == 0:
		t.addf(x.at, "block %s needs a label: write %s \"NAME\" { … }", quote(x.kind), x.kind)
	default:
		t.addf(x.at, "block %s takes one label: write %s \"NAME\" { … }", quote(x.kind), x.kind)
	}
}

func (t *treeBuilder) keyedBlock(out map[string]any, x expanded, dst slot, path string) {
	m, _ := out[dst.json].(map[string]any)
	if m == nil {
		m = map[string]any{}
		out[dst.json] = m
	}
	label := x.labels[0]
	if _, twice := m[label]; twice {
		t.addf(x.at, "block %s %s appears twice", quote(x.kind), quote(label))
		return
	}
	path += "[" + label + "]"
	obj := t.object(x.kind, x.body, dst.inner, path, x.scope)
	obj[dst.inner.label] = label
	m[label] = obj
	t.positions[path] = x.at
}

func (t *treeBuilder) listedBlock(out map[string]any, x expanded, dst slot, s *spec, path string) {
	if s.name == "Job" && x.kind == "task" {
		t.loneTask(out, x, dst, path)
		return
	}
	key := dst.json
	if key == "" {
		key = sugarKey(x.kind)
	}
	if routed(s, x.kind) {
		t.routedBlock(out, x, dst, path)
		return
	}
	list, _ := out[key].([]any)
	out[key] = append(list, any(t.item(x, dst, join(path, key)+"["+strconv.Itoa(len(list))+"]")))
}

// item evaluates a block of a list.
func (t *treeBuilder) item(x expanded, dst slot, path string) map[string]any {
	obj := t.object(x.kind, x.body, dst.inner, path, x.scope)
	if dst.labels > 0 {
		obj[dst.inner.label] = x.labels[0]
		t.positions[join(path, dst.inner.label)] = x.at
	}
	t.positions[path] = x.at
	return obj
}

// freeBlock evaluates a block whose content the job's structs leave open: meta,
// env, config. Written several times, the blocks add up.
func (t *treeBuilder) freeBlock(out map[string]any, x expanded, dst slot, path string) {
	t.positions[path] = x.at
	m, _ := out[dst.json].(map[string]any)
	if m == nil {
		m = map[string]any{}
		out[dst.json] = m
	}
	t.free(m, x.body, dst.form, path, x.scope)
}

func (t *treeBuilder) free(m map[string]any, b body, f form, path string, scope *hcl.EvalContext) {
	t.eval.budget.block()
	attrs, blocks, problems := b.content(map[string]int{"dynamic": 1})
	t.problems = append(t.problems, problems...)
	for _, a := range attrs {
		if node, ok := t.evaluate(a, path+"["+a.name+"]", scope); ok && (node != nil || f == freeMap) {
			m[a.name] = node
		}
	}
	for _, x := range t.expand(blocks, scope) {
		if f != freeMap {
			t.addf(x.at, "block %s has no place here: write NAME = VALUE", quote(x.kind))
			continue
		}
		t.nested(m, x, path)
	}
}

// nested puts a block of a driver's configuration into a list of maps, beneath
// one more map for each label.
func (t *treeBuilder) nested(m map[string]any, x expanded, path string) {
	path += "[" + x.kind + "]"
	if _, twice := m[x.kind]; twice {
		if _, isList := m[x.kind].([]any); !isList {
			t.addf(x.at, "%s is an attribute and a block", quote(x.kind))
			return
		}
	}
	list, _ := m[x.kind].([]any)
	path += "[" + strconv.Itoa(len(list)) + "]"
	top := map[string]any{}
	inner := top
	for _, label := range x.labels {
		next := map[string]any{}
		inner[label] = []any{next}
		inner = next
		path += "[" + label + "][0]"
	}
	t.positions[path] = x.at
	t.free(inner, x.body, freeMap, path, x.scope)
	m[x.kind] = append(list, any(top))
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

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
