package hclx

import (
	"math/big"
	"sort"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Range is a part of a file, for users of the package that do not import the
// HCL library themselves.
type Range = hcl.Range

// Kind is the shape of a Value.
type Kind int

// The shapes.
const (
	Null Kind = iota
	String
	Number
	Bool
	List
	Object
)

// String names the kind as people say it.
func (k Kind) String() string {
	return [...]string{"null", "a string", "a number", "true or false", "a list", "a block or map"}[k]
}

// Value is a plain value of a source that needs no evaluation, with its place.
type Value struct {
	Kind    Kind
	Text    string  // String: the text; Number: its digits
	Bool    bool    // Bool
	Items   []Value // List
	Entries []Entry // Object, in the order of the source
	Range   hcl.Range
}

// Plain gives a value in the types of encoding/json, except that whole numbers
// are int64. The labels of a block become nested objects, and repeated blocks a list.
func (v Value) Plain() any {
	switch v.Kind {
	case String:
		return v.Text
	case Bool:
		return v.Bool
	case Number:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n
		}
		n, _ := strconv.ParseFloat(v.Text, 64)
		return n
	case List:
		out := make([]any, len(v.Items))
		for i, item := range v.Items {
			out[i] = item.Plain()
		}
		return out
	case Object:
		out := map[string]any{}
		for _, e := range v.Entries {
			value := e.Value.Plain()
			for i := len(e.Labels) - 1; i >= 0; i-- {
				value = map[string]any{e.Labels[i]: value}
			}
			if old, ok := out[e.Name]; ok && e.Block {
				value = append(asList(old), value)
			}
			out[e.Name] = value
		}
		return out
	}
	return nil
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// Entry is an attribute or a block of an Object.
type Entry struct {
	Name   string
	Labels []string // of a block in HCL syntax
	Block  bool     // written as a block in HCL syntax
	Value  Value
	Range  hcl.Range // of the name
}

// Tree gives the whole file as plain values. Expressions are not evaluated:
// strings must be literal (what looks like an interpolation stays text), and
// references and function calls are problems. HCL and JSON give the same tree,
// except that the labels of a block are nested objects in JSON.
func (f *File) Tree() (Value, Problems) {
	if body, ok := f.Body.(*hclsyntax.Body); ok {
		t := &treeBuilder{file: f}
		return t.body(body), t.problems.Sort()
	}
	if f.Body == nil {
		return Value{Kind: Object}, nil
	}
	t := &treeBuilder{file: f}
	attrs, diags := f.Body.JustAttributes()
	t.problems = append(t.problems, f.Problems(diags)...)
	root := Value{Kind: Object, Range: f.Body.MissingItemRange()}
	for _, a := range attrs {
		if a.Name == "//" {
			continue // a comment by JSON convention
		}
		root.Entries = append(root.Entries, Entry{Name: a.Name, Range: a.NameRange, Value: t.expression(a.Expr)})
	}
	sortEntries(root.Entries)
	return root, t.problems.Sort()
}

type treeBuilder struct {
	file     *File
	problems Problems
}

func (t *treeBuilder) body(body *hclsyntax.Body) Value {
	v := Value{Kind: Object, Range: body.SrcRange}
	for _, a := range body.Attributes {
		v.Entries = append(v.Entries, Entry{Name: t.file.Key(a.Name), Range: a.NameRange, Value: t.expression(a.Expr)})
	}
	for _, b := range body.Blocks {
		v.Entries = append(v.Entries, Entry{Name: b.Type, Labels: b.Labels, Block: true, Range: b.TypeRange, Value: t.body(b.Body)})
	}
	sortEntries(v.Entries)
	return v
}

func (t *treeBuilder) expression(e hcl.Expression) Value {
	v := Value{Range: e.Range()}
	switch x := e.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
		return t.literalTemplate(e)
	case *hclsyntax.ObjectConsExpr:
		v.Kind = Object
		for _, item := range x.Items {
			key := t.expression(item.KeyExpr)
			v.Entries = append(v.Entries, Entry{Name: key.Text, Range: key.Range, Value: t.expression(item.ValueExpr)})
		}
		return v
	case *hclsyntax.ObjectConsKeyExpr:
		if name := hcl.ExprAsKeyword(x); name != "" {
			return Value{Kind: String, Text: name, Range: e.Range()}
		}
		return t.expression(x.Wrapped)
	case *hclsyntax.TupleConsExpr:
		v.Kind = List
		for _, item := range x.Exprs {
			v.Items = append(v.Items, t.expression(item))
		}
		return v
	case *hclsyntax.ParenthesesExpr:
		return t.expression(x.Expression)
	case hclsyntax.Expression:
		return t.scalar(e)
	}
	return t.jsonExpression(e)
}

