package alloc

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
)

// countTask counts what has happened to a task between two of its states.
func countTask(was, is api.TaskState) {
	count := func(what string) { telemetry.Count(1, "client", "allocs", what) }
	if was.State == api.TaskStatePending && is.State == api.TaskStateRunning {
		count("start")
	}
	if is.Restarts > was.Restarts {
		count("restart")
	}
	if was.State != api.TaskStateDead && is.State == api.TaskStateDead {
		if is.Failed {
			count("failed")
		} else {
			count("complete")
		}
	}
	for _, e := range newEvents(was.Events, is.Events) {
		if e.Details["oom_killed"] == "true" {
			count("oom_killed")
		}
	}
}

// newEvents gives the events that came after the last one of the earlier state:
// only so many are kept, so their number tells nothing.
func newEvents(was, is []*api.TaskEvent) []*api.TaskEvent {
	if len(was) == 0 {
		return is
	}
	last := was[len(was)-1]
	for i := len(is) - 1; i >= 0; i-- {
		if is[i] == last || is[i].Time == last.Time && is[i].Type == last.Type {
			return is[i+1:]
		}
	}
	return is
}
