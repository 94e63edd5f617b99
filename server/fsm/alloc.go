package fsm

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// AllocUpdate is what clients say of their allocations, many at a time, with
// the evaluations that follow from it. The result is an *AllocUpdated.
type AllocUpdate struct {
	Time    int64 // Unix nanoseconds
	Updates []ClientUpdate
	Evals   []*api.Evaluation
}

// ClientUpdate is what a client says of one allocation. Nil fields leave what
// is stored.
type ClientUpdate struct {
	ID                string
	ClientStatus      string
	ClientDescription string
	TaskStates        map[string]*api.TaskState
	DeploymentStatus  *api.AllocDeploymentStatus
	NetworkStatus     *api.AllocNetworkStatus
}

// AllocUpdated tells which allocations of an AllocUpdate the servers do not
// know: their client may forget them.
type AllocUpdated struct {
	Unknown []string
}

func (c *AllocUpdate) apply(tx *state.Tx) (any, error) {
	out := &AllocUpdated{}
	for i := range c.Updates {
		u := &c.Updates[i]
		old, ok := tx.Allocation(u.ID)
		if !ok {
			out.Unknown = append(out.Unknown, u.ID)
			continue
		}
		if revives(old, u.ClientStatus) {
			continue
		}
		a := *old
		a.ClientStatus, a.ClientDescription, a.ModifyTime = u.ClientStatus, u.ClientDescription, c.Time
		if u.TaskStates != nil {
			a.TaskStates = u.TaskStates
		}
		if u.NetworkStatus != nil {
			a.NetworkStatus = u.NetworkStatus
		}
		if u.DeploymentStatus != nil {
			a.DeploymentStatus = mergeHealth(old.DeploymentStatus, u.DeploymentStatus, c.Time, tx.Index())
		}
		tx.UpdateAllocation(&a)
	}
	putEvals(tx, c.Evals)
	return out, nil
}

// revives says whether a client takes back that it has ended an allocation: what
// that had in use may be another's by now. One that was only given up (lost,
// unknown) may well be found to run.
func revives(old *api.Allocation, status string) bool {
	ended := func(s string) bool { return s == api.AllocClientComplete || s == api.AllocClientFailed }
	return ended(old.ClientStatus) && !ended(status)
}

// mergeHealth takes over what a client says of an allocation's health. Who is a
// canary is the servers' own, and so is the time: deadlines are counted from it,
// and a client's clock may be wrong.
func mergeHealth(old, said *api.AllocDeploymentStatus, now int64, index uint64) *api.AllocDeploymentStatus {
	if said.Healthy == nil || old != nil && old.Healthy != nil && *old.Healthy == *said.Healthy {
		return old
	}
	s := *said
	s.Timestamp, s.ModifyIndex, s.Canary = time.Unix(0, now).UTC(), index, old != nil && old.Canary
	return &s
}

// AllocDesiredTransition asks for allocations to be moved or stopped, with the
// evaluations that do it. No result.
type AllocDesiredTransition struct {
	Transitions []AllocTransition
	Time        int64 // Unix nanoseconds
	Evals       []*api.Evaluation
}

// AllocTransition is one allocation of an AllocDesiredTransition.
type AllocTransition struct {
	ID         string
	Transition api.DesiredTransition // nil fields leave what is stored
}

func (c *AllocDesiredTransition) apply(tx *state.Tx) (any, error) {
	for _, t := range c.Transitions {
		old, ok := tx.Allocation(t.ID)
		if !ok {
			if len(c.Transitions) == 1 {
				return nil, api.Errorf(api.ErrNotFound, "alloc not found")
			}
			continue
		}
		a := *old
		merge := func(dst **bool, src *bool) {
			if src != nil {
				*dst = src
			}
		}
		merge(&a.DesiredTransition.Migrate, t.Transition.Migrate)
		merge(&a.DesiredTransition.Reschedule, t.Transition.Reschedule)
		merge(&a.DesiredTransition.ForceReschedule, t.Transition.ForceReschedule)
		merge(&a.DesiredTransition.NoShutdownDelay, t.Transition.NoShutdownDelay)
		merge(&a.DesiredTransition.MigrateDisablePlacement, t.Transition.MigrateDisablePlacement)
		a.ModifyTime = c.Time
		tx.PutAllocation(&a)
	}
	putEvals(tx, c.Evals)
	return nil, nil
}
