package jobspec

import (
	"sort"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// expression is an expression of the source, of either syntax.
type expression struct {
	hclsyntax.Expression
	text  []byte    // what the ranges inside count in
	moved bool      // the ranges do not count in the file; at stands for them
	at    hcl.Range // in the file
}

// attribute is `name = expression`.
type attribute struct {
	name string
	at   hcl.Range // of the name
	expr expression
}

// block is `kind "label" { … }`.
type block struct {
	kind   string
	at     hcl.Range // of the kind
	labels []string
	body   body
}

// body is the inside of a block. The JSON syntax does not tell blocks from
// attributes: the names that are blocks, with their number of labels, decide.
type body interface {
	// content gives what the body holds, in the order of the source.
	content(blocks map[string]int) ([]attribute, []block, hclx.Problems)
	// place is where the body stands.
	place() hcl.Range
}

// nativeBody is a body of the native syntax.
type nativeBody struct {
	file *hclx.File
	*hclsyntax.Body
}

func (n nativeBody) place() hcl.Range { return n.SrcRange }

func (n nativeBody) content(map[string]int) ([]attribute, []block, hclx.Problems) {
	attrs := make([]attribute, 0, len(n.Attributes))
	for _, a := range n.Attributes {
		attrs = append(attrs, attribute{
			name: n.file.Key(a.Name), at: a.NameRange,
			expr: expression{Expression: a.Expr, text: n.file.Source, at: a.Expr.Range()},
		})
	}
	sortAttributes(attrs)
	blocks := make([]block, 0, len(n.Blocks))
	for _, b := range n.Blocks {
		blocks = append(blocks, block{kind: b.Type, at: b.TypeRange, labels: b.Labels, body: nativeBody{n.file, b.Body}})
	}
	return attrs, blocks, nil
}

func sortAttributes(attrs []attribute) {
	sort.Slice(attrs, func(i, j int) bool { return attrs[i].at.Start.Byte < attrs[j].at.Start.Byte })
}

// jsonBody is an object of the JSON syntax.
type jsonBody struct {
	file *hclx.File
	expr hcl.Expression
}

func (j jsonBody) place() hcl.Range { return j.expr.Range() }

func (j jsonBody) content(kinds map[string]int) ([]attribute, []block, hclx.Problems) {
	pairs, diags := hcl.ExprMap(j.expr)
	if diags.HasErrors() {
		return nil, nil, hclx.Problems{j.file.At(j.expr.Range(), "expected an object")}
	}
	var attrs []attribute
	var blocks []block
	var problems hclx.Problems
	for _, pair := range pairs {
		name, at := jsonKey(pair), pair.Key.Range()
		if name == "//" {
			continue // a comment, by the convention of the syntax
		}
		if labels, ok := kinds[name]; ok {
			bs, ps := j.blocks(block{kind: name, at: at}, pair.Value, labels)
			blocks, problems = append(blocks, bs...), append(problems, ps...)
			continue
		}
		expr, ps := j.expression(pair.Value)
		attrs, problems = append(attrs, attribute{name, at, expr}), append(problems, ps...)
	}
	return attrs, blocks, problems
}

func jsonKey(pair hcl.KeyValuePair) string {
	key, diags := pair.Key.Value(nil)
	if diags.HasErrors() || key.Type() != cty.String || key.IsNull() {
		return ""
	}
	return key.AsString()
}

// blocks gives the blocks beneath a property: labels are nested objects,
// repeated blocks a list.
func (j jsonBody) blocks(b block, value hcl.Expression, labels int) ([]block, hclx.Problems) {
	if items, diags := hcl.ExprList(value); !diags.HasErrors() {
		var out []block
		var problems hclx.Problems
		for _, item := range items {
			bs, ps := j.blocks(b, item, labels)
			out, problems = append(out, bs...), append(problems, ps...)
		}
		return out, problems
	}
	if isNull(value) {
		return nil, nil
	}
	if labels == 0 {
		b.body = jsonBody{j.file, value}
		return []block{b}, nil
	}
	pairs, diags := hcl.ExprMap(value)
	if diags.HasErrors() {
		return nil, hclx.Problems{j.file.At(value.Range(), "expected an object with the label of the block %q as its key", b.kind)}
	}
	var out []block
	var problems hclx.Problems
	for _, pair := range pairs {
		labelled := b
		labelled.at = pair.Key.Range()
		labelled.labels = append(append([]string(nil), b.labels...), jsonKey(pair))
		bs, ps := j.blocks(labelled, pair.Value, labels-1)
		out, problems = append(out, bs...), append(problems, ps...)
	}
	return out, problems
}

func isNull(x hcl.Expression) bool {
	if _, diags := hcl.ExprMap(x); !diags.HasErrors() {
		return false
	}
	v, diags := x.Value(nil)
	return !diags.HasErrors() && v.IsNull()
}

// expression turns a JSON value into an expression of the native syntax, whose
// evaluation can be bounded.
func (j jsonBody) expression(x hcl.Expression) (expression, hclx.Problems) {
	c := jsonConverter{file: j.file}
	expr := c.convert(x)
	return expression{Expression: expr, moved: true, at: x.Range()}, c.problems
}

type jsonConverter struct {
	file     *hclx.File
	problems hclx.Problems
}

func (c *jsonConverter) convert(x hcl.Expression) hclsyntax.Expression {
	at := x.Range()
	if pairs, diags := hcl.ExprMap(x); !diags.HasErrors() {
		out := &hclsyntax.ObjectConsExpr{SrcRange: at, OpenRange: at}
		for _, pair := range pairs {
			key := &hclsyntax.ObjectConsKeyExpr{Wrapped: c.template(jsonKey(pair), pair.Key.Range()), ForceNonLiteral: true}
			out.Items = append(out.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: c.convert(pair.Value)})
		}
		return out
	}
	if items, diags := hcl.ExprList(x); !diags.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: at, OpenRange: at}
		for _, item := range items {
			out.Exprs = append(out.Exprs, c.convert(item))
		}
		return out
	}
	v, diags := x.Value(nil)
	if diags.HasErrors() {
		c.problems = append(c.problems, c.file.Problems(diags)...)
		v = cty.NullVal(cty.DynamicPseudoType)
	}
	if v.Type() == cty.String && !v.IsNull() {
		return c.template(v.AsString(), at)
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: at}
}

