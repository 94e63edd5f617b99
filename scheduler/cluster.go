package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// cluster schedules a service or batch job.
func (r *run) cluster() {
	result := reconcile.Cluster(r.compared())
	r.take(result)
	r.gangs(result.Groups, r.place)
}

// place chooses nodes for what a group wants placed: first what is placed in an
// earlier version, then what replaces running allocations, as their room becomes
// free with it.
func (r *run) place(g *reconcile.Group, salt uint64) {
	current := len(g.Destructive) + len(g.Canaries) + g.Fresh
	for _, job := range versions(g.Replace) {
		if job != nil {
			r.replace(g, job, salt)
		} else {
			current++
		}
	}
	if current > 0 {
		r.replace(g, nil, salt)
	}
}

// versions gives the versions that replacements are placed in, in order.
func versions(of []reconcile.Replacement) []*api.Job {
	var out []*api.Job
	seen := map[*api.Job]bool{}
	for _, x := range of {
		if !seen[x.Job] {
			seen[x.Job] = true
			out = append(out, x.Job)
		}
	}
	return out
}

// replace places what a group wants in one version of the job; nil is the
// current one.
func (r *run) replace(g *reconcile.Group, version *api.Job, salt uint64) {
	job, group := r.job, g.Group
	expect := len(g.Destructive) + len(g.Replace) + len(g.Canaries) + g.Fresh
	if version != nil {
		job, group, expect = version, version.LookupTaskGroup(g.Name), len(g.Replace)
	}
	p := r.placer(r.demand(job, group), expect, salt)
	// Where allocations differ in what they demand, each has a placer of its own.
	at := func(index int) *placer {
		if !feasible.PerAlloc(group) {
			return p
		}
		return r.placer(r.demandAt(job, group, index), 1, salt)
	}
	if version == nil {
		for i := range g.Destructive {
			at(g.Destructive[i].Index).instead(g, &g.Destructive[i])
		}
	}
	for i := range g.Replace {
		if g.Replace[i].Job == version {
			at(g.Replace[i].Index).instead(g, &g.Replace[i])
		}
	}
	if version != nil {
		return
	}
	for i, index := range g.Canaries {
		if !p.fresh(want{index: index, canary: true, deployment: g.Member}) {
			p.fail(len(g.Canaries) - i)
			break
		}
	}
	for left := g.Fresh; left > 0; left-- {
		index := g.Names.Next()
		q := at(index)
		if q.fresh(want{index: index, deployment: g.Member}) {
			continue
		}
		if q.d.single { // another may have its volume
			q.fail(1)
			continue
		}
		q.fail(left)
		break
	}
}

// instead places one allocation instead of another.
func (p *placer) instead(g *reconcile.Group, x *reconcile.Replacement) {
	w := want{
		previous: x.Previous, index: x.Index, counted: x.StopAs != "", avoid: x.Avoid, reschedule: x.Reschedule,
		canary: x.Canary, deployment: g.Member && x.Job == nil,
	}
	if p.replace(w) && x.StopAs != "" {
		p.r.stop(Stop{Alloc: x.Previous, Description: x.StopAs})
	}
}
