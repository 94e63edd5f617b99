package alloc

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/trace"
)

// traceStart tells that a task runs for the first time: from the arrival of its
// allocation to the start of its process.
func (r *Runner) traceStart(name string, st *api.TaskState) {
	if !trace.Wanted() || st.Restarts > 0 {
		return
	}
	end := time.Now()
	if !st.StartedAt.IsZero() {
		end = st.StartedAt
	}
	a := r.Alloc()
	trace.Step(a.EvalID, "start", r.rec.Began, end, trace.Attr{Key: "alloc_id", Value: a.ID}, trace.Attr{Key: "task", Value: name})
}
