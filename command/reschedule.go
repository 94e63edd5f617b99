package command

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// addMoves adds to an allocation's head how often it was placed anew, when it
// will be, what it made room for and what made room for it.
func (s *session) addMoves(ctx context.Context, p *cli.Pairs, a *api.Allocation, verbose bool) {
	if text := rescheduleAttempts(a, time.Now()); text != "" {
		p.Add("Reschedule Attempts", text)
	}
	if a.RescheduleTracker != nil && a.RescheduleTracker.LastReschedule != "" && a.RescheduleTracker.LastReschedule != "ok" {
		p.Add("Reschedule Problem", a.RescheduleTracker.LastReschedule)
	}
	if a.FollowupEvalID != "" && a.NextAllocation == "" {
		if e, err := call(ctx, s, api.EvaluationRead, api.EvaluationReadRequest{ID: a.FollowupEvalID}); err == nil && reschedules(e) {
			p.Add("Reschedule Eligibility", when(e.WaitUntil, verbose))
		}
	}
	if d := a.DeploymentStatus; d != nil {
		p.Add("Deployment Health", deploymentHealth(d))
		if d.Canary {
			p.Add("Canary", "true")
		}
	}
	if a.PreemptedByAllocation != "" {
		p.Add("Preempted By", id(a.PreemptedByAllocation, verbose))
	}
}

func deploymentHealth(d *api.AllocDeploymentStatus) string {
	switch {
	case d.IsHealthy():
		return "healthy"
	case d.IsUnhealthy():
		return "unhealthy"
	}
	return "unset"
}

// rescheduleAttempts words how often an allocation's predecessors were placed
// anew, of how often they may be.
func rescheduleAttempts(a *api.Allocation, now time.Time) string {
	policy := reschedulePolicy(a)
	if policy == nil || !policy.Unlimited && policy.Attempts == 0 {
		return ""
	}
	var events []*api.RescheduleEvent
	if a.RescheduleTracker != nil {
		events = a.RescheduleTracker.Events
	}
	if policy.Unlimited {
		if len(events) == 0 {
			return ""
		}
		return fmt.Sprint(len(events))
	}
	recent := 0
	for _, e := range events {
		if now.Sub(nano(e.RescheduleTime)) <= time.Duration(policy.Interval) {
			recent++
		}
	}
	return fmt.Sprintf("%d/%d in %s", recent, policy.Attempts, span(time.Duration(policy.Interval)))
}

func reschedulePolicy(a *api.Allocation) *api.ReschedulePolicy {
	if a.Job == nil {
		return nil
	}
	if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil {
		return g.ReschedulePolicy
	}
	return nil
}

// showReschedules lists the allocations that an allocation took the place of.
func (s *session) showReschedules(a *api.Allocation, verbose bool) {
	if a.RescheduleTracker == nil || len(a.RescheduleTracker.Events) == 0 {
		return
	}
	s.title("Earlier Attempts")
	t := cli.NewTable("Allocation", "Node ID", "Rescheduled", "Delay")
	for i := len(a.RescheduleTracker.Events) - 1; i >= 0; i-- {
		e := a.RescheduleTracker.Events[i]
		t.Row(id(e.PrevAllocID, verbose), id(e.PrevNodeID, verbose), when(nano(e.RescheduleTime), verbose), time.Duration(e.Delay).String())
	}
	t.Write(s.Stdout, s.Style)
}

// showPreempted lists the allocations that had to make room for one.
func (s *session) showPreempted(ctx context.Context, a *api.Allocation, verbose bool) {
	if len(a.PreemptedAllocations) == 0 {
		return
	}
	s.title("Preempted Allocations")
	t := cli.NewTable("ID", "Job ID", "Task Group")
	for _, victim := range a.PreemptedAllocations {
		job, group := "<gone>", ""
		if v, err := call(ctx, s, api.AllocationRead, api.IDRequest{ID: victim}); err == nil {
			job, group = v.JobID, v.TaskGroup
		}
		t.Row(id(victim, verbose), job, group)
	}
	t.Write(s.Stdout, s.Style)
}

// reschedules says whether an evaluation waits for the time of failed or unknown
// allocations; those that an update has yet to replace wait for another.
func reschedules(e *api.Evaluation) bool {
	return !e.WaitUntil.IsZero() && !e.Terminal() && e.TriggeredBy != api.TriggerRollingUpdate
}

// showFuture lists when failed allocations of a job will be placed anew.
func (s *session) showFuture(evals []*api.Evaluation, allocs []*api.AllocationListStub, verbose bool) {
	at := map[string]time.Time{}
	for _, e := range evals {
		if reschedules(e) {
			at[e.ID] = e.WaitUntil
		}
	}
	t := cli.NewTable("Allocation", "Task Group", "Eval ID", "Eval Time")
	for _, a := range allocs {
		if until, ok := at[a.FollowupEvalID]; ok && a.NextAllocation == "" {
			t.Row(id(a.ID, verbose), a.TaskGroup, id(a.FollowupEvalID, verbose), when(until, verbose))
		}
	}
	if t.Len() > 0 {
		s.title("Future Rescheduling Attempts")
		t.Write(s.Stdout, s.Style)
	}
}
