package jobspec

import (
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// metered evaluates an expression of the library and makes it pay for the
// result. It embeds the expression, so that the library takes it for one.
type metered struct {
	hclsyntax.Expression
	budget   *budget
	argument bool // of a function, which may have to find one type for all elements
	whole    *int // of a template: size of its parts so far
	part     *int // of a part: that of its template
}

// UnwrapExpression lets the library look at the expression itself.
func (m *metered) UnwrapExpression() hcl.Expression { return m.Expression }

// Value evaluates the expression.
func (m *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m.budget.charge(stepCost)
	if m.whole != nil {
		*m.whole = 0
	}
	v, diags := m.Expression.Value(ctx)
	m.budget.again()
	if len(diags) > 0 {
		m.budget.charge(len(diags) * problemCost)
	}
	size := m.budget.value(v)
	if m.argument {
		m.budget.unify(v)
	}
	if m.part != nil {
		if *m.part += size; *m.part > maxValue {
			m.budget.tooLarge()
		}
	}
	return v, diags
}

// reference evaluates a name such as var.image, local.tags or attr.kernel.name.
type reference struct {
	*hclsyntax.ScopeTraversalExpr
	eval   *evaluator
	text   string // as the source has it
	inText bool   // stands alone in ${…} of a string
}

// UnwrapExpression lets the library look at the expression itself.
func (r *reference) UnwrapExpression() hcl.Expression { return r.ScopeTraversalExpr }

// Value gives the value of the name. Names that only a node knows are kept as
// text for run time.
func (r *reference) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	e := r.eval
	e.budget.charge(stepCost)
	root := r.Traversal.RootName()
	for c := ctx; c != nil; c = c.Parent() {
		held, ok := c.Variables[root]
		if !ok {
			continue
		}
		if diag := r.unknownMember(held, root); diag != nil {
			return cty.DynamicVal, hcl.Diagnostics{diag}
		}
		v, diags := r.ScopeTraversalExpr.Value(ctx)
		e.budget.charge(len(diags) * problemCost)
		e.budget.value(v)
		return v, diags
	}
	if runtimeName(root) {
		return cty.StringVal("${" + r.text + "}"), nil
	}
	near := hclx.Nearest(root, []string{"var", "local", "attr", "meta", "node", "env"})
	if near == "" && r.inText && len(r.Traversal) == 1 {
		// A shell variable in a script, most likely.
		return cty.StringVal("${" + r.text + "}"), nil
	}
	return cty.DynamicVal, hcl.Diagnostics{r.unknown(root, near)}
}

func (r *reference) unknown(root, near string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "unknown name " + quote(root), Subject: r.SrcRange.Ptr(),
		Extra: suggestion(near),
	}
	if near == "" {
		d.Summary += ": write var.NAME for a variable, local.NAME for a local, quotes around a text, or $${…} to keep it as it is"
	}
	return d
}

// unknownMember finds var.x and local.x that are not declared.
func (r *reference) unknownMember(held cty.Value, root string) *hcl.Diagnostic {
	if root != "var" && root != "local" || len(r.Traversal) < 2 || !held.Type().IsObjectType() {
		return nil
	}
	attr, ok := r.Traversal[1].(hcl.TraverseAttr)
	if !ok || held.Type().HasAttribute(attr.Name) {
		return nil
	}
	if r.eval.failed[root+"."+attr.Name] {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: followUp, Subject: r.SrcRange.Ptr()}
	}
	kind := map[string]string{"var": "variable", "local": "local"}[root]
	names := make([]string, 0, len(held.Type().AttributeTypes()))
	for name := range held.Type().AttributeTypes() {
		names = append(names, name)
	}
	if root == "local" {
		names = append(names, r.eval.locals...)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: kind + " " + quote(attr.Name) + " is not declared in the file",
		Subject: r.SrcRange.Ptr(), Extra: suggestion(hclx.Nearest(attr.Name, names)),
	}
}

// followUp marks an error that only follows from another one.
const followUp = "follows from another problem"

// suggestion is the nearest known name, in a diagnostic.
type suggestion string

// runtimeName says whether references with a root are left to the node.
func runtimeName(root string) bool {
	switch root {
	case "attr", "meta", "node", "env", "secret", "device":
		return true
	}
	upper := strings.IndexFunc(root, func(r rune) bool { return unicode.IsLower(r) }) < 0
	return upper || strings.HasPrefix(root, "NOMAD_") || strings.HasPrefix(root, "SERAI_")
}

// evaluator evaluates the expressions of one file.
type evaluator struct {
	budget *budget
	file   *hclx.File
	scope  *hcl.EvalContext
	failed map[string]bool // var.x and local.x that have no value because of a problem
	locals []string        // names of all locals
}

// value evaluates an expression of the source. text is what its ranges count
// in; at is where it stands when that is not the file.
func (e *evaluator) value(x expression, scope *hcl.EvalContext) (cty.Value, hclx.Problems) {
	e.budget.file, e.budget.at = e.file, x.at
	v, diags := e.wrap(x.Expression, x.text, false).Value(scope)
	if diags.HasErrors() {
		return cty.DynamicVal, e.problems(diags, x)
	}
	return v, nil
}

