package alloc

import (
	"github.com/seraihq/serai/api"
)

// Descriptions of an allocation's state.
const (
	describePending  = "No tasks have started"
	describeRunning  = "Tasks are running"
	describeComplete = "All tasks have completed"
	describeFailed   = "Failed tasks"
)

// clientStatus says what the allocation is, from its tasks. It is over only
// when nothing of it runs any more: until then its ports are taken.
func clientStatus(tasks []member) (status, description string) {
	running, failed := false, false
	dead := true
	for _, m := range tasks {
		running = running || m.running()
		failed = failed || m.failed()
		dead = dead && m.dead()
	}
	switch {
	case dead && failed:
		return api.AllocClientFailed, describeFailed
	case dead:
		return api.AllocClientComplete, describeComplete
	case running:
		return api.AllocClientRunning, describeRunning
	}
	return api.AllocClientPending, describePending
}
