package feasible

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/seraihq/serai/api"
)

// compare says whether two sides satisfy an operator; set tells whether a side
// has a value at all.
type compare func(l, r string, lset, rset bool) bool

// operator gives the comparison of a constraint. Text on the right that cannot
// be read (a bad expression or version) is satisfied by nothing.
func operator(operand string) compare {
	switch operand {
	case "", "=", "==", "is":
		return both(func(l, r string) bool { return l == r })
	case "!=", "not":
		// A property that is not there is not equal to anything.
		return func(l, r string, lset, rset bool) bool { return lset != rset || l != r }
	case "<", "<=", ">", ">=":
		return both(func(l, r string) bool { return ordered(operand, l, r) })
	case api.ConstraintIsSet:
		return func(_, _ string, lset, _ bool) bool { return lset }
	case api.ConstraintIsNotSet:
		return func(_, _ string, lset, _ bool) bool { return !lset }
	case api.ConstraintSetContains, api.ConstraintSetContainsAll:
		return both(func(l, r string) bool { return contains(l, r, true) })
	case api.ConstraintSetContainsAny:
		return both(func(l, r string) bool { return contains(l, r, false) })
	case api.ConstraintRegexp:
		return remember(both(matches))
	case api.ConstraintVersion:
		return remember(both(versionMatches))
	case api.ConstraintSemver:
		return remember(both(semverMatches))
	}
	return func(string, string, bool, bool) bool { return false }
}

func both(f func(l, r string) bool) compare {
	return func(l, r string, lset, rset bool) bool { return lset && rset && f(l, r) }
}

// maxCost bounds the product of the lengths of two sides of a costly comparison,
// and through it the time that one node can take: some 10 ms.
const maxCost = 1 << 20

// remember keeps the last answers of a costly comparison: few values occur on
// many nodes. Sides that are too long together satisfy nothing.
func remember(f compare) compare {
	type pair struct {
		l, r       string
		lset, rset bool
	}
	seen := map[pair]bool{}
	return func(l, r string, lset, rset bool) bool {
		if len(l)*len(r) > maxCost {
			return false
		}
		k := pair{l, r, lset, rset}
		answer, ok := seen[k]
		if !ok {
			if len(seen) >= 64 {
				clear(seen)
			}
			answer = f(l, r, lset, rset)
			seen[k] = answer
		}
		return answer
	}
}

// ordered compares as integers, else as floating-point numbers, else as text.
func ordered(operand, l, r string) bool {
	if a, err := strconv.ParseInt(l, 10, 64); err == nil {
		if b, err := strconv.ParseInt(r, 10, 64); err == nil {
			return holds(operand, a, b)
		}
	}
	if a, err := strconv.ParseFloat(l, 64); err == nil {
		if b, err := strconv.ParseFloat(r, 64); err == nil {
			return holds(operand, a, b)
		}
	}
	return holds(operand, l, r)
}

func holds[T int64 | float64 | string](operand string, a, b T) bool {
	switch operand {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}

// contains says whether the list l has all, or any, of the list r.
func contains(l, r string, all bool) bool {
	has := map[string]bool{}
	for v := range strings.SplitSeq(l, ",") {
		has[strings.TrimSpace(v)] = true
	}
	for v := range strings.SplitSeq(r, ",") {
		if has[strings.TrimSpace(v)] != all {
			return !all
		}
	}
	return all
}

func matches(l, r string) bool {
	re, err := regexp.Compile(r)
	return err == nil && re.MatchString(l)
}

// versionMatches says whether l is a version within the limits r, a list such
// as ">= 1.2, < 2.0". A pre-release is within limits only when they name one.
func versionMatches(l, r string) bool {
	v, err := version.NewVersion(strings.TrimSpace(l))
	if err != nil {
		return false
	}
	limits, err := version.NewConstraint(r)
	return err == nil && limits.Check(v)
}

// semverMatches is like versionMatches by Semantic Versioning 2.0: versions are
// read strictly, pre-releases have their place in the order, and there is no
// operator "~>".
func semverMatches(l, r string) bool {
	v, err := version.NewSemver(strings.TrimSpace(l))
	if err != nil {
		return false
	}
	for limit := range strings.SplitSeq(r, ",") {
		limit = strings.TrimSpace(limit)
		text := strings.TrimLeft(limit, "<>=!")
		than, err := version.NewSemver(strings.TrimSpace(text))
		if err != nil || !within(v.Compare(than), strings.TrimSuffix(limit, text)) {
			return false
		}
	}
	return true
}

func within(order int, operand string) bool {
	switch operand {
	case "", "=", "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return false
}
