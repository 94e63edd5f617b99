package jobspec

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/internal/hclx"
)

// treeBuilder evaluates the job block into a tree in the shape of the job's
// JSON, and notes the place of every value.
type treeBuilder struct {
	eval      *evaluator
	problems  hclx.Problems
	warnings  []string
	positions map[string]hcl.Range
	near      map[string]string // nearest known name of each mistyped one
}

func (t *treeBuilder) addf(at hcl.Range, format string, args ...any) {
	t.eval.budget.charge(reportCost)
	t.problems = append(t.problems, t.eval.file.At(at, format, args...))
}

// unknown reports a name that a block does not have.
func (t *treeBuilder) unknown(at hcl.Range, what, name, kind string, known []string) {
	t.eval.budget.charge(reportCost)
	p := t.eval.file.At(at, "%s has no %s %s", kind, what, quote(name))
	p.Suggest = t.nearest(kind+" "+what+" "+name, name, known)
	t.problems = append(t.problems, p)
}

// nearest is hclx.Nearest, asked once for each mistake: dynamic blocks repeat them.
func (t *treeBuilder) nearest(mistake, name string, known []string) string {
	near, ok := t.near[mistake]
	if !ok {
		near = hclx.Nearest(name, known)
		t.near[mistake] = near
	}
	return near
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
	t.eval.budget.charge(attributeCost)
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
