package scheduler

import "github.com/seraihq/serai/api"

// Descriptions of evaluations.
const (
	descBlocked    = "created to place remaining allocations"
	descSuperseded = "superseded by a later evaluation of the job"
)

// finish completes the evaluation and creates those that follow from it.
func (r *run) finish() {
	e := r.plan.Eval
	e.Status, e.StatusDescription = api.EvalComplete, ""
	e.FailedTGAllocs, e.QueuedAllocations = r.failed, r.queued
	e.ModifyTime = r.in.Now.UnixNano()
	if r.plan.DeploymentID != "" {
		e.DeploymentID = r.plan.DeploymentID
	}
	if e.AnnotatePlan {
		r.plan.Annotations = &api.PlanAnnotations{DesiredTGUpdates: r.desired, PreemptedAllocs: r.preempted()}
		e.PlanAnnotations = r.plan.Annotations
		r.tx.Rollback()
		return
	}
	r.replacePreempted()
	r.block()
	r.followUps()
	r.plan.Hold = r.tx.Commit()
}

// block leaves the job with one blocked evaluation when something waits for
// capacity, else with none.
func (r *run) block() {
	e := r.plan.Eval
	var waiting *api.Evaluation
	for x := range r.in.State.EvaluationsByJob(e.Namespace, e.JobID) {
		switch {
		case x.ID == e.ID || x.Status != api.EvalBlocked && !(r.job.Stopped() && delayed(x)):
		case len(r.blocked) > 0 && waiting == nil && !r.woken():
			waiting = x
		default:
			c := *x
			c.Status, c.StatusDescription = api.EvalCancelled, descSuperseded
			c.ModifyTime = e.ModifyTime
			r.plan.Cancelled = append(r.plan.Cancelled, &c)
		}
	}
	if len(r.blocked) == 0 {
		return
	}
	if r.woken() { // and waits on
		e.Status, e.StatusDescription = api.EvalBlocked, descBlocked
		r.wait(e)
		return
	}
	var b api.Evaluation
	if waiting != nil {
		b = *waiting
	} else {
		b = api.Evaluation{ID: r.in.NewID(), CreateTime: e.ModifyTime}
	}
	b.Namespace, b.JobID, b.JobModifyIndex = e.Namespace, e.JobID, r.job.JobModifyIndex
	b.Priority, b.Type, b.TriggeredBy = r.job.Priority, r.job.Type, api.TriggerQueuedAllocs
	b.DeploymentID = r.plan.DeploymentID
	b.Status, b.StatusDescription, b.PreviousEval = api.EvalBlocked, descBlocked, e.ID
	b.FailedTGAllocs, b.QueuedAllocations, b.ModifyTime = r.failed, r.queued, e.ModifyTime
	r.wait(&b)
	e.BlockedEval = b.ID
	r.plan.NewEvals = append(r.plan.NewEvals, &b)
}

// woken says whether the evaluation is a blocked one that was woken.
func (r *run) woken() bool {
	return r.in.Eval.Status == api.EvalBlocked || r.in.Eval.TriggeredBy == api.TriggerQueuedAllocs
}

// wait says for which nodes a blocked evaluation waits: those of a computed
// class that could take one of the waiting groups. Of classes that do not occur
// nothing is said.
func (r *run) wait(e *api.Evaluation) {
	e.ClassEligibility, e.EscapedComputedClass = map[string]bool{}, false
	f := r.in.Fleet
	class := f.ComputedClass()
	for _, d := range r.blocked {
		e.EscapedComputedClass = e.EscapedComputedClass || d.feasible.Escaped
		for name := range class.Tally(d.feasible.Pool) {
			if _, met := e.ClassEligibility[name]; !met {
				e.ClassEligibility[name] = false
			}
		}
		for name := range class.Tally(d.feasible.Rows) {
			e.ClassEligibility[name] = true
		}
	}
}
