package reconcile

import (
	"github.com/seraihq/serai/api"
)

// Cluster says what has to be done for a service or batch job. The groups of
// the job come first.
func Cluster(in Input) *Result {
	names, allocs := byGroup(&in)
	rollout := newRollout(&in)
	out := make([]*Group, 0, len(names))
	for _, name := range names {
		g := &Group{Name: name, Names: newNames()}
		if !in.Job.Stopped() {
			g.Group = in.Job.LookupTaskGroup(name)
		}
		if g.Group == nil {
			g.end(&in, allocs[name])
		} else {
			c := cluster{in: &in, g: g, batch: in.Job.Type == api.JobTypeBatch, stage: rollout.stage(g.Group), updates: updates{job: in.Job}, allocs: allocs[name]}
			c.reconcile()
		}
		out = append(out, g)
	}
	return rollout.result(out)
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

// bury marks as lost what was stopping when its node went away. Why it was
// stopped remains.
func (g *Group) bury(in *Input, a *api.Allocation) {
	if !a.ClientTerminal() && in.nodeGone(a) {
		g.stop(in, a, "")
	}
}

// cluster is the work on one group.
type cluster struct {
	in    *Input
	g     *Group
	batch bool
	stage stage
	updates

	allocs   []*api.Allocation
	keep     []*api.Allocation        // count as there
	canaries []*api.Allocation        // count as canaries that are there
	moving   []*api.Allocation        // are stopped or over, and to be replaced
	gone     []*api.Allocation        // were stopped or ended before, and nothing has replaced them
	shadows  []*api.Allocation        // may run beside what has replaced them
	vacant   int                      // places that shall stay empty
	later    int                      // that would change if their nodes were in reach
	spared   map[*api.Allocation]bool // are stopped to be moved, and not replaced

	behind []*api.Allocation // of keep, that have to be replaced to be current
	failed map[*api.Allocation]retry
	drop   map[*api.Allocation]bool // not wanted beside another
	back   map[string]bool          // IDs of those that have come back, with nothing in their place
	byID   map[string]*api.Allocation
}

func (c *cluster) reconcile() {
	c.reconnect()
	for _, a := range c.allocs {
		c.classify(a)
	}
	c.trim()
	for _, a := range c.keep {
		c.g.Names.Take(Index(a.Name))
	}
	for _, a := range c.keep {
		c.update(a)
	}
	c.begin()
	c.g.Member = c.stage.active
	for i := range c.g.InPlace {
		c.g.InPlace[i].Member = c.stage.active
	}
	c.retry()
	c.fill()
	c.shadow()
	c.canary()
	c.limit()
	c.wait()
	c.g.forget()
}

// classify decides whether an allocation is over, stays or has to be replaced.
func (c *cluster) classify(a *api.Allocation) {
	switch {
	case a.ServerTerminal():
		c.g.bury(c.in, a)
		c.left(a)
		return
	case c.drop[a] || c.stage.stray(a):
		c.end(a)
		return
	case a.ClientTerminal():
		c.over(a)
		return
	}
	switch p, until := c.in.presence(a); {
	case p == lost:
		c.g.stop(c.in, a, DescLost)
		c.g.Desired.Stop++
		if !c.replaced(a) && !c.stoodIn(a) {
			c.moving = append(c.moving, a)
		}
	case migrates(a):
		c.g.stop(c.in, a, DescMigrating)
		if c.in.vacates(a) {
			c.vacant++
			c.unneeded(a)
		} else {
			c.moving = append(c.moving, a)
		}
	case p == present:
		c.g.back(a)
		c.stay(a)
	default:
		c.g.away(c.in, a, p, until)
		c.absent(a, p)
	}
}

// end stops an allocation that is not wanted.
func (c *cluster) end(a *api.Allocation) {
	c.g.stop(c.in, a, DescNotNeeded)
	c.g.Desired.Stop++
}

func (c *cluster) stay(a *api.Allocation) {
	if c.stage.canary(a) {
		c.canaries = append(c.canaries, a)
	} else {
		c.keep = append(c.keep, a)
	}
}

// left notes what was taken away before and not replaced.
func (c *cluster) left(a *api.Allocation) {
	switch {
	case c.in.vacates(a):
		c.vacant++
	case a.NextAllocation != "" || a.DeploymentStatus != nil && a.DeploymentStatus.Canary || c.stoodIn(a):
	case !a.ServerTerminal(), a.DesiredStatus == api.AllocDesiredEvict, a.DesiredDescription == DescLost, a.DesiredDescription == DescMigrating:
		c.gone = append(c.gone, a)
	}
}

// absent decides about an allocation that may run where nobody sees it. When its
// node is back its client is about to speak of it.
func (c *cluster) absent(a *api.Allocation, p presence) {
	d := disconnectOf(a)
	switch {
	case p != unknown || d == nil || !d.Replace:
		c.stay(a)
	case c.replaced(a):
		c.shadows = append(c.shadows, a)
	case c.in.nodeGone(a):
		c.moving = append(c.moving, a)
	default:
		c.stay(a)
	}
}

// lives says whether there is such an allocation, and it has not ended.
func (c *cluster) lives(a *api.Allocation) bool { return a != nil && !a.ClientTerminal() }

// over decides about an allocation that has ended by itself.
func (c *cluster) over(a *api.Allocation) {
	switch {
	case c.batch && c.in.older(a): // the new version of a batch job runs anew
	case a.ClientStatus == api.AllocClientComplete && !c.batch: // a service goes on
		c.left(a)
	case a.ClientStatus == api.AllocClientLost:
		if !c.replaced(a) && !c.stoodIn(a) {
			c.moving = append(c.moving, a)
		}
	case a.ClientStatus == api.AllocClientFailed && c.replaced(a): // replaced while nobody saw it
		c.end(a)
	case a.ClientStatus == api.AllocClientFailed && c.lives(c.original(a)): // nor needed any more
		c.end(a)
	case a.ClientStatus == api.AllocClientFailed:
		if r := c.stage.retry(a); !r.at.IsZero() {
			if c.failed == nil {
				c.failed = map[*api.Allocation]retry{}
			}
			c.failed[a] = r
		}
		c.stay(a)
	default: // done
		c.keep = append(c.keep, a)
	}
}
