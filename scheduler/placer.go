package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/rank"
)

// maxMetrics bounds how many metrics are made for a group in one plan. Up to
// it, each placement has its own; more placements share.
const maxMetrics = 32

// placer places the allocations of one group.
type placer struct {
	r   *run
	d   *demand
	sel *rank.Selector

	base   *api.AllocationMetric
	metric *api.AllocationMetric
	every  int // placements that share a metric
	age    int // placements since the metric was made
}

func (r *run) placer(d *demand, expect int, salt uint64) *placer {
	p := &placer{r: r, d: d, every: (expect + maxMetrics - 1) / maxMetrics}
	p.sel = rank.New(rank.Demand{
		Fleet: r.in.Fleet, Tx: r.tx, Job: d.job, Group: d.group, Feasible: d.feasible,
		Usage: &d.usage, Algorithm: r.algorithm, Expect: expect, Seed: r.in.Seed + salt<<32,
	})
	p.base = p.sel.Base()
	p.present()
	return p
}

// present tells the selector of the job's allocations that stay, and of those
// placed before.
func (p *placer) present() {
	r := p.r
	for _, a := range r.allocs {
		if row, ok := r.in.Fleet.Row(a.NodeID); ok && !a.Terminal() && !r.stopped[a] {
			p.sel.Present(a.TaskGroup, row)
		}
	}
	for i := range r.plan.Placements {
		x := &r.plan.Placements[i]
		if row, ok := r.in.Fleet.Row(x.Node.ID); ok {
			p.sel.Present(x.Group.Name, row)
		}
	}
}

// want is an allocation that is wanted, beyond its job's version and group.
type want struct {
	index    int
	previous *api.Allocation // that it replaces; nil: none

	// counted says that previous is still one of the group's allocations: it is
	// stopped only when this one has a place.
	counted bool

	avoid      []string // nodes where it failed before
	canary     bool
	deployment bool // part of the plan's deployment
	reschedule *api.RescheduleTracker
}

// fresh places an allocation that replaces none.
func (p *placer) fresh(w want) bool {
	m := p.now()
	pick, ok := p.choose()
	if ok {
		p.put(pick, w, m)
	}
	return ok
}

// replace places an allocation that may use the room of the one that it
// replaces. When there is no place, that one's room stays taken.
func (p *placer) replace(w want) bool {
	r, f, previous := p.r, p.r.in.Fleet, w.previous
	mark := r.tx.Mark()
	row, known := f.Row(previous.NodeID)
	release := known && !previous.ClientTerminal() && f.Node(row).Status != api.NodeStatusDown
	if p.d.failed && !release && !p.d.single {
		p.fail(1)
		return false
	}
	counted := w.counted && known && !previous.Terminal()
	usage := f.Usage(previous)
	if release {
		r.tx.Release(row, usage)
		r.tx.Inherit(row, previous)
		p.sel.Changed(row)
	}
	if counted {
		p.sel.Absent(previous.TaskGroup, row)
	}
	m := p.avoid(w)
	pick, ok := p.pick(w, row, known)
	p.sel.Avoid(nil)
	if ok {
		if release {
			p.hold(row, usage, &pick)
		}
		p.put(pick, w, m)
		return true
	}
	p.fail(1)
	r.tx.Undo(mark)
	if counted {
		p.sel.Present(previous.TaskGroup, row)
	}
	if release {
		p.sel.Changed(row)
	}
	return false
}

// hold keeps the room of a predecessor from others until it has ended: all of it
// when the new one is elsewhere, else what that one has no use for.
func (p *placer) hold(row int32, usage *fit.Usage, pick *rank.Pick) {
	if pick.Row != row {
		p.r.tx.Retake(row, usage)
	} else if rest := fit.Rest(usage, pick.Usage); !rest.Empty() {
		p.r.tx.Keep(row, &rest)
	} else {
		return
	}
	p.sel.Changed(row)
}

// avoid tells the selector of the nodes where the allocation has failed before,
// and gives the metric for the placement.
func (p *placer) avoid(w want) *api.AllocationMetric {
	var rows []int32
	for _, id := range w.avoid {
		if row, ok := p.r.in.Fleet.Row(id); ok {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return p.now()
	}
	p.sel.Avoid(rows)
	return p.sel.Metric(p.base)
}

// pick chooses a node. Data on a sticky disk are where the predecessor was, so
// that node is the first choice, whatever the scores say.
func (p *placer) pick(w want, row int32, known bool) (rank.Pick, bool) {
	if disk := p.d.group.EphemeralDisk; known && disk != nil && disk.Sticky && len(w.avoid) == 0 && p.d.feasible.Rows.Has(row) {
		if pick, _, ok := p.sel.PickRow(row); ok {
			return pick, true
		}
	}
	return p.choose()
}

func (p *placer) put(pick rank.Pick, w want, m *api.AllocationMetric) {
	x := Placement{
		ID: p.r.in.NewID(), Job: p.d.job, Group: p.d.group, Index: w.index,
		Node: p.r.in.Fleet.Node(pick.Row), Ports: pick.Ports, Grants: pick.Grants, Metrics: m,
		Deployment: w.deployment, Canary: w.canary, Reschedule: w.reschedule,
	}
	if w.previous != nil {
		x.Previous = w.previous.ID
	}
	p.evict(&x, &pick)
	p.r.plan.Placements = append(p.r.plan.Placements, x)
}

// now gives the metric for the next placement.
func (p *placer) now() *api.AllocationMetric {
	if p.metric == nil || p.age >= p.every {
		p.metric, p.age = p.sel.Metric(p.base), 0
	}
	p.age++
	return p.metric
}

// fail notes that allocations could not be placed. The first failure of a group
// is told in full. What is waited for is room for each of its demands: that of an
// older version can be another than that of the current one.
func (p *placer) fail(n int) {
	r, name := p.r, p.d.group.Name
	r.queued[name] += n
	if !p.d.failed {
		p.d.failed = true
		r.blocked = append(r.blocked, p.d)
	}
	if m := r.failed[name]; m != nil {
		m.CoalescedFailures += n
		return
	}
	m := p.sel.Failed(p.sel.Metric(p.base))
	m.CoalescedFailures = n - 1
	r.note(p.d, m)
}

// note tells why not all of a group was placed.
func (r *run) note(d *demand, m *api.AllocationMetric) {
	if r.failed == nil {
		r.failed = map[string]*api.AllocationMetric{}
	}
	r.failed[d.group.Name] = m
}
