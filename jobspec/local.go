package jobspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// localSet evaluates the locals of a file, each when it is first needed.
type localSet struct {
	p      *parser
	byName map[string]attribute
	needs  map[string][]string // names of the locals that a local refers to
	state  map[string]int      // 0 new, 1 being evaluated, 2 done
	values map[string]cty.Value
}

// maxLocalChain bounds how long a chain of locals that refer to each other is.
const maxLocalChain = 1000

func (p *parser) setLocals() {
	s := &localSet{p: p, byName: map[string]attribute{}, needs: map[string][]string{}, state: map[string]int{}, values: map[string]cty.Value{}}
	var order []string
	for _, a := range p.locals {
		if _, twice := s.byName[a.name]; twice {
			p.addf(a.at, "local %s is declared twice", quote(a.name))
			continue
		}
		s.byName[a.name] = a
		s.needs[a.name] = localsIn(a.expr.Expression)
		order = append(order, a.name)
	}
	p.eval.locals = order
	for _, name := range order {
		s.evaluate(name, 0)
	}
	p.eval.scope.Variables["local"] = cty.ObjectVal(s.values)
}

// evaluate evaluates a local after those it needs. It says whether there is a value.
func (s *localSet) evaluate(name string, depth int) bool {
	a, ok := s.byName[name]
	if !ok {
		return true // the reference itself is reported
	}
	switch s.state[name] {
	case 1:
		s.p.addf(a.at, "local %s needs itself", quote(name))
		return false
	case 2:
		return !s.p.eval.failed["local."+name]
	}
	if depth > maxLocalChain {
		s.p.addf(a.at, "more than %d locals need each other in a row", maxLocalChain)
		return false
	}
	s.state[name] = 1
	defer func() { s.state[name] = 2 }()
	s.p.eval.failed["local."+name] = true
	scope := map[string]cty.Value{}
	for _, other := range s.needs[name] {
		if !s.evaluate(other, depth+1) {
			return false
		}
		if v, ok := s.values[other]; ok {
			scope[other] = v
		}
	}
	s.p.eval.budget.charge(stepCost * (1 + len(scope)))
	s.p.eval.scope.Variables["local"] = cty.ObjectVal(scope)
	v, problems := s.p.eval.value(a.expr, s.p.eval.scope)
	if problems != nil {
		s.p.problems = append(s.p.problems, problems...)
		return false
	}
	s.values[name] = v
	delete(s.p.eval.failed, "local."+name)
	return true
}

// localsIn lists the locals that an expression refers to.
func localsIn(x hclsyntax.Expression) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range hclsyntax.Variables(x) {
		if t.RootName() != "local" || len(t) < 2 {
			continue
		}
		name := ""
		switch step := t[1].(type) {
		case hcl.TraverseAttr:
			name = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				name = step.Key.AsString()
			}
		}
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
