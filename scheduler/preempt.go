package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/rank"
)

// descPreempted precedes the ID of the allocation that takes the place.
const descPreempted = "Preempted by alloc ID "

// mayPreempt says whether the job's type may take the room of less important
// allocations.
func mayPreempt(c *api.PreemptionConfig, jobType string) bool {
	switch jobType {
	case api.JobTypeSystem:
		return c.SystemSchedulerEnabled
	case api.JobTypeSysbatch:
		return c.SysBatchSchedulerEnabled
	case api.JobTypeBatch:
		return c.BatchSchedulerEnabled
	}
	return c.ServiceSchedulerEnabled
}

// protectOwn keeps the job from preempting allocations of its own, of versions
// that were less important.
func (r *run) protectOwn() {
	for _, a := range r.allocs {
		if row, ok := r.in.Fleet.Row(a.NodeID); ok && !a.Terminal() && a.Job != nil && a.Job.Priority <= r.job.Priority-rank.PriorityGap {
			r.tx.Protect(row, a)
		}
	}
}

// choose picks a node, with preemption where the job may and must.
func (p *placer) choose() (rank.Pick, bool) {
	pick, ok := p.sel.Pick()
	if !ok && p.r.preempts {
		return p.sel.Preempt()
	}
	return pick, ok
}

// chooseRow picks a given node, with preemption where the job may and must.
func (p *placer) chooseRow(row int32) (rank.Pick, rank.Refusal, bool) {
	pick, why, ok := p.sel.PickRow(row)
	if !ok && p.r.preempts && why.Exhausted != "" {
		if pick, ok = p.sel.PreemptRow(row); ok {
			return pick, rank.Refusal{}, true
		}
	}
	return pick, why, ok
}

// evict stops what was preempted for a placement. The placement waits on its node
// for that, and for what was leaving before.
func (p *placer) evict(x *Placement, pick *rank.Pick) {
	for _, a := range pick.Waits {
		x.Preempted = append(x.Preempted, a.ID)
	}
	for _, a := range pick.Evicted {
		x.Preempted = append(x.Preempted, a.ID)
		p.r.stop(Stop{Alloc: a, Description: descPreempted + x.ID, Evict: true, PreemptedBy: x.ID})
	}
	if d := p.r.desired[x.Group.Name]; d != nil {
		d.Preemptions += uint64(len(pick.Evicted))
	}
	if pick.Meta != nil && p.every == 1 {
		m := *x.Metrics
		m.ScoreMetaData = []*api.NodeScoreMeta{pick.Meta}
		x.Metrics = &m
	}
}

// preempted gives what a dry run would preempt.
func (r *run) preempted() []*api.AllocationListStub {
	var out []*api.AllocationListStub
	for _, s := range r.plan.Stops {
		if s.PreemptedBy != "" {
			out = append(out, s.Alloc.Stub(true, false))
		}
	}
	return out
}

// replacePreempted creates an evaluation of each job that has lost allocations by
// preemption, so that they are placed elsewhere.
func (r *run) replacePreempted() {
	seen := map[api.NamespacedID]bool{}
	for _, s := range r.plan.Stops {
		a := s.Alloc
		key := api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
		if s.PreemptedBy == "" || seen[key] {
			continue
		}
		seen[key] = true
		job, ok := r.in.State.Job(a.Namespace, a.JobID)
		if !ok {
			continue
		}
		r.plan.NewEvals = append(r.plan.NewEvals, &api.Evaluation{
			ID: r.in.NewID(), Namespace: a.Namespace, JobID: a.JobID, JobModifyIndex: job.JobModifyIndex,
			Priority: job.Priority, Type: job.Type, TriggeredBy: api.TriggerPreemption, Status: api.EvalPending,
			CreateTime: r.in.Now.UnixNano(), ModifyTime: r.in.Now.UnixNano(),
		})
	}
}
