package alloc

import (
	"time"

	"github.com/seraihq/serai/api"
)

// health says whether an allocation of a deployment is healthy: all tasks that
// should run have run without interruption for the update block's
// min_healthy_time, before its healthy_deadline. A nil verdict means that it is
// not known yet; again is when to ask next. Checks of services are not looked at.
func health(u *api.UpdateStrategy, tasks []member, since, now time.Time) (verdict *bool, again time.Duration) {
	yes, no := true, false
	if u == nil || u.HealthCheck == "manual" {
		return nil, 0
	}
	deadline := since.Add(u.HealthyDeadline.Std())
	steady := since // when the last task that must run began to
	up := true
	for _, m := range tasks {
		switch {
		case m.failed():
			return &no, 0
		case m.dead() && m.hook() != "" && !m.sidecar(), m.hook() == api.HookPoststop:
		case m.running():
			if m.state.Task.StartedAt.After(steady) {
				steady = m.state.Task.StartedAt
			}
		default:
			up = false
		}
	}
	if up && !now.Before(steady.Add(u.MinHealthyTime.Std())) {
		return &yes, 0
	}
	if !now.Before(deadline) {
		return &no, 0
	}
	again = deadline.Sub(now)
	if up {
		again = min(again, steady.Add(u.MinHealthyTime.Std()).Sub(now))
	}
	return nil, again
}
