package scheduler

import (
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
	r.undo(start)
	for _, g := range groups {
		if g.Group != nil {
			r.forgo(g)
		}
	}
}

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
	}
	g.Desired.Preemptions = 0
}
