package jobspec

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// given is a value for a variable from outside of the job file.
type given struct {
	text   string      // from a flag or the environment
	expr   *expression // from a variable file
	file   *hclx.File  // that expr stands in
	origin string      // for messages
}

func (p *parser) undeclared(supplied map[string]given) {
	names := make([]string, 0, len(p.variables))
	for _, v := range p.variables {
		names = append(names, v.name)
	}
	left := make([]string, 0, len(supplied))
	for name := range supplied {
		left = append(left, name)
	}
	sort.Strings(left)
	for _, name := range left {
		g := supplied[name]
		if g.origin == originEnv {
			continue // the environment may be meant for other files
		}
		q := hclx.Problem{File: p.src.Name, Message: g.origin + " gives a value for variable " + quote(name) + ", which the file does not declare", Suggest: hclx.Nearest(name, names)}
		if p.src.Strict {
			p.problems = append(p.problems, q)
		} else {
			p.warnings = append(p.warnings, q.Message)
		}
	}
}

const originEnv = "the environment"

// given collects values from the environment, variable files and flags; the later wins.
func (p *parser) given() map[string]given {
	out := map[string]given{}
	for _, prefix := range []string{"NOMAD_VAR_", "SERAI_VAR_"} {
		for _, pair := range p.src.Env {
			name, value, _ := strings.Cut(pair, "=")
			if name, ok := strings.CutPrefix(name, prefix); ok {
				out[name] = given{text: value, origin: originEnv}
			}
		}
	}
	for _, f := range p.src.VarFiles {
		p.variableFile(f, out)
	}
	for name, value := range p.src.VarFlags {
		out[name] = given{text: value, origin: "-var"}
	}
	return out
}

func (p *parser) variableFile(f VarFile, out map[string]given) {
	file, problems := hclx.Parse(f.Name, f.Data, p.src.limits())
	p.problems = append(p.problems, problems...)
	if problems.Err() != nil {
		return
	}
	inner := &parser{src: p.src, eval: &evaluator{budget: p.eval.budget, file: file}}
	attrs, blocks, problems := inner.root().content(nil)
	p.problems = append(p.problems, problems...)
	for _, b := range blocks {
		p.problems = append(p.problems, file.At(b.at, "a variable file has no blocks: write %s = …", b.kind))
	}
	for _, a := range attrs {
		out[a.name] = given{expr: &a.expr, file: file, origin: f.Name}
	}
}

// parseGiven reads a value from a flag or the environment: a text for a
// variable that holds text, else an expression.
func (p *parser) parseGiven(v *variable, g given) (cty.Value, hclx.Problems) {
	if v.ty == cty.String || v.ty.IsPrimitiveType() || v.ty == cty.DynamicPseudoType && v.textual() {
		return cty.StringVal(g.text), nil
	}
	file := &hclx.File{Name: g.origin + " " + v.name, Source: []byte(g.text)}
	expr, problems := file.ParseExpression(g.text, hcl.Range{Start: hcl.Pos{Line: 1, Column: 1}}, sourceLimits)
	if problems.Err() != nil {
		if v.ty == cty.DynamicPseudoType {
			return cty.StringVal(g.text), nil
		}
		return cty.DynamicVal, problems
	}
	e := &evaluator{budget: p.eval.budget, file: file, failed: map[string]bool{}}
	val, problems := e.value(expression{Expression: expr, text: []byte(g.text)}, p.eval.scope.NewChild())
	if problems != nil && v.ty == cty.DynamicPseudoType {
		return cty.StringVal(g.text), nil
	}
	return val, problems
}
