package alloc

import (
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// rule is by which an allocation is found healthy.
type rule struct {
	min      time.Duration // without interruption
	deadline time.Duration
}

// ruleFor gives the rule of an allocation: that of its group's update block
// when a deployment placed it, that of its migrate block when it took the place
// of another one, so that a drain can count it. False when nobody asks the
// client: health set by hand, or an allocation that replaces nothing.
func ruleFor(a *api.Allocation, group *api.TaskGroup) (rule, bool) {
	if a.DeploymentID != "" {
		u := group.Update
		if u == nil || u.HealthCheck == "manual" {
			return rule{}, false
		}
		return rule{u.MinHealthyTime.Std(), u.HealthyDeadline.Std()}, true
	}
	if a.PreviousAllocation == "" || a.Job.Type != api.JobTypeService {
		return rule{}, false
	}
	m := group.Migrate
	if m == nil {
		m = api.DefaultMigrate(a.Job.Type)
	}
	return rule{m.MinHealthyTime.Std(), m.HealthyDeadline.Std()}, true
}

// verdict is what became of an allocation's health. It is kept over a restart
// of the agent, and given once: what happens later does not take it back.
type verdict struct {
	Deployment string    // whose question it answers; empty: a drain's
	Since      time.Time // when the question was put; the deadline counts from then
	Healthy    *bool     // nil until it is known
	At         time.Time
}

// health says whether an allocation is healthy: all tasks that should run have
// run without interruption for the rule's time, before its deadline. One whose
// task failed for good is unhealthy at once. A nil verdict means that it is not
// known yet; again is when to ask next. Checks of services are not looked at.
func (r rule) health(tasks []member, since, now time.Time) (healthy *bool, again time.Duration) {
	yes, no := true, false
	steady, up := since, true // steady: when the last task that must run began
	for _, m := range tasks {
		switch {
		case m.failed():
			return &no, 0
		case !m.mustRun():
		case m.running():
			if m.state.Task.StartedAt.After(steady) {
				steady = m.state.Task.StartedAt
			}
		default:
			up = false
		}
	}
	if up && !now.Before(steady.Add(r.min)) {
		return &yes, 0
	}
	deadline := since.Add(r.deadline)
	if !now.Before(deadline) || all(tasks, member.dead) {
		return &no, 0
	}
	again = deadline.Sub(now)
	if up {
		again = min(again, steady.Add(r.min).Sub(now))
	}
	return nil, again
}

// mustRun says whether the task has to run for the allocation to be healthy.
func (m member) mustRun() bool {
	return m.hook() != api.HookPoststop && (m.hook() == "" || m.sidecar() || !m.dead())
}

// unhealthyNotes gives, for each task that kept the allocation from being
// healthy, what its history says of that.
func (r rule) unhealthyNotes(tasks []member) []order {
	var out []order
	for _, m := range tasks {
		text := fmt.Sprintf("Task not running for min_healthy_time of %v by healthy_deadline of %v", r.min, r.deadline)
		switch {
		case m.failed():
			text = "Unhealthy because of failed task"
		case !m.mustRun():
			continue
		}
		out = append(out, order{task: m.task.Name, event: task.Event{Kind: task.Note, Cause: task.Unhealthy(text)}})
	}
	return out
}

// judge looks whether the allocation is healthy, where somebody asks. What the
// servers know already (from here or from an operator) is not judged again.
func (r *Runner) judge(tasks []member) {
	a := r.alloc.Load()
	rule, asked := ruleFor(a, r.group())
	if !asked || r.rec.Ready.IsZero() && !r.wish.failed() || r.wish.kill && !r.wish.failed() {
		return
	}
	v := &r.rec.Health
	if v.Since.IsZero() || v.Deployment != a.DeploymentID {
		*v = verdict{Deployment: a.DeploymentID, Since: time.Now()}
		r.save()
	}
	if v.Healthy != nil || a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil {
		return
	}
	healthy, again := rule.health(tasks, v.Since, time.Now())
	if r.wish.failed() {
		no := false
		healthy, again = &no, 0
	}
	if r.check != nil {
		r.check.Stop()
		r.check = nil
	}
	switch {
	case healthy != nil:
		v.Healthy, v.At = healthy, time.Now()
		r.save()
		if !*healthy {
			for _, o := range rule.unhealthyNotes(tasks) {
				r.tasks[o.task].Send(o.event)
			}
		}
	case again > 0:
		r.check = time.AfterFunc(again, func() { r.box.Put(func() { r.advance(false) }) })
	}
}

// deploymentStatus gives the verdict as it is reported: for as long as the
// servers have none, so that what an operator says later stands.
func (r *Runner) deploymentStatus(a *api.Allocation) *api.AllocDeploymentStatus {
	v, known := &r.rec.Health, a.DeploymentStatus
	if v.Healthy == nil || v.Deployment != a.DeploymentID || known != nil && known.Healthy != nil {
		return nil
	}
	s := &api.AllocDeploymentStatus{Healthy: v.Healthy, Timestamp: v.At}
	if known != nil {
		s.Canary = known.Canary
	}
	return s
}
