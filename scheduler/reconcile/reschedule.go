package reconcile

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// keptEvents is how many moves are remembered where there is no limit to them.
const keptEvents = 5

// window is within which a time that is to come counts as now.
const window = time.Second

// retry is what becomes of an allocation that has failed.
type retry struct {
	at    time.Time // when it may be placed anew; zero: never
	delay time.Duration
	now   bool
}

// retry says when a failed allocation is placed anew. One of a deployment that
// has not shown to be healthy waits for the word of whoever judges it; when the
// deployment has failed that word never comes.
func (s *stage) retry(a *api.Allocation) retry {
	if moves(a) {
		return retry{now: true, at: s.rollout.in.Now}
	}
	if s.member(a) && !a.DeploymentStatus.IsHealthy() && (s.failed || s.active && !isTrue(a.DesiredTransition.Reschedule)) {
		return retry{}
	}
	p := policyOf(a)
	failed := failedAt(a)
	if !allows(p, a.RescheduleTracker, failed) {
		return retry{}
	}
	in := s.rollout.in
	r := retry{delay: delay(p, a.RescheduleTracker, failed)}
	r.at = failed.Add(r.delay)
	r.now = !r.at.After(in.Now.Add(window)) || a.FollowupEvalID != "" && a.FollowupEvalID == in.EvalID
	return r
}

func policyOf(a *api.Allocation) *api.ReschedulePolicy {
	if g := groupOf(a); g != nil {
		return g.ReschedulePolicy
	}
	return nil
}

func groupOf(a *api.Allocation) *api.TaskGroup {
	if a.Job == nil {
		return nil
	}
	return a.Job.LookupTaskGroup(a.TaskGroup)
}

// failedAt is when the last task of an allocation ended.
func failedAt(a *api.Allocation) time.Time {
	var last time.Time
	for _, t := range a.States() {
		if t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt
		}
	}
	if last.IsZero() {
		return time.Unix(0, a.ModifyTime)
	}
	return last
}

// allows says whether a policy allows one more move: there is no limit, or
// fewer moves than the limit in the interval before the failure.
func allows(p *api.ReschedulePolicy, t *api.RescheduleTracker, failed time.Time) bool {
	switch {
	case p == nil:
		return false
	case p.Unlimited:
		return true
	case p.Attempts <= 0 || p.Interval <= 0:
		return false
	}
	n := 0
	for _, e := range events(t) {
		if within(e, failed, p.Interval.Std()) {
			n++
		}
	}
	return n < p.Attempts
}

func events(t *api.RescheduleTracker) []*api.RescheduleEvent {
	if t == nil {
		return nil
	}
	return t.Events
}

func within(e *api.RescheduleEvent, at time.Time, interval time.Duration) bool {
	return at.Sub(time.Unix(0, e.RescheduleTime)) < interval
}

// delay is how long after its failure an allocation is placed anew. It grows
// from move to move, up to max_delay, and starts anew when the allocation has
// run for longer than it.
func delay(p *api.ReschedulePolicy, t *api.RescheduleTracker, failed time.Time) time.Duration {
	first, past := p.Delay.Std(), events(t)
	if len(past) == 0 {
		return first
	}
	last := past[len(past)-1]
	next := first
	switch p.DelayFunction {
	case "exponential":
		next = 2 * last.Delay.Std()
	case "fibonacci":
		next = last.Delay.Std()
		if len(past) > 1 {
			next += past[len(past)-2].Delay.Std()
		}
	default:
		return first
	}
	next = max(next, first)
	if limit := p.MaxDelay.Std(); limit > 0 {
		next = min(next, limit)
	}
	if failed.Sub(time.Unix(0, last.RescheduleTime)) > next {
		return first
	}
	return next
}

// moved gives the history of the allocation that replaces a failed one.
func moved(a *api.Allocation, r retry, now time.Time) *api.RescheduleTracker {
	past, p := events(a.RescheduleTracker), policyOf(a)
	keep := slices.Clone(past[max(0, len(past)-keptEvents+1):])
	if p != nil && !p.Unlimited && p.Interval > 0 {
		keep = slices.DeleteFunc(slices.Clone(past), func(e *api.RescheduleEvent) bool { return !within(e, now, p.Interval.Std()) })
	}
	keep = append(keep, &api.RescheduleEvent{RescheduleTime: now.UnixNano(), PrevAllocID: a.ID, PrevNodeID: a.NodeID, Delay: api.Duration(r.delay)})
	return &api.RescheduleTracker{Events: keep, LastReschedule: "ok"}
}

// failedOn gives the nodes on which an allocation and its predecessors have
// failed.
func failedOn(t *api.RescheduleTracker) []string {
	var nodes []string
	for _, e := range events(t) {
		if !slices.Contains(nodes, e.PrevNodeID) {
			nodes = append(nodes, e.PrevNodeID)
		}
	}
	return nodes
}