// jsonExpression reads an expression of the JSON syntax, whose types are not exported.
func (t *treeBuilder) jsonExpression(e hcl.Expression) Value {
	v := Value{Range: e.Range()}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		v.Kind = Object
		for _, pair := range pairs {
			key := t.scalar(pair.Key)
			if key.Text == "//" {
				continue
			}
			v.Entries = append(v.Entries, Entry{Name: key.Text, Range: key.Range, Value: t.expression(pair.Value)})
		}
		return v
	}
	if items, diags := hcl.ExprList(e); !diags.HasErrors() {
		v.Kind = List
		for _, item := range items {
			v.Items = append(v.Items, t.expression(item))
		}
		return v
	}
	return t.scalar(e)
}

// literalTemplate reads a string; interpolations in it are taken as they are written.
func (t *treeBuilder) literalTemplate(e hcl.Expression) Value {
	if x, ok := e.(*hclsyntax.TemplateExpr); ok && allLiteral(x.Parts) {
		return t.scalar(e)
	}
	v := Value{Kind: String, Range: e.Range()}
	parts := []hclsyntax.Expression{}
	switch x := e.(type) {
	case *hclsyntax.TemplateExpr:
		parts = x.Parts
	case *hclsyntax.TemplateWrapExpr:
		parts = append(parts, x.Wrapped)
	}
	for _, part := range parts {
		if lit, ok := part.(*hclsyntax.LiteralValueExpr); ok && lit.Val.Type() == cty.String && !lit.Val.IsNull() {
			v.Text += lit.Val.AsString()
			continue
		}
		v.Text += "${" + string(part.Range().SliceBytes(t.file.Source)) + "}"
	}
	return v
}

func allLiteral(parts []hclsyntax.Expression) bool {
	for _, p := range parts {
		if lit, ok := p.(*hclsyntax.LiteralValueExpr); !ok || lit.Val.Type() != cty.String {
			return false
		}
	}
	return true
}

func (t *treeBuilder) scalar(e hcl.Expression) Value {
	v := Value{Range: e.Range()}
	if len(e.Variables()) > 0 {
		t.problems = append(t.problems, t.file.At(e.Range(), "references are not evaluated here; write a text in quotes"))
		return v
	}
	val, diags := e.Value(nil)
	if diags.HasErrors() {
		t.problems = append(t.problems, t.file.Problems(diags)...)
		return v
	}
	if val.IsNull() || !val.IsKnown() {
		return v
	}
	switch val.Type() {
	case cty.String:
		v.Kind, v.Text = String, val.AsString()
	case cty.Bool:
		v.Kind, v.Bool = Bool, val.True()
	case cty.Number:
		v.Kind, v.Text = Number, digits(val.AsBigFloat())
	default:
		t.problems = append(t.problems, t.file.At(e.Range(), "expected a plain value"))
	}
	return v
}

func digits(n *big.Float) string {
	if n.IsInt() && n.MantExp(nil) < 256 {
		return n.Text('f', 0)
	}
	return n.Text('g', 17)
}

func sortEntries(entries []Entry) {
	sort.SliceStable(entries, func(i, j int) bool { return entries[i].Range.Start.Byte < entries[j].Range.Start.Byte })
}
