package scheduler

import (
	"cmp"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// near is within which times share an evaluation.
const near = 5 * time.Second

// wait is an allocation because of which the job is looked at again later.
type wait struct {
	until   time.Time
	trigger string
	stop    int // position of the note in plan.Stops
}

// followUps creates the evaluations that wait for a time, one for those that are
// near each other.
func (r *run) followUps() {
	slices.SortStableFunc(r.waits, func(a, b wait) int {
		return cmp.Or(cmp.Compare(a.trigger, b.trigger), a.until.Compare(b.until))
	})
	var last *api.Evaluation
	for _, w := range r.waits {
		if last == nil || last.TriggeredBy != w.trigger || w.until.Sub(last.WaitUntil) > near {
			e := r.plan.Eval
			last = &api.Evaluation{
				ID: r.in.NewID(), Namespace: e.Namespace, JobID: e.JobID, JobModifyIndex: r.job.JobModifyIndex,
				Priority: r.job.Priority, Type: r.job.Type, TriggeredBy: w.trigger, Status: api.EvalPending,
				WaitUntil: w.until.UTC(), PreviousEval: e.ID, DeploymentID: e.DeploymentID,
				CreateTime: e.ModifyTime, ModifyTime: e.ModifyTime,
			}
			r.plan.NewEvals = append(r.plan.NewEvals, last)
		}
		r.plan.Stops[w.stop].FollowupEval = last.ID
	}
}

// delayed says whether an evaluation waits for the time of an allocation, or of
// the next ones of an update.
func delayed(e *api.Evaluation) bool {
	switch e.TriggeredBy {
	case api.TriggerAllocReschedule, api.TriggerMaxDisconnect, api.TriggerRollingUpdate:
		return e.Status == api.EvalPending
	}
	return false
}

// pending says whether an evaluation of the job is still to come.
func (r *run) pending(id string) bool {
	if r.coming == nil {
		r.coming = map[string]bool{}
		for x := range r.in.State.EvaluationsByJob(r.in.Eval.Namespace, r.in.Eval.JobID) {
			if x.Status == api.EvalPending && x.ID != r.in.Eval.ID {
				r.coming[x.ID] = true
			}
		}
	}
	return r.coming[id]
}
