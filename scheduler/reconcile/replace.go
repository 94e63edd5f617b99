package reconcile

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
)

// retry replaces failed allocations whose time has come.
func (c *cluster) retry() {
	if len(c.failed) == 0 {
		return
	}
	g, now := c.g, map[*api.Allocation]bool{}
	for _, a := range slices.Concat(c.keep, c.canaries) {
		r, ok := c.failed[a]
		if !ok || !r.now {
			continue
		}
		t := moved(a, r, c.in.Now)
		g.Replace = append(g.Replace, Replacement{
			Previous: a, Index: Index(a.Name), Job: c.version(a), Canary: c.stage.canary(a),
			StopAs: DescRescheduled, Reschedule: t, Avoid: failedOn(t),
		})
		g.Desired.RescheduleNow++
		g.Desired.Place++
		now[a] = true
	}
	c.behind = slices.DeleteFunc(c.behind, func(a *api.Allocation) bool { return now[a] })
}

// wait notes when the time of failed allocations will have come, if nothing else
// replaces them before.
func (c *cluster) wait() {
	if len(c.failed) == 0 {
		return
	}
	for _, x := range c.g.Destructive {
		delete(c.failed, x.Previous)
	}
	for _, a := range slices.Concat(c.keep, c.canaries) {
		if r, ok := c.failed[a]; ok && !r.now {
			c.g.wait(c.in, Note{Alloc: a, Until: r.at, Trigger: api.TriggerAllocReschedule})
			c.g.Desired.RescheduleLater++
		}
	}
}

// version gives the version in which an allocation is replaced: its own while
// the update is not to go on, else the current one, nil.
func (c *cluster) version(a *api.Allocation) *api.Job {
	if !c.stage.frozen() || c.in.current(a) || a.Job == nil || a.Job.CreateIndex != c.in.Job.CreateIndex || !c.updates.destructive(a.Job, c.g.Group) {
		return nil
	}
	if j, ok := c.in.Version(a.Job.Version); ok && j.CreateIndex == a.Job.CreateIndex && j.LookupTaskGroup(c.g.Name) != nil {
		return j
	}
	return nil
}

// fill asks for as many allocations as the count is short of: replacements
// first, as they keep their names. While the update is not to go on, nothing is
// added that was not there before.
func (c *cluster) fill() {
	g, count := c.g, c.g.Group.Count
	need, frozen := count-len(c.keep)-c.vacant, c.stage.frozen()
	from := c.moving
	if frozen {
		from = c.places(slices.Concat(c.moving, c.gone))
	}
	for _, a := range from {
		switch {
		case c.stage.canary(a):
			continue
		case need <= 0:
			c.spare(a)
			continue
		}
		need--
		c.replace(a, g.Names.Prefer(Index(a.Name), count), false)
	}
	if !frozen {
		g.Fresh = max(need, 0)
		g.Desired.Place += uint64(g.Fresh)
	}
}

// spare decides about an allocation that is not replaced, as there are enough.
func (c *cluster) spare(a *api.Allocation) {
	switch p, _ := c.in.presence(a); {
	case a.Terminal() || p == lost:
	case p == present || migrates(a):
		c.unneeded(a)
	default:
		c.end(a)
	}
}

// unneeded notes that nothing replaces what is stopped already to be moved.
func (c *cluster) unneeded(a *api.Allocation) {
	c.g.Desired.Stop++
	if c.spared == nil {
		c.spared = map[*api.Allocation]bool{}
	}
	c.spared[a] = true
}

// places puts the newest first, and leaves out allocations whose place is taken:
// what has replaced each other has one place.
func (c *cluster) places(of []*api.Allocation) []*api.Allocation {
	if len(of) == 0 {
		return nil
	}
	taken := make(map[string]bool, len(c.keep))
	for _, a := range c.keep {
		taken[c.root(a)] = true
	}
	slices.SortFunc(of, func(a, b *api.Allocation) int {
		return cmp.Or(-cmp.Compare(a.CreateIndex, b.CreateIndex), compareAllocs(a, b))
	})
	return slices.DeleteFunc(of, func(a *api.Allocation) bool {
		if c.stage.canary(a) {
			return false
		}
		root := c.root(a)
		was := taken[root]
		taken[root] = true
		return was
	})
}

// replace asks for a replacement of an allocation that is stopped or over.
func (c *cluster) replace(a *api.Allocation, index int, canary bool) {
	g := c.g
	x := Replacement{Previous: a, Index: index, Job: c.version(a), Canary: canary}
	if x.Job != nil || c.in.current(a) {
		x.Reschedule, x.Avoid = a.RescheduleTracker, failedOn(a.RescheduleTracker)
	}
	g.Replace = append(g.Replace, x)
	if c.runs(a) {
		g.Desired.Migrate++
	} else {
		g.Desired.Place++
	}
}

// runs says whether an allocation is known to run, or to be about to.
func (c *cluster) runs(a *api.Allocation) bool { return !a.Terminal() && !c.unreachable(a) }

func (c *cluster) unreachable(a *api.Allocation) bool {
	return a.ClientStatus == api.AllocClientUnknown || c.in.nodeGone(a)
}
