package planner

import (
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/trace"
)

// traceScheduled tells how long an evaluation waited and was scheduled.
func traceScheduled(x *api.Evaluation, start, end time.Time, err error) {
	if !trace.Wanted() {
		return
	}
	trace.Step(x.ID, "queue", time.Unix(0, x.ModifyTime), start)
	outcome := "planned"
	if err != nil {
		outcome = "failed"
	}
	trace.Step(x.ID, "schedule", start, end, trace.Attr{Key: "outcome", Value: outcome})
}

// traceCommitted tells what became of an evaluation's plan in the log; with one
// that was accepted its evaluation is over.
func traceCommitted(b *batch, at int, refused bool, end time.Time) {
	if !trace.Wanted() {
		return
	}
	x, plan := b.evals[at], &b.command.Plans[at]
	trace.Step(x.ID, "commit", b.submitted, end,
		trace.Attr{Key: "batch", Value: strconv.Itoa(len(b.evals))}, trace.Attr{Key: "placements", Value: strconv.Itoa(len(plan.Placements))},
		trace.Attr{Key: "refused", Value: strconv.FormatBool(refused)})
	if refused {
		return
	}
	trace.Evaluation(x.ID, time.Unix(0, x.CreateTime), end,
		trace.Attr{Key: "job_id", Value: x.JobID}, trace.Attr{Key: "namespace", Value: x.Namespace},
		trace.Attr{Key: "type", Value: x.Type}, trace.Attr{Key: "triggered_by", Value: x.TriggeredBy})
}
