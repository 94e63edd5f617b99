package reconcile

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
)

// Cluster says what has to be done for the groups of a service or batch job.
// The answer has one entry per group, those of the job first.
func Cluster(in Input) []*Group {
	names, allocs := byGroup(&in)
	out := make([]*Group, 0, len(names))
	for _, name := range names {
		g := &Group{Name: name, Names: newNames()}
		if !in.Job.Stopped() {
			g.Group = in.Job.LookupTaskGroup(name)
		}
		if g.Group == nil {
			g.end(&in, allocs[name])
		} else {
			c := cluster{in: &in, g: g, batch: in.Job.Type == api.JobTypeBatch, updates: updates{job: in.Job}}
			c.reconcile(allocs[name])
		}
		out = append(out, g)
	}
	return out
}

// end stops all of a group that is not wanted any more.
func (g *Group) end(in *Input, allocs []*api.Allocation) {
	for _, a := range allocs {
		switch {
		case a.ClientTerminal():
		case !a.ServerTerminal():
			g.stop(in, a, DescNotNeeded)
			g.Desired.Stop++
		default:
			g.bury(in, a)
		}
	}
}

// bury marks as lost what was stopping when its node went away.
func (g *Group) bury(in *Input, a *api.Allocation) {
	if !a.ClientTerminal() && in.nodeGone(a) {
		g.stop(in, a, DescLost)
	}
}

// cluster is the work on one group.
type cluster struct {
	in    *Input
	g     *Group
	batch bool
	updates

	keep   []*api.Allocation // count as there
	moving []*api.Allocation // are stopped or over, and to be replaced
}

func (c *cluster) reconcile(allocs []*api.Allocation) {
	for _, a := range allocs {
		c.classify(a)
	}
	c.trim()
	for _, a := range c.keep {
		c.g.Names.Take(Index(a.Name))
	}
	for _, a := range c.keep {
		c.update(a)
	}
	c.fill()
}

// classify decides whether an allocation is over, stays or has to be replaced.
//
// Deployments, reschedule policies and disconnected nodes add their cases here.
func (c *cluster) classify(a *api.Allocation) {
	switch {
	case a.ServerTerminal():
		c.g.bury(c.in, a)
	case a.ClientTerminal():
		c.over(a)
	case c.in.nodeGone(a):
		c.g.stop(c.in, a, DescLost)
		c.moving = append(c.moving, a)
	case migrates(a):
		c.g.stop(c.in, a, DescMigrating)
		c.moving = append(c.moving, a)
	default:
		c.keep = append(c.keep, a)
	}
}

// over decides about an allocation that has ended by itself.
func (c *cluster) over(a *api.Allocation) {
	switch {
	case c.batch && c.in.older(a): // the new version of a batch job runs anew
	case a.ClientStatus == api.AllocClientComplete && !c.batch: // a service goes on
	case a.ClientStatus == api.AllocClientLost:
		if a.NextAllocation != "" {
			return // has been replaced
		}
		c.moving = append(c.moving, a)
	case a.ClientStatus == api.AllocClientFailed && moves(a):
		c.g.stop(c.in, a, DescRescheduled)
		c.moving = append(c.moving, a)
		c.g.Desired.RescheduleNow++
	default: // done, or failed and left as it is
		c.keep = append(c.keep, a)
	}
}

// trim stops what is more than the group's count: first what has the index of
// another, then the highest indices. Of two with one index the one that is of
// the current version, still runs and is newer stays.
func (c *cluster) trim() {
	excess := len(c.keep) - max(c.g.Group.Count, 0)
	if excess <= 0 {
		return
	}
	order := slices.Clone(c.keep)
	slices.SortFunc(order, func(a, b *api.Allocation) int {
		return cmp.Or(cmp.Compare(Index(a.Name), Index(b.Name)), -cmp.Compare(c.worth(a), c.worth(b)), -compareAllocs(a, b))
	})
	var first, double []*api.Allocation
	for i, a := range order {
		if i > 0 && Index(a.Name) == Index(order[i-1].Name) {
			double = append(double, a)
		} else {
			first = append(first, a)
		}
	}
	slices.Reverse(double)
	slices.Reverse(first)
	for _, a := range append(double, first...)[:excess] {
		c.g.stop(c.in, a, DescNotNeeded)
		c.g.Desired.Stop++
		c.keep = slices.DeleteFunc(c.keep, func(k *api.Allocation) bool { return k == a })
	}
}

func (c *cluster) worth(a *api.Allocation) int {
	w := 0
	if c.in.current(a) {
		w += 2
	}
	if !a.ClientTerminal() {
		w++
	}
	return w
}

// update decides whether an allocation that stays is as it should be.
func (c *cluster) update(a *api.Allocation) {
	g := c.g
	switch {
	case c.in.current(a):
		g.Desired.Ignore++
	case c.destructive(a.Job, g.Group) || !c.in.Stays(a):
		g.Destructive = append(g.Destructive, Replacement{a, Index(a.Name)})
		g.Desired.DestructiveUpdate++
	case a.ClientTerminal(): // nothing runs that could be told
		g.Desired.Ignore++
	default:
		g.InPlace = append(g.InPlace, a)
		g.Desired.InPlaceUpdate++
	}
}

// fill asks for as many allocations as the count is short of: replacements
// first, as they keep their names.
func (c *cluster) fill() {
	g, count := c.g, c.g.Group.Count
	need := count - len(c.keep)
	for _, a := range c.moving {
		if need <= 0 {
			if !a.ClientTerminal() {
				g.Desired.Stop++
			}
			continue
		}
		need--
		g.Replace = append(g.Replace, Replacement{a, g.Names.Prefer(Index(a.Name), count)})
		switch {
		case a.ClientTerminal() || c.in.nodeGone(a):
			g.Desired.Place++
			if !a.ClientTerminal() {
				g.Desired.Stop++
			}
		default:
			g.Desired.Migrate++
		}
	}
	g.Fresh = max(need, 0)
	g.Desired.Place += uint64(g.Fresh)
}
