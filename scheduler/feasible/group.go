package feasible

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Check is one demand with the rows that meet it. Reason is what metrics show
// for a node that does not.
type Check struct {
	Reason string
	Pass   fleet.Bits
}

// Group is what a group demands of its nodes, as answered by a fleet.
type Group struct {
	// Pool are the ready rows of the job's node pool, Base those of them that
	// are in its datacenters.
	Pool, Base fleet.Bits

	// Checks are the demands in the order in which they are looked at: a node
	// counts as filtered by the first that it does not meet.
	Checks []Check

	// Rows are those of Base that pass every check.
	Rows fleet.Bits

	// Escaped says that nodes of one computed class may differ in the answer.
	Escaped bool
}

// For gives the demands of a group of a job. The result holds until nodes of
// the fleet change.
func For(f *fleet.Fleet, job *api.Job, g *api.TaskGroup) *Group {
	out := &Group{Pool: pool(f, job)}
	out.Base = out.Pool.Clone()
	out.Base.And(datacenters(f, job))
	ofJob, ofGroup := constraints(job, g)
	out.constraints(f, ofJob)
	out.drivers(f, g)
	out.constraints(f, ofGroup)
	out.networks(f, g)
	out.volumes(f, g)
	out.devices(f, g)
	out.cores(f, g)
	out.Rows = out.Base.Clone()
	for _, c := range out.Checks {
		out.Rows.And(c.Pass)
	}
	return out
}

func (out *Group) add(reason string, pass fleet.Bits) {
	out.Checks = append(out.Checks, Check{reason, pass})
}

func (out *Group) constraints(f *fleet.Fleet, all []*api.Constraint) {
	for _, c := range all {
		out.Escaped = out.Escaped || unique(c.LTarget) || unique(c.RTarget)
		if !distinct(c) {
			out.add(Describe(c), passing(f, c))
		}
	}
}

// Placeable says whether a node in the job's pool and datacenters could take
// the group if it were ready and empty.
func (out *Group) Placeable(row int32) bool {
	for _, c := range out.Checks {
		if !c.Pass.Has(row) {
			return false
		}
	}
	return true
}

// InReach says whether a node is in the job's node pool and datacenters.
func InReach(f *fleet.Fleet, job *api.Job, row int32) bool {
	return poolFilter(f, job).Has(row) && datacenters(f, job).Has(row)
}

func pool(f *fleet.Fleet, job *api.Job) fleet.Bits {
	b := f.Ready().Clone()
	b.And(poolFilter(f, job))
	return b
}

func poolFilter(f *fleet.Fleet, job *api.Job) fleet.Bits {
	name := job.NodePool
	if name == "" {
		name = api.NodePoolDefault
	}
	return f.Filter("pool\x00"+name, func(n *api.Node) bool {
		of := n.NodePool
		if of == "" {
			of = api.NodePoolDefault
		}
		return name == api.NodePoolAll || of == name
	})
}

func datacenters(f *fleet.Fleet, job *api.Job) fleet.Bits {
	if len(job.Datacenters) == 1 && job.Datacenters[0] == "*" {
		return f.Filter("all", func(*api.Node) bool { return true })
	}
	globs := slices.Clone(job.Datacenters)
	return f.Filter("dc\x00"+strings.Join(globs, "\x00"), func(n *api.Node) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return Glob(g, n.Datacenter) })
	})
}

// Glob says whether text matches a pattern in which "*" stands for any text.
func Glob(pattern, text string) bool {
	first, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, more, found := strings.Cut(rest, "*")
		if !found {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], more
	}
}
