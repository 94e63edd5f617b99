package jobspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is a variable block.
type variable struct {
	name      string
	at        hcl.Range
	ty        cty.Type
	defaults  *typeexpr.Defaults
	fallback  *expression // the default; nil when a value must be given
	nullable  bool
	sensitive bool
	checks    []validation
}

// validation is a validation block of a variable.
type validation struct {
	at        hcl.Range
	condition expression
	message   *expression
}

func (p *parser) declare(b block) {
	v := &variable{name: b.labels[0], at: b.at, ty: cty.DynamicPseudoType, nullable: true}
	attrs, blocks, problems := b.body.content(map[string]int{"validation": 0})
	p.problems = append(p.problems, problems...)
	for _, a := range attrs {
		switch a.name {
		case "type":
			p.variableType(v, a.expr)
		case "default":
			v.fallback = &a.expr
		case "description":
		case "sensitive":
			v.sensitive = p.flag(a)
		case "nullable":
			v.nullable = p.flag(a)
		default:
			p.unknownAttribute(a, "variable", "type", "default", "description", "sensitive", "nullable", "validation")
		}
	}
	for _, x := range blocks {
		if x.kind != "validation" {
			q := p.eval.file.At(x.at, "variable has no block %s", quote(x.kind))
			q.Suggest = hclx.Nearest(x.kind, []string{"validation"})
			p.problems = append(p.problems, q)
			continue
		}
		p.validation(v, x)
	}
	if !hclsyntax.ValidIdentifier(v.name) {
		p.addf(b.at, "%s is not a name for a variable: use letters, digits, dashes and underscores", quote(v.name))
		return
	}
	p.add(v)
}

func (p *parser) add(v *variable) {
	for _, other := range p.variables {
		if other.name == v.name {
			p.addf(v.at, "variable %s is declared twice", quote(v.name))
			return
		}
	}
	p.variables = append(p.variables, v)
}

func (p *parser) unknownAttribute(a attribute, block string, known ...string) {
	q := p.eval.file.At(a.at, "%s has no attribute %s", block, quote(a.name))
	q.Suggest = hclx.Nearest(a.name, known)
	p.problems = append(p.problems, q)
}

func (p *parser) flag(a attribute) bool {
	v, diags := a.expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.Bool {
		p.addf(a.expr.at, "%s must be true or false", a.name)
		return false
	}
	return v.True()
}

// variableType reads a type such as list(string); old files have it in quotes.
func (p *parser) variableType(v *variable, x expression) {
	expr := hcl.Expression(unwrapText(x.Expression))
	if text, diags := expr.Value(nil); !diags.HasErrors() && text.Type() == cty.String && !text.IsNull() && len(text.AsString()) < 1000 {
		inner, problems := p.eval.file.ParseExpression(text.AsString(), x.at, sourceLimits)
		if problems.Err() != nil {
			p.problems = append(p.problems, problems...)
			return
		}
		expr = inner
		x.moved = true
	}
	ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(expr)
	if diags.HasErrors() {
		p.problems = append(p.problems, p.eval.problems(diags, x)...)
		return
	}
	v.ty, v.defaults = ty, defaults
}

func unwrapText(x hclsyntax.Expression) hclsyntax.Expression {
	if t, ok := x.(*textExpr); ok {
		return t.Expression
	}
	return x
}

func (p *parser) validation(v *variable, b block) {
	check := validation{at: b.at}
	attrs, blocks, problems := b.body.content(nil)
	p.problems = append(p.problems, problems...)
	for _, x := range blocks {
		p.addf(x.at, "validation has no block %s", quote(x.kind))
	}
	found := false
	for _, a := range attrs {
		switch a.name {
		case "condition":
			check.condition, found = a.expr, true
		case "error_message":
			check.message = &a.expr
		default:
			p.unknownAttribute(a, "validation", "condition", "error_message")
		}
	}
	if !found {
		p.addf(b.at, "validation needs condition = …")
		return
	}
	v.checks = append(v.checks, check)
}

// setVariables gives every declared variable its value.
func (p *parser) setVariables() {
	values := map[string]cty.Value{}
	supplied := p.given()
	for _, v := range p.variables {
		before := len(p.problems)
		val := p.valueOf(v, supplied[v.name])
		if len(p.problems) > before {
			p.eval.failed["var."+v.name] = true
			continue
		}
		values[v.name] = val
		delete(supplied, v.name)
	}
	p.eval.scope.Variables["var"] = cty.ObjectVal(values)
	for _, v := range p.variables {
		if !p.eval.failed["var."+v.name] {
			p.check(v)
		}
		delete(supplied, v.name)
	}
	p.undeclared(supplied)
}

// valueOf gives the value of a variable; a problem is noted when there is none.
func (p *parser) valueOf(v *variable, g given) cty.Value {
	var val cty.Value
	var problems hclx.Problems
	at := func(format string, args ...any) {
		p.addf(v.at, "variable %q "+format, append([]any{v.name}, args...)...)
	}
	switch {
	case g.expr != nil:
		e := &evaluator{budget: p.eval.budget, file: g.file, failed: map[string]bool{}}
		val, problems = e.value(*g.expr, p.eval.scope.NewChild())
	case g.origin != "":
		val, problems = p.parseGiven(v, g)
	case v.fallback != nil:
		val, problems = p.eval.value(*v.fallback, p.eval.scope)
	default:
		at("has no value: give one with -var %s=…, -var-file or SERAI_VAR_%s, or a default in the file", v.name, v.name)
		return cty.DynamicVal
	}
	if problems != nil {
		p.problems = append(p.problems, problems...)
		return cty.DynamicVal
	}
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	p.eval.budget.value(val)
	p.eval.budget.unify(val)
	converted, err := convert.Convert(val, v.ty)
	if err != nil {
		from := g.origin
		if from == "" {
			from = "its default"
		}
		at("must be %s: %s: %v", typeexpr.TypeString(v.ty), from, err)
		return cty.DynamicVal
	}
	if converted.IsNull() && !v.nullable {
		at("must not be null")
	}
	return converted
}

// textual says whether a variable without a type holds text by its default.
func (v *variable) textual() bool {
	if v.fallback == nil {
		return true
	}
	val, diags := v.fallback.Value(nil)
	return !diags.HasErrors() && (val.IsNull() || val.Type() == cty.String)
}

// check evaluates the validation blocks of a variable.
func (p *parser) check(v *variable) {
	for _, c := range v.checks {
		ok, problems := p.eval.value(c.condition, p.eval.scope)
		if problems != nil {
			p.problems = append(p.problems, problems...)
			continue
		}
		ok, err := convert.Convert(ok, cty.Bool)
		if err != nil || ok.IsNull() || !ok.IsKnown() {
			p.addf(c.condition.at, "the condition of variable %q must be true or false", v.name)
			continue
		}
		if ok.True() {
			continue
		}
		message := "its value is not allowed"
		if c.message != nil {
			text, problems := p.eval.value(*c.message, p.eval.scope)
			p.problems = append(p.problems, problems...)
			if problems == nil && text.Type() == cty.String && !text.IsNull() && text.IsKnown() {
				message = text.AsString()
			}
		}
		p.addf(c.at, "variable %q: %s", v.name, strings.TrimSuffix(message, "."))
	}
}
