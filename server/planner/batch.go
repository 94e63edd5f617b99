package planner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/slow"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// batch is a number of evaluations that are committed together.
type batch struct {
	evals   []*api.Evaluation // those with a plan, in the order of the plans
	command *fsm.PlanApply
	holds   []*fleet.Hold
	places  map[string]bool // allocations that are placed
	done    chan outcome

	submitted time.Time // when it was handed to the log
}

// outcome is what the log made of a batch.
type outcome struct {
	applied *fsm.PlanApplied
	err     error
}

// drop gives back the room that the batch holds; only the first call has an
// effect.
func (b *batch) drop(f *fleet.Fleet) {
	for _, h := range b.holds {
		f.Drop(h)
	}
	b.holds, b.places = nil, nil
}

// prepare schedules the evaluations that wait; nil when there are none.
func (p *Planner) prepare() *batch {
	evals := p.Queue.TryNext(maxEvals)
	if len(evals) == 0 {
		return nil
	}
	view := p.Store.View()
	now := p.Now()
	defer measure("plan.evaluate", time.Now())
	b := &batch{command: &fsm.PlanApply{Time: now.UnixNano()}, places: map[string]bool{}}
	for i, x := range evals {
		if len(b.places) >= maxPlacements {
			for _, later := range evals[i:] {
				p.Queue.Done(later)
			}
			break
		}
		p.schedule(b, view, x, now)
	}
	return b
}

// schedule adds the plan of one evaluation to a batch. When it cannot be
// scheduled the plan is that it has failed.
func (p *Planner) schedule(b *batch, view *state.View, x *api.Evaluation, now time.Time) {
	start := time.Now()
	plan, err := p.guarded(view, x, now)
	measure("worker.invoke_scheduler_"+x.Type, start)
	end := time.Now()
	traceScheduled(x, start, end, err)
	if took := end.Sub(start); slow.Evaluation.Over(took) {
		tellSlow(p.Logger, took, x, view, plan)
	}
	entry := fsm.Plan{EvalID: x.ID, Namespace: x.Namespace, JobID: x.JobID}
	job, ok := view.Job(x.Namespace, x.JobID)
	if ok {
		entry.JobModifyIndex, entry.AllAtOnce = job.JobModifyIndex, job.AllAtOnce
	}
	if err != nil {
		p.Logger.Error("evaluation failed", "eval_id", x.ID, "job", x.JobID, "namespace", x.Namespace, "err", err)
		entry.Evals = failed(view, x, err.Error(), now)
	} else {
		fill(&entry, plan, view.Index(), now)
		timed(entry.Metrics, time.Since(start)/time.Duration(max(1, len(plan.Placements))))
		for i := range plan.Placements {
			b.places[plan.Placements[i].ID] = true
		}
		if plan.Hold != nil {
			b.holds = append(b.holds, plan.Hold)
		}
	}
	b.evals = append(b.evals, x)
	b.command.Plans = append(b.command.Plans, entry)
}

