package alloc

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// specOf gives what a task's runner must know of the job.
func specOf(j *api.Job, g *api.TaskGroup, t *api.Task, maxKill time.Duration) task.Spec {
	s := task.Spec{
		Name:             t.Name,
		RestartOnSuccess: j.Type == api.JobTypeService || j.Type == api.JobTypeSystem,
		KillSignal:       t.KillSignal,
		KillTimeout:      t.KillTimeout.Std(),
		ShutdownDelay:    t.ShutdownDelay.Std(),
	}
	if t.Lifecycle != nil && t.Lifecycle.Hook != "" {
		s.RestartOnSuccess = t.Lifecycle.Sidecar && t.Lifecycle.Hook != api.HookPoststop
	}
	switch {
	case t.RestartPolicy != nil:
		s.Policy = *t.RestartPolicy
	case g.RestartPolicy != nil:
		s.Policy = *g.RestartPolicy
	}
	if maxKill > 0 && s.KillTimeout > maxKill {
		s.KillTimeout = maxKill
	}
	return s
}