// problems gives diagnostics their places, and drops what follows from others.
func (e *evaluator) problems(diags hcl.Diagnostics, x expression) hclx.Problems {
	var out hclx.Problems
	for _, d := range diags {
		if d.Severity != hcl.DiagError || d.Summary == followUp {
			continue
		}
		p := e.file.Problems(hcl.Diagnostics{d})[0]
		if s, ok := d.Extra.(suggestion); ok {
			p.Suggest = string(s)
		}
		if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
			p.Message = "there is no function " + quote(call.CalledFunctionName())
			p.Suggest = hclx.Nearest(call.CalledFunctionName(), functionNames())
		}
		if x.moved {
			q := e.file.At(x.at, "%s", p.Message)
			q.Suggest = p.Suggest
			p = q
		}
		e.budget.charge(reportCost)
		p.Message = clip(p.Message)
		out = append(out, p)
	}
	if len(out) == 0 { // only follow-ups: the cause is reported
		return hclx.Problems{}
	}
	return out
}

// wrap makes an expression and all that is beneath it pay for what they do.
func (e *evaluator) wrap(x hclsyntax.Expression, text []byte, inText bool) hclsyntax.Expression {
	sub := func(p *hclsyntax.Expression) {
		if *p != nil {
			*p = e.wrap(*p, text, false)
		}
	}
	switch n := x.(type) {
	case *metered, *reference, *hclsyntax.AnonSymbolExpr:
		return x
	case *textExpr:
		n.Expression = e.wrap(n.Expression, n.text, false)
		return n
	case *hclsyntax.ScopeTraversalExpr:
		return &reference{ScopeTraversalExpr: n, eval: e, text: sourceText(n.SrcRange, text), inText: inText}
	case *hclsyntax.ObjectConsKeyExpr:
		if n.ForceNonLiteral || hcl.ExprAsKeyword(n.Wrapped) == "" {
			sub(&n.Wrapped)
		}
		return n // the library looks for this type
	case *hclsyntax.ParenthesesExpr:
		sub(&n.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		sub(&n.Source)
	case *hclsyntax.FunctionCallExpr:
		for i := range n.Args {
			if _, done := n.Args[i].(*metered); !done {
				n.Args[i] = &metered{Expression: e.wrap(n.Args[i], text, false), budget: e.budget, argument: true}
			}
		}
	case *hclsyntax.ConditionalExpr:
		sub(&n.Condition)
		sub(&n.TrueResult)
		sub(&n.FalseResult)
	case *hclsyntax.IndexExpr:
		sub(&n.Collection)
		sub(&n.Key)
	case *hclsyntax.TupleConsExpr:
		for i := range n.Exprs {
			sub(&n.Exprs[i])
		}
	case *hclsyntax.ObjectConsExpr:
		for i := range n.Items {
			sub(&n.Items[i].KeyExpr)
			sub(&n.Items[i].ValueExpr)
		}
	case *hclsyntax.ForExpr:
		sub(&n.CollExpr)
		sub(&n.KeyExpr)
		sub(&n.ValExpr)
		sub(&n.CondExpr)
	case *hclsyntax.SplatExpr:
		sub(&n.Source)
		sub(&n.Each)
	case *hclsyntax.BinaryOpExpr:
		sub(&n.LHS)
		sub(&n.RHS)
	case *hclsyntax.UnaryOpExpr:
		sub(&n.Val)
	case *hclsyntax.TemplateExpr:
		return e.wrapTemplate(n, text)
	case *hclsyntax.TemplateJoinExpr:
		sub(&n.Tuple)
	case *hclsyntax.TemplateWrapExpr:
		n.Wrapped = e.wrap(n.Wrapped, text, true)
	}
	return &metered{Expression: x, budget: e.budget}
}

// wrapTemplate wraps a template and its parts, which share a bound: the library
// puts the text together before its size can be seen.
func (e *evaluator) wrapTemplate(n *hclsyntax.TemplateExpr, text []byte) hclsyntax.Expression {
	sum := new(int)
	for i := range n.Parts {
		if done, ok := n.Parts[i].(*metered); ok {
			sum = done.part // evaluated before, by a dynamic block
			break
		}
		n.Parts[i] = &metered{Expression: e.wrap(n.Parts[i], text, true), budget: e.budget, part: sum}
	}
	return &metered{Expression: n, budget: e.budget, whole: sum}
}

func sourceText(rng hcl.Range, text []byte) string {
	if rng.Start.Byte < 0 || rng.End.Byte > len(text) || rng.Start.Byte > rng.End.Byte {
		return ""
	}
	return string(text[rng.Start.Byte:rng.End.Byte])
}

// clip shortens a message that holds parts of the source or of values.
func clip(message string) string {
	const limit = 400
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit], "") + "…"
}

func quote(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return `"` + s + `"`
}
