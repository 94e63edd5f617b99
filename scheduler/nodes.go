package scheduler

import (
	"maps"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/rank"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// nodes schedules a system or sysbatch job.
func (r *run) nodes() {
	result := reconcile.PerNode(reconcile.NodeInput{
		Input:    r.compared(),
		Eligible: r.eligible,
		InReach: func(id string) bool {
			row, ok := r.in.Fleet.Row(id)
			return ok && feasible.InReach(r.in.Fleet, r.job, row)
		},
	})
	r.take(result)
	r.gangs(result.Groups, r.placeOn)
}

// eligible gives the nodes that a group shall run on, in the fleet's order.
func (r *run) eligible(g *api.TaskGroup) []string {
	f := r.in.Fleet
	rows := slices.SortedFunc(r.demand(r.job, g).feasible.Rows.Rows(), func(a, b int32) int {
		if f.Before(a, b) {
			return -1
		}
		return 1
	})
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = f.Node(row).ID
	}
	return ids
}

func (r *run) placeOn(g *reconcile.Group, salt uint64) {
	d := r.demand(r.job, g.Group)
	if d.feasible.Rows.Count() == 0 && d.feasible.Pool.Count() > 0 && g.Group.Count > 0 {
		// No node will do. New and changed nodes are looked at anyway, so that
		// nothing waits for capacity.
		r.note(d, r.placer(d, 0, salt).base)
		return
	}
	if len(g.Nodes) == 0 {
		return
	}
	r.placeVersion(g, nil, salt)
	for _, job := range nodeVersions(g.Nodes) {
		r.placeVersion(g, job, salt)
	}
}

// placeVersion places what a group wants in one version of the job; nil is the
// current one.
func (r *run) placeVersion(g *reconcile.Group, version *api.Job, salt uint64) {
	job, group := r.job, g.Group
	if version != nil {
		job, group = version, version.LookupTaskGroup(g.Name)
	}
	p := r.placer(r.demand(job, group), len(g.Nodes), salt)
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Job != version {
			continue
		}
		if row, ok := r.in.Fleet.Row(n.NodeID); ok && p.on(row, g, n) && n.Destructive {
			r.stop(Stop{Alloc: n.Previous, Description: reconcile.DescUpdating})
		}
	}
}

// nodeVersions gives the earlier versions of which something is placed.
func nodeVersions(of []reconcile.NodePlacement) []*api.Job {
	var out []*api.Job
	for i := range of {
		if j := of[i].Job; j != nil && !slices.Contains(out, j) {
			out = append(out, j)
		}
	}
	return out
}

// on places an allocation on a given node.
func (p *placer) on(row int32, g *reconcile.Group, n *reconcile.NodePlacement) bool {
	r := p.r
	mark := r.tx.Mark()
	release := n.Previous != nil && !n.Previous.ClientTerminal() && n.Previous.NodeID == n.NodeID
	if release {
		r.tx.Release(row, r.in.Fleet.Usage(n.Previous))
		r.tx.Inherit(row, n.Previous)
		p.sel.Changed(row)
	}
	if n.Destructive {
		p.sel.Absent(p.d.group.Name, row)
	}
	meta := p.meta(row)
	pick, why, ok := p.chooseRow(row)
	if ok {
		if release {
			p.hold(row, r.in.Fleet.Usage(n.Previous), &pick)
		}
		p.put(pick, want{previous: n.Previous, canary: n.Canary, deployment: g.Member && n.Job == nil}, meta)
		return true
	}
	r.tx.Undo(mark)
	if n.Destructive {
		p.sel.Present(p.d.group.Name, row)
	}
	p.short(row, why)
	return false
}

// meta is the metric of a placement on a given node. Few placements have one
// each, many share one without scores.
func (p *placer) meta(row int32) *api.AllocationMetric {
	if p.every > 1 {
		return p.base
	}
	return &api.AllocationMetric{
		NodesEvaluated: 1, NodesInPool: p.base.NodesInPool, NodePool: p.base.NodePool,
		NodesAvailable: p.base.NodesAvailable, ScoreMetaData: []*api.NodeScoreMeta{p.sel.Meta(row)},
	}
}

// short notes why a node could not be taken. Only where room is lacking the
// group waits for it.
func (p *placer) short(row int32, why rank.Refusal) {
	r, name := p.r, p.d.group.Name
	m := r.failed[name]
	if m == nil {
		c := *p.base
		m = &c
		m.ConstraintFiltered, m.ClassFiltered = maps.Clone(c.ConstraintFiltered), maps.Clone(c.ClassFiltered)
		r.note(p.d, m)
	} else {
		m.CoalescedFailures++
	}
	class := r.in.Fleet.Node(row).NodeClass
	if why.Filtered != "" {
		m.NodesFiltered++
		add(&m.ConstraintFiltered, why.Filtered)
		add(&m.ClassFiltered, class)
		return
	}
	if !p.d.failed {
		p.d.failed = true
		r.blocked = append(r.blocked, p.d)
	}
	r.queued[name]++
	m.NodesExhausted++
	add(&m.DimensionExhausted, why.Exhausted)
	add(&m.ClassExhausted, class)
}

func add(counts *map[string]int, key string) {
	if key == "" {
		return
	}
	if *counts == nil {
		*counts = map[string]int{}
	}
	(*counts)[key]++
}
