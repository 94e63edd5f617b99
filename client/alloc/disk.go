package alloc

import (
	"fmt"

	"github.com/seraihq/serai/api"
)

// DiskLimit is how many bytes the allocation may have on its disk; 0: any.
func (r *Runner) DiskLimit() int64 {
	a := r.alloc.Load()
	if res := a.AllocatedResources; res != nil && res.Shared.DiskMB > 0 {
		return res.Shared.DiskMB << 20
	}
	if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil && g.EphemeralDisk != nil {
		return int64(g.EphemeralDisk.SizeMB) << 20
	}
	return 0
}

// DiskExceeded fails the allocation because it takes more of the disk than it
// may. Its tasks are killed at once: what they write while they end gracefully
// would be taken from others.
func (r *Runner) DiskExceeded(used, limit int64) {
	r.fail(api.TaskDiskExceeded, fmt.Sprintf("The allocation takes %s of its ephemeral disk of %s: raise ephemeral_disk.size, or write less", mib(used), mib(limit)))
}

// DiskTooDeep fails the allocation because its disk cannot be measured.
func (r *Runner) DiskTooDeep() {
	r.fail(api.TaskDiskExceeded, "The allocation has directories that lie too deep for its ephemeral disk to be measured")
}

func (r *Runner) fail(event, text string) {
	r.box.Put(func() {
		if r.wish.now || r.Over() {
			return
		}
		r.logger.Info("the allocation is ended", "event", event, "why", text)
		cause := api.TaskEvent{Type: event, DisplayMessage: text, Message: text, FailsTask: true, Details: map[string]string{"message": text}}
		r.wish = wish{kill: true, noDelay: true, now: true, skipPoststop: true, cause: &cause}
		r.rec.Description = event
		if r.delay != nil {
			r.delay.Stop()
			r.delay = nil
		}
		if !r.ready && r.giveUp != nil {
			r.giveUp()
		}
		r.advance(false)
	})
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
