package reconcile

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
)

// update decides whether an allocation that stays is as it should be.
func (c *cluster) update(a *api.Allocation) {
	g := c.g
	switch {
	case c.in.current(a):
		c.join(a)
	case !a.ClientTerminal() && c.unreachable(a): // cannot be told
		c.later++
		g.Desired.Ignore++
	case c.outdated(a):
		c.behind = append(c.behind, a)
	default:
		g.InPlace = append(g.InPlace, InPlace{Alloc: a})
		g.Desired.InPlaceUpdate++
	}
}

// outdated says whether an allocation has to be replaced to be current. One
// that has ended cannot be told anything.
func (c *cluster) outdated(a *api.Allocation) bool {
	return a.ClientTerminal() || c.updates.destructive(a.Job, c.g.Group) || !c.in.Stays(a)
}

// join sees to it that what is of the current version is part of the deployment.
func (c *cluster) join(a *api.Allocation) {
	if c.stage.active && !c.stage.member(a) && !a.ClientTerminal() && !c.unreachable(a) {
		c.g.InPlace = append(c.g.InPlace, InPlace{Alloc: a})
		c.g.Desired.InPlaceUpdate++
		return
	}
	if !c.failed[a].now {
		c.g.Desired.Ignore++
	}
}

// begin begins a deployment when the group changes to a version of which
// nothing is there yet.
func (c *cluster) begin() {
	count := c.g.Group.Count
	if !c.stage.mayBegin() || slices.ContainsFunc(c.keep, func(a *api.Allocation) bool { return c.in.current(a) && !a.ClientTerminal() }) {
		return
	}
	if len(c.behind)+len(c.g.InPlace)+c.later == 0 && len(c.keep)+c.vacant >= count {
		return
	}
	canaries := 0
	if len(c.behind) > 0 {
		canaries = c.stage.update.Canary
	}
	c.stage.begin(c.g.Name, count, canaries)
}

// canary asks for the canaries that are short: those that were lost anew, and
// further ones with the indices of what they will replace.
func (c *cluster) canary() {
	g, want := c.g, c.stage.canaries
	if want == 0 {
		return
	}
	g.Desired.Ignore += uint64(len(c.canaries))
	taken := newNames()
	for _, a := range c.canaries {
		if r := c.failed[a]; r.now {
			g.Desired.Ignore--
		}
		taken.Take(Index(a.Name))
	}
	have := len(c.canaries)
	for _, a := range c.moving {
		if c.stage.canary(a) && have < want {
			have++
			taken.Take(Index(a.Name))
			c.replace(a, Index(a.Name), true)
		}
	}
	if c.stage.held {
		return
	}
	for _, a := range c.behind {
		if i := Index(a.Name); have < want && taken.Take(i) {
			have++
			g.Canaries = append(g.Canaries, i)
		}
	}
	for _, a := range c.keep {
		taken.Take(Index(a.Name))
	}
	for ; have < want; have++ {
		g.Canaries = append(g.Canaries, taken.Next())
	}
	g.Desired.Canary += uint64(len(g.Canaries))
}

// limit replaces as many of those that have to change as the deployment allows:
// max_parallel less those that are in the making or not healthy. What is not
// healthy itself goes first.
func (c *cluster) limit() {
	n := len(c.behind)
	if c.stage.active || c.stage.failed {
		n = min(n, c.budget())
	}
	slices.SortStableFunc(c.behind, func(a, b *api.Allocation) int { return cmp.Compare(vigour(a), vigour(b)) })
	for _, a := range c.behind[:n] {
		c.g.Destructive = append(c.g.Destructive, Replacement{Previous: a, Index: Index(a.Name), StopAs: DescUpdating})
	}
	c.g.Desired.DestructiveUpdate += uint64(n)
	c.g.Desired.Ignore += uint64(len(c.behind) - n)
}

func (c *cluster) budget() int {
	s := &c.stage
	if s.frozen() {
		return 0
	}
	n := s.update.MaxParallel - len(c.g.InPlace) - c.g.Fresh - len(c.g.Replace)
	for _, a := range c.keep {
		if r := c.failed[a]; s.unproven(a) && !r.now {
			n--
		}
	}
	return max(n, 0)
}

// vigour orders allocations: what does not run is replaced first.
func vigour(a *api.Allocation) int {
	switch a.ClientStatus {
	case api.AllocClientRunning:
		return 2
	case api.AllocClientPending:
		return 1
	}
	return 0
}
