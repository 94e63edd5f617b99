package scheduler

import (
	"maps"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// point is how far the plan has come, to go back to.
type point struct{ steps, placements, stops int }

func (r *run) mark() point {
	return point{r.tx.Mark(), len(r.plan.Placements), len(r.plan.Stops)}
}

// gangs places groups one after the other. Of a group that wants all or none
// nothing is placed when something of it found no place; the same for all groups
// of a job that wants that. What is stopped in any case stays stopped.
func (r *run) gangs(groups []*reconcile.Group, place func(*reconcile.Group, uint64)) {
	start, short := r.mark(), false
	for i, g := range groups {
		if g.Group == nil || g.Wanted() == 0 && !r.perNode() {
			continue
		}
		before := r.mark()
		place(g, uint64(i))
		if r.queued[g.Name] == 0 {
			continue
		}
		short = true
		if g.Group.AllAtOnce {
			r.undo(before)
			r.forgo(g)
		}
	}
	if !short || r.job == nil || !r.job.AllAtOnce {
		return
	}
	culprit, could := r.culprit(groups), r.could(start)
	r.undo(start)
	for _, g := range groups {
		if g.Group == nil {
			continue
		}
		if m := could[g.Name]; m != nil && r.failed[g.Name] == nil {
			r.refrain(g, m, culprit)
		}
		r.forgo(g)
	}
}

// culprit gives the first group that found no room.
func (r *run) culprit(groups []*reconcile.Group) string {
	for _, g := range groups {
		if r.failed[g.Name] != nil {
			return g.Name
		}
	}
	return ""
}

// could gives, by group, the metric of a placement since a point.
func (r *run) could(since point) map[string]*api.AllocationMetric {
	out := map[string]*api.AllocationMetric{}
	for i := range r.plan.Placements[since.placements:] {
		x := &r.plan.Placements[since.placements+i]
		out[x.Group.Name] = x.Metrics
	}
	return out
}

// refrain tells of a group that has room why it is not placed: another has none.
// m is the metric of one of its placements.
func (r *run) refrain(g *reconcile.Group, m *api.AllocationMetric, culprit string) {
	c := *m
	c.ConstraintFiltered, c.ClassFiltered = maps.Clone(m.ConstraintFiltered), maps.Clone(m.ClassFiltered)
	c.ScoreMetaData, c.CoalescedFailures = nil, 0
	c.NodesExhausted = c.NodesEvaluated - c.NodesFiltered
	c.DimensionExhausted = map[string]int{AllAtOnce + culprit: c.NodesExhausted}
	if r.failed == nil {
		r.failed = map[string]*api.AllocationMetric{}
	}
	r.failed[g.Name] = &c
}

// AllAtOnce begins the dimension by which a group is short that has room, and
// waits for another group of its job; the name of that one follows.
const AllAtOnce = "all_at_once: group "

// undo takes back what was placed since a point, and what was stopped for it.
func (r *run) undo(to point) {
	r.tx.Undo(to.steps)
	for _, s := range r.plan.Stops[to.stops:] {
		delete(r.stopped, s.Alloc)
	}
	r.plan.Stops = r.plan.Stops[:to.stops]
	r.plan.Placements = r.plan.Placements[:to.placements]
}

// forgo notes that nothing of a group was placed.
func (r *run) forgo(g *reconcile.Group) {
	if n := g.Wanted(); n > 0 {
		r.queued[g.Name] = n
		if m := r.failed[g.Name]; m != nil {
			m.CoalescedFailures = n - 1
		}
	}
	g.Desired.Preemptions = 0
}
