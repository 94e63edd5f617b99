package api

import (
	"strconv"
	"time"
)

var healthChecks = []string{"checks", "task_states", "manual"}

func (v *validator) update(at spot, u *UpdateStrategy) {
	if u == nil || *u == (UpdateStrategy{}) { // some clients send an empty block for every type of job
		return
	}
	if !v.isType(JobTypeService, JobTypeSystem) {
		v.addf(at, "works only in service and system jobs, not in a %s job: remove the block", v.job.Type)
		return
	}
	notNegative(v, at.field("MaxParallel", "max_parallel"), u.MaxParallel)
	notNegative(v, at.field("Canary", "canary"), u.Canary)
	notNegative(v, at.field("Stagger", "stagger"), u.Stagger)
	notNegative(v, at.field("ProgressDeadline", "progress_deadline"), u.ProgressDeadline)
	v.oneOf(at.field("HealthCheck", "health_check"), u.HealthCheck, healthChecks...)
	v.healthTimes(at, u.MinHealthyTime, u.HealthyDeadline)
	if u.ProgressDeadline > 0 && u.ProgressDeadline <= u.HealthyDeadline {
		v.addf(at.field("ProgressDeadline", "progress_deadline"), "must be longer than healthy_deadline (%s), or 0, but is %s", u.HealthyDeadline, u.ProgressDeadline)
	}
	if u.AutoPromote && u.Canary == 0 {
		v.addf(at.field("AutoPromote", "auto_promote"), "needs canary to be at least 1")
	}
}

func (v *validator) healthTimes(at spot, least, deadline Duration) {
	notNegative(v, at.field("MinHealthyTime", "min_healthy_time"), least)
	if deadline <= least {
		v.addf(at.field("HealthyDeadline", "healthy_deadline"), "must be longer than min_healthy_time (%s), but is %s", least, deadline)
	}
}

func (v *validator) migrate(at spot, m *MigrateStrategy) {
	if m == nil || *m == (MigrateStrategy{}) {
		return
	}
	if !v.isType(JobTypeService) {
		v.addf(at, "works only in service jobs, not in a %s job: remove the block", v.job.Type)
		return
	}
	notNegative(v, at.field("MaxParallel", "max_parallel"), m.MaxParallel)
	v.oneOf(at.field("HealthCheck", "health_check"), m.HealthCheck, "checks", "task_states")
	v.healthTimes(at, m.MinHealthyTime, m.HealthyDeadline)
}

const (
	minRestartInterval    = Duration(5 * time.Second)
	minRescheduleDelay    = Duration(5 * time.Second)
	minRescheduleInterval = Duration(15 * time.Second)
)

func (v *validator) restart(at spot, r *RestartPolicy) {
	if r == nil {
		return
	}
	v.oneOf(at.field("Mode", "mode"), r.Mode, RestartModeFail, RestartModeDelay)
	ok := notNegative(v, at.field("Attempts", "attempts"), r.Attempts)
	ok = notNegative(v, at.field("Delay", "delay"), r.Delay) && ok
	if r.Attempts == 0 && r.Mode == RestartModeDelay {
		v.addf(at.field("Mode", "mode"), "must be \"fail\" when attempts is 0, else the task would wait forever")
	}
	if r.Interval < minRestartInterval {
		v.addf(at.field("Interval", "interval"), "must be at least %s, not %s", minRestartInterval, r.Interval)
		return
	}
	if ok && r.Delay > 0 && int64(r.Attempts) > int64(r.Interval)/int64(r.Delay) {
		v.addf(at, "cannot fit %d attempts with a delay of %s into an interval of %s: lengthen the interval or have fewer attempts", r.Attempts, r.Delay, r.Interval)
	}
}

func (v *validator) reschedule(at spot, r *ReschedulePolicy) {
	if r == nil || *r == (ReschedulePolicy{}) {
		return
	}
	if v.isType(JobTypeSystem, JobTypeSysbatch) {
		v.addf(at, "has no place in a %s job, whose allocations belong to their node: remove the block", v.job.Type)
		return
	}
	if !notNegative(v, at.field("Attempts", "attempts"), r.Attempts) || !r.Unlimited && r.Attempts == 0 {
		return
	}
	if r.Delay < minRescheduleDelay {
		v.addf(at.field("Delay", "delay"), "must be at least %s, not %s", minRescheduleDelay, r.Delay)
	}
	if v.oneOf(at.field("DelayFunction", "delay_function"), r.DelayFunction, "constant", "exponential", "fibonacci") &&
		r.DelayFunction != "constant" && r.MaxDelay < r.Delay {
		v.addf(at.field("MaxDelay", "max_delay"), "must be at least the delay (%s), but is %s", r.Delay, r.MaxDelay)
	}
	if !r.Unlimited && r.Interval < minRescheduleInterval {
		v.addf(at.field("Interval", "interval"), "must be at least %s when attempts is set, not %s", minRescheduleInterval, r.Interval)
	}
}

func (v *validator) disconnect(at spot, d *DisconnectStrategy) {
	if d == nil {
		return
	}
	notNegative(v, at.field("LostAfter", "lost_after"), d.LostAfter)
	notNegative(v, at.field("StopOnClientAfter", "stop_on_client_after"), d.StopOnClientAfter)
	v.oneOf(at.field("Reconcile", "reconcile"), d.Reconcile, "best_score", "longest_running", "keep_original", "keep_replacement")
	if d.StopOnClientAfter <= 0 {
		return
	}
	if d.LostAfter > 0 {
		v.addf(at, "must have either lost_after or stop_on_client_after, not both")
	}
	if !v.isType(JobTypeService, JobTypeBatch) {
		v.addf(at.field("StopOnClientAfter", "stop_on_client_after"), "works only in service and batch jobs, not in a %s job", v.job.Type)
	}
}

// oldDisconnect refuses old settings that contradict the disconnect block; where
// there was none they have become it.
func (v *validator) oldDisconnect(at spot, g *TaskGroup) {
	d := g.Disconnect
	if d == nil {
		return
	}
	refuse := func(wrong bool, field, name, says string) {
		if wrong {
			v.addf(at.field(field, name), "contradicts disconnect, which has %s: remove %s", says, name)
		}
	}
	refuse(g.MaxClientDisconnect != 0 && g.MaxClientDisconnect != d.LostAfter, "MaxClientDisconnect", "max_client_disconnect", "lost_after = "+strconv.Quote(d.LostAfter.String()))
	refuse(g.StopAfterClientDisconnect != 0 && g.StopAfterClientDisconnect != d.StopOnClientAfter, "StopAfterClientDisconnect", "stop_after_client_disconnect", "stop_on_client_after = "+strconv.Quote(d.StopOnClientAfter.String()))
	refuse(g.PreventRescheduleOnLost && d.Replace, "PreventRescheduleOnLost", "prevent_reschedule_on_lost", "replace = true")
}

func (v *validator) scaling(at spot, s *ScalingPolicy, count int) {
	if s == nil {
		return
	}
	if s.Max == nil {
		v.addf(at.field("Max", "max"), "must be set")
		return
	}
	notNegative(v, at.field("Max", "max"), *s.Max)
	if s.Min == nil || !notNegative(v, at.field("Min", "min"), *s.Min) {
		return
	}
	if *s.Min > *s.Max {
		v.addf(at.field("Min", "min"), "must not be more than max (%d), but is %d", *s.Max, *s.Min)
		return
	}
	if n := int64(count); n < *s.Min || n > *s.Max {
		v.addf(at, "allows %d to %d allocations, but count is %d: change one of them", *s.Min, *s.Max, count)
	}
}
