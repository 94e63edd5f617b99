package fsm

import (
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
		a := *old
		a.ClientStatus, a.ClientDescription, a.ModifyTime = u.ClientStatus, u.ClientDescription, c.Time
		if u.TaskStates != nil {
			a.TaskStates = u.TaskStates
		}
		if u.NetworkStatus != nil {
			a.NetworkStatus = u.NetworkStatus
		}
		if u.DeploymentStatus != nil {
			d := *u.DeploymentStatus
			d.ModifyIndex = tx.Index()
			if old.DeploymentStatus != nil {
				d.Canary = old.DeploymentStatus.Canary // the servers' own
			}
			a.DeploymentStatus = &d
		}
		tx.UpdateAllocation(&a)
	}
	putEvals(tx, c.Evals)
	return out, nil
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