// guarded runs the scheduler; a panic becomes the evaluation's error. The
// fleet is then rebuilt, because nobody knows what the plan had taken; until
// then the log's own check keeps nodes from being overcommitted.
func (p *Planner) guarded(view *state.View, x *api.Evaluation, now time.Time) (plan *scheduler.Plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.broken = true
			err = fmt.Errorf("the scheduler panicked: %v", r)
			p.Logger.Error("scheduler panicked", "eval_id", x.ID, "job", x.JobID, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	failpoint.Panic("schedule", x.JobID)
	return scheduler.Schedule(scheduler.Input{
		Eval: x, State: view, Fleet: p.fleet, Now: now, NewID: trigger.NewID, Seed: rand.Uint64(),
	})
}

// fill turns a plan into its form in the log.
func fill(entry *fsm.Plan, plan *scheduler.Plan, snapshot uint64, now time.Time) {
	entry.Oversubscribe = plan.Oversubscribe
	metrics := map[*api.AllocationMetric]int{}
	for _, s := range plan.Stops {
		entry.Stops = append(entry.Stops, fsm.Stop{
			AllocID: s.Alloc.ID, Description: s.Description, ClientStatus: s.ClientStatus,
			FollowupEval: s.FollowupEval, Evict: s.Evict, Keep: s.Keep, PreemptedBy: s.PreemptedBy,
		})
	}
	for _, u := range plan.InPlace {
		entry.Updates = append(entry.Updates, fsm.InPlace{AllocID: u.Alloc.ID, Version: plan.Job.Version, Deployment: u.Deployment})
	}
	entry.Deployment, entry.DeploymentID = plan.Deployment, plan.DeploymentID
	for _, x := range plan.Ended {
		entry.Ended = append(entry.Ended, fsm.DeploymentEnd(x))
	}
	if len(plan.Placements) > 0 {
		entry.Placements = make([]fsm.Placement, 0, len(plan.Placements))
	}
	for i := range plan.Placements {
		x := &plan.Placements[i]
		at := 0
		if x.Metrics != nil {
			if at = metrics[x.Metrics]; at == 0 {
				entry.Metrics = append(entry.Metrics, x.Metrics)
				at = len(entry.Metrics)
				metrics[x.Metrics] = at
			}
		}
		entry.Placements = append(entry.Placements, fsm.Placement{
			ID: x.ID, Version: x.Job.Version, Group: x.Group.Name, Index: x.Index,
			NodeID: x.Node.ID, Ports: x.Ports, Previous: x.Previous, Metric: at,
			Deployment: x.Deployment, Canary: x.Canary, Tasks: x.Grants, Reschedule: x.Reschedule, Preempted: x.Preempted,
		})
	}
	entry.Evals = append(append([]*api.Evaluation{plan.Eval}, plan.NewEvals...), plan.Cancelled...)
	for i, x := range entry.Evals {
		x.ModifyTime = now.UnixNano()
		if i <= len(plan.NewEvals) {
			x.SnapshotIndex = snapshot
		}
	}
}

// timed notes in the metrics how long a placement took.
func timed(metrics []*api.AllocationMetric, each time.Duration) {
	for _, m := range metrics {
		m.AllocationTime = api.Duration(each)
	}
}

// finish sees to what the log made of the batch in flight. The fleet knows of
// its allocations already.
func (p *Planner) finish(ctx context.Context, o outcome) {
	b := p.inFlight
	p.inFlight = nil
	b.drop(p.fleet)
	if o.err != nil {
		if ctx.Err() == nil {
			p.Logger.Warn("plans were not committed, their evaluations are scheduled again", "err", o.err, "evals", len(b.evals))
		}
		p.Queue.RoomReturned()
		p.retry(b.evals)
		return
	}
	var again []*api.Evaluation
	returned := false
	end := time.Now()
	measure("plan.apply", b.submitted)
	for i, x := range b.evals {
		r := &o.applied.Plans[i]
		traceCommitted(b, i, !r.OK(), end)
		if r.OK() {
			delete(p.attempts, x.ID)
			continue
		}
		p.Logger.Debug("plan was refused", "eval_id", x.ID, "job", x.JobID, "superseded", r.Superseded, "refused", len(r.Refused))
		count("plan.node_rejected", len(r.Refused))
		returned = returned || len(r.Refused) > 0 || r.Superseded != ""
		if r.Superseded == "" {
			p.attempts[x.ID]++
		}
		if p.attempts[x.ID] < maxAttempts {
			again = append(again, x)
			continue
		}
		p.giveUp(ctx, x, r)
	}
	if returned {
		p.Queue.RoomReturned()
	}
	p.retry(again)
}

func (p *Planner) retry(evals []*api.Evaluation) {
	for _, x := range evals {
		p.Queue.Done(x)
	}
}

// giveUp fails an evaluation whose plans were refused again and again.
func (p *Planner) giveUp(ctx context.Context, x *api.Evaluation, r *fsm.PlanResult) {
	delete(p.attempts, x.ID)
	reason := "plans were refused"
	if len(r.Refused) > 0 {
		reason = r.Refused[0].Reason
	}
	text := fmt.Sprintf("maximum attempts reached (%d): %s", maxAttempts, reason)
	p.Logger.Warn("evaluation failed", "eval_id", x.ID, "job", x.JobID, "err", text)
	if _, _, err := p.Log.Apply(ctx, &fsm.EvalUpsert{Evals: failed(p.Store.View(), x, text, p.Now())}); err != nil {
		p.retry([]*api.Evaluation{x})
	}
}
