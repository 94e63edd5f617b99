package feasible

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Describe gives a constraint in the form in which metrics name it.
func Describe(c *api.Constraint) string {
	operand := c.Operand
	if operand == "" {
		operand = "="
	}
	return strings.TrimSpace(c.LTarget + " " + operand + " " + c.RTarget)
}

// Holds says whether a node satisfies a constraint that looks at the node alone.
func Holds(c *api.Constraint, n *api.Node) bool { return Matcher(c)(n) }

// distinct says whether a constraint looks at other allocations.
func distinct(c *api.Constraint) bool {
	return c.Operand == api.ConstraintDistinctHosts || c.Operand == api.ConstraintDistinctProperty
}

// Matcher gives the test of a constraint that looks at the node alone.
func Matcher(c *api.Constraint) func(*api.Node) bool {
	l, r, test := parseTarget(c.LTarget), parseTarget(c.RTarget), operator(c.Operand)
	return func(n *api.Node) bool {
		lv, lset := l.value(n)
		rv, rset := r.value(n)
		return test(lv, rv, lset, rset)
	}
}

// passing gives the rows whose nodes satisfy a constraint.
func passing(f *fleet.Fleet, c *api.Constraint) fleet.Bits {
	key := "c\x00" + c.LTarget + "\x00" + c.Operand + "\x00" + c.RTarget
	if pass, ok := f.Filtered(key); ok {
		return pass
	}
	return f.Filter(key, Matcher(c))
}

// constraints gives all constraints of a group: the job's, its own and its
// tasks', in this order.
func constraints(job *api.Job, g *api.TaskGroup) (ofJob, ofGroup []*api.Constraint) {
	ofJob = job.Constraints
	ofGroup = g.Constraints
	for _, t := range g.Tasks {
		if len(t.Constraints) > 0 {
			ofGroup = append(ofGroup[:len(ofGroup):len(ofGroup)], t.Constraints...)
		}
	}
	return ofJob, ofGroup
}
