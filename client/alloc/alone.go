package alloc

import (
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// StopAfter is how long the allocation may run without the servers; 0 for ever.
func (r *Runner) StopAfter() time.Duration {
	a := r.alloc.Load()
	if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil && g.Disconnect != nil {
		return g.Disconnect.StopOnClientAfter.Std()
	}
	return 0
}

// StopAlone ends the allocation because the servers have been out of reach for
// so long; false when that was said before.
func (r *Runner) StopAlone(alone time.Duration) bool {
	if !r.alone.CompareAndSwap(false, true) {
		return false
	}
	r.box.Put(func() {
		text := fmt.Sprintf("Stopped by the node: the servers were out of reach for %v, longer than disconnect.stop_on_client_after", alone.Round(time.Second))
		if r.rec.Description == "" {
			r.rec.Description = text
		}
		if r.wish.cause == nil {
			r.wish.cause = task.KillReason(text, false)
		}
		r.kill(false)
	})
	return true
}

// Reconnected tells the tasks, and says again what the allocation is, when the
// servers had lost sight of it: a is as they have it.
func (r *Runner) Reconnected(a *api.Allocation) {
	if old := r.seen.Swap(a.AllocModifyIndex); old != a.AllocModifyIndex && !r.Over() {
		r.noteAll(task.Reconnected())
	}
}
