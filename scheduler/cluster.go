package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/rank"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// cluster schedules a service or batch job.
func (r *run) cluster() {
	groups := reconcile.Cluster(r.compared())
	for _, g := range groups {
		r.take(g)
	}
	for i, g := range groups {
		if g.Group != nil && len(g.Destructive)+len(g.Replace)+g.Fresh > 0 {
			r.place(g, uint64(i))
		}
	}
}

// place chooses nodes for what a group wants placed: what replaces running
// allocations first, as their room becomes free with it.
func (r *run) place(g *reconcile.Group, salt uint64) {
	p := r.placer(r.demand(g.Group), len(g.Destructive)+len(g.Replace)+g.Fresh, salt)
	for _, x := range g.Destructive {
		if p.replace(x.Previous, x.Index, true) {
			r.stop(Stop{Alloc: x.Previous, Description: reconcile.DescUpdating})
		}
	}
	for _, x := range g.Replace {
		p.replace(x.Previous, x.Index, false)
	}
	for left := g.Fresh; left > 0; left-- {
		if !p.fresh(g.Names) {
			p.fail(left)
			break
		}
	}
}

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
		Fleet: r.in.Fleet, Tx: r.tx, Job: r.job, Group: d.group, Feasible: d.feasible,
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

// fresh places an allocation that replaces none.
func (p *placer) fresh(names *reconcile.Names) bool {
	m := p.now()
	pick, ok := p.sel.Pick()
	if ok {
		p.put(pick, names.Next(), nil, m)
	}
	return ok
}

// replace places an allocation that may use the room of the one that it
// replaces. When there is no place, that one's room stays taken. A destructive
// replacement is of one that still counts as there.
func (p *placer) replace(previous *api.Allocation, index int, destructive bool) bool {
	r, f := p.r, p.r.in.Fleet
	mark := r.tx.Mark()
	row, known := f.Row(previous.NodeID)
	release := known && !previous.ClientTerminal() && f.Node(row).Status != api.NodeStatusDown
	if p.failed() != nil && !release {
		p.fail(1)
		return false
	}
	counted := destructive && known && !previous.Terminal()
	usage := f.Usage(previous)
	if release {
		r.tx.Release(row, usage)
		p.sel.Changed(row)
	}
	if counted {
		p.sel.Absent(previous.TaskGroup, row)
	}
	m := p.now()
	pick, ok := p.sel.Pick()
	if ok {
		if release && pick.Row != row {
			r.tx.Retake(row, usage)
			p.sel.Changed(row)
		}
		p.put(pick, index, previous, m)
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

func (p *placer) put(pick rank.Pick, index int, previous *api.Allocation, m *api.AllocationMetric) {
	x := Placement{
		ID: p.r.in.NewID(), Group: p.d.group, Index: index,
		Node: p.r.in.Fleet.Node(pick.Row), Ports: pick.Ports, Metrics: m,
	}
	if previous != nil {
		x.Previous = previous.ID
	}
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

func (p *placer) failed() *api.AllocationMetric { return p.r.failed[p.d.group.Name] }

// fail notes that allocations could not be placed. The first failure is told
// in full.
func (p *placer) fail(n int) {
	r, name := p.r, p.d.group.Name
	r.queued[name] += n
	if m := r.failed[name]; m != nil {
		m.CoalescedFailures += n
		return
	}
	m := p.sel.Failed(p.sel.Metric(p.base))
	m.CoalescedFailures = n - 1
	r.note(p.d, m)
	r.blocked = append(r.blocked, p.d)
}

// note tells why not all of a group was placed.
func (r *run) note(d *demand, m *api.AllocationMetric) {
	if r.failed == nil {
		r.failed = map[string]*api.AllocationMetric{}
	}
	r.failed[d.group.Name] = m
}
