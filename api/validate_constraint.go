package api

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Bounds of patterns: what people write is far below them.
const (
	maxPattern      = 4 << 10
	maxPatternState = 100_000
)

// CompilePattern compiles a regular expression of a constraint. It refuses
// patterns that would take much memory or time, like long ones or nested repetitions.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("pattern has %d bytes; at most %d are allowed", len(pattern), maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if patternStates(tree) > maxPatternState {
		return nil, errors.New("pattern repeats too much; use smaller counts")
	}
	return regexp.Compile(pattern)
}

// PatternSize estimates the number of states of a compiled pattern; 0 for one
// that does not parse. Matching takes time in proportion to it.
func PatternSize(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	return patternStates(tree)
}

// patternStates estimates the size of the compiled pattern.
func patternStates(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		n += patternStates(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, 1<<30)
}

var operators = []string{
	ConstraintEqual, "==", "is", ConstraintNotEqual, "not",
	ConstraintLess, ConstraintLessEqual, ConstraintGreater, ConstraintGreaterEqual,
	ConstraintRegexp, ConstraintVersion, ConstraintSemver,
	ConstraintSetContains, ConstraintSetContainsAll, ConstraintSetContainsAny,
	ConstraintIsSet, ConstraintIsNotSet,
}

// constraints checks the constraint blocks of a job, group, task or device.
// Only jobs and groups place allocations, so only they may ask for distinct ones.
func (v *validator) constraints(at spot, list []*Constraint, withoutDistinct bool) {
	for i, c := range list {
		p := at.field("Constraints", "constraint").index(i)
		switch c.Operand {
		case ConstraintDistinctHosts:
			if withoutDistinct {
				v.addf(p, "distinct_hosts belongs to a group or job, not to a task: move it up")
			}
			if c.RTarget != "" && c.RTarget != "true" && c.RTarget != "false" {
				v.addf(p.field("RTarget", "value"), "must be true or false for distinct_hosts, not %q", clip(c.RTarget))
			}
		case ConstraintDistinctProperty:
			if withoutDistinct {
				v.addf(p, "distinct_property belongs to a group or job, not to a task: move it up")
			}
			v.target(p, c.LTarget)
			if n, err := strconv.ParseUint(c.RTarget, 10, 32); c.RTarget != "" && (err != nil || n < 1) {
				v.addf(p.field("RTarget", "value"), "must be how many allocations may share a value, at least 1, not %q", clip(c.RTarget))
			}
		default:
			v.comparison(p, c.LTarget, c.Operand, c.RTarget)
		}
	}
}

func (v *validator) target(at spot, target string) {
	if target == "" {
		v.addf(at.field("LTarget", "attribute"), "must be set, for example \"${attr.kernel.name}\"")
	}
}

// comparison checks an operator with its operands.
func (v *validator) comparison(at spot, left, operator, right string) {
	v.target(at, left)
	op := at.field("Operand", "operator")
	if operator != "" && !contains(operators, operator) {
		v.addf(op, "%q is not known; use one of %s, %s, %s", clip(operator), strings.Join(operators, ", "), ConstraintDistinctHosts, ConstraintDistinctProperty)
		return
	}
	value := at.field("RTarget", "value")
	switch operator {
	case ConstraintIsSet, ConstraintIsNotSet:
		if right != "" {
			v.addf(value, "must be absent for %s", operator)
		}
		return
	case ConstraintRegexp:
		if interpolated(right) {
			return
		}
		if _, err := CompilePattern(right); err != nil {
			v.addf(value, "%q is not a regular expression: %s", clip(right), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	case ConstraintVersion, ConstraintSemver:
		if !interpolated(right) {
			v.versions(value, right)
		}
	}
	if right == "" && operator != ConstraintRegexp && operator != ConstraintEqual && operator != ConstraintNotEqual && operator != "" {
		v.addf(value, "must be set for the operator %q", operator)
	}
}

var versionTerm = newForm(`^\s*(=|!=|>|<|>=|<=|~>)?\s*v?[0-9]+(\.[0-9]+)*(-[0-9A-Za-z.~-]+)?(\+[0-9A-Za-z.~-]+)?\s*$`)

// versions checks the syntax of a version constraint such as ">= 1.2, < 2".
func (v *validator) versions(at spot, list string) {
	if len(list) > 1024 {
		v.addf(at, "has %d bytes; at most 1024 are allowed", len(list))
		return
	}
	for _, term := range strings.Split(list, ",") {
		if !versionTerm.MatchString(term) {
			v.addf(at, "%q is not a version constraint; write it like \">= 1.2, < 2.0\"", clip(list))
			return
		}
	}
}

func (v *validator) affinities(at spot, list []*Affinity) {
	for i, a := range list {
		p := at.field("Affinities", "affinity").index(i)
		switch a.Operand {
		case ConstraintDistinctHosts, ConstraintDistinctProperty, ConstraintIsSet, ConstraintIsNotSet:
			v.addf(p.field("Operand", "operator"), "%q works only in a constraint", a.Operand)
		default:
			v.comparison(p, a.LTarget, a.Operand, a.RTarget)
		}
		if a.Weight == 0 || a.Weight < -100 || a.Weight > 100 {
			v.addf(p.field("Weight", "weight"), "must be from -100 to 100 and not 0, but is %d", a.Weight)
		}
	}
}

func (v *validator) spreads(at spot, list []*Spread) {
	for i, s := range list {
		p := at.field("Spreads", "spread").index(i)
		if s.Attribute == "" {
			v.addf(p.field("Attribute", "attribute"), "must be set, for example \"${node.datacenter}\"")
		}
		if s.Weight < 1 || s.Weight > 100 {
			v.addf(p.field("Weight", "weight"), "must be from 1 to 100, not %d", s.Weight)
		}
		sum, seen := 0, map[string]bool{}
		for k, t := range s.SpreadTarget {
			q := p.field("SpreadTarget", "target").index(k)
			if t.Percent > 100 {
				v.addf(q.field("Percent", "percent"), "must be from 0 to 100, not %d", t.Percent)
			}
			if seen[t.Value] {
				v.addf(q, "%q appears twice", clip(t.Value))
			}
			seen[t.Value] = true
			sum += int(t.Percent)
		}
		if sum > 100 {
			v.addf(p.field("SpreadTarget", "target"), "percentages add up to %d; at most 100 is possible", sum)
		}
	}
}