// template parses a text; its references keep their text through textExpr.
func (c *jsonConverter) template(text string, at hcl.Range) hclsyntax.Expression {
	expr, problems := c.file.ParseTemplate(text, at, sourceLimits)
	if problems.Err() != nil || expr == nil {
		c.problems = append(c.problems, problems...)
		return &hclsyntax.LiteralValueExpr{Val: cty.StringVal(text), SrcRange: at}
	}
	return &textExpr{Expression: expr, text: []byte(text), at: at}
}

// textExpr is a template whose ranges count in a text of its own.
type textExpr struct {
	hclsyntax.Expression
	text []byte
	at   hcl.Range // in the file
}

// Range is where the text stands in the file.
func (t *textExpr) Range() hcl.Range { return t.at }

// UnwrapExpression lets the library look at the expression itself.
func (t *textExpr) UnwrapExpression() hcl.Expression { return t.Expression }

// itemRanges gives the places of the items of a list or map expression, by index or key.
func itemRanges(x hclsyntax.Expression) map[string]hcl.Range {
	out := map[string]hcl.Range{}
	switch n := x.(type) {
	case *hclsyntax.TupleConsExpr:
		for i, item := range n.Exprs {
			out[strconv.Itoa(i)] = item.Range()
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range n.Items {
			key, diags := item.KeyExpr.Value(nil)
			if !diags.HasErrors() && key.IsKnown() && !key.IsNull() && key.Type() == cty.String {
				out[key.AsString()] = item.KeyExpr.Range()
			}
		}
	}
	return out
}
