package planner

import (
	"math/rand/v2"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// maxFollowUps is how often in a row an evaluation that failed is tried again,
// each time after a longer while. Then the job waits for its next change.
const maxFollowUps = 6

// failed gives an evaluation as it is stored after it has failed, and the one
// that tries again later.
func failed(v *state.View, x *api.Evaluation, why string, now time.Time) []*api.Evaluation {
	done := *x
	done.Status, done.StatusDescription = api.EvalFailed, why
	done.ModifyTime = now.UnixNano()
	before := followUps(v, x)
	if before >= maxFollowUps {
		done.StatusDescription += "; it is not tried again before the job or a node changes"
		return []*api.Evaluation{&done}
	}
	job := &api.Job{Namespace: x.Namespace, ID: x.JobID, Priority: x.Priority, Type: x.Type, JobModifyIndex: x.JobModifyIndex}
	next := trigger.ForJob(job, api.TriggerFailedFollowUp, now)
	next.PreviousEval = x.ID
	next.WaitUntil = now.Add(time.Minute<<before + rand.N(time.Minute)).UTC()
	next.StatusDescription = "an earlier evaluation failed: " + why
	done.NextEval = next.ID
	return []*api.Evaluation{&done, next}
}

// followUps counts the failed evaluations in a row before this one.
func followUps(v *state.View, x *api.Evaluation) int {
	n := 0
	for x.TriggeredBy == api.TriggerFailedFollowUp && n <= maxFollowUps {
		n++
		previous, ok := v.Evaluation(x.PreviousEval)
		if !ok {
			break
		}
		x = previous
	}
	return n
}
