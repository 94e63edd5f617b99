package state

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// PutAllocation writes an allocation as the servers want it: a new one, or a
// changed copy of a stored one.
func (tx *Tx) PutAllocation(a *api.Allocation) {
	a.AllocModifyIndex = tx.Index()
	tx.putAllocation(a)
}

// UpdateAllocation writes a changed copy of a stored allocation, changed by
// what its client said of it.
func (tx *Tx) UpdateAllocation(a *api.Allocation) { tx.putAllocation(a) }

func (tx *Tx) putAllocation(a *api.Allocation) {
	a.Pack()
	a.CreateIndex, a.ModifyIndex = tx.Index(), tx.Index()
	old, exists := tablesOf(tx.t).allocs.Put(tx.tx, a)
	if exists {
		a.CreateIndex = old.CreateIndex // nobody else sees a before the commit
	}
	tx.follow(old, a)
}

// DeleteAllocation removes an allocation.
func (tx *Tx) DeleteAllocation(id string) bool {
	old, ok := tablesOf(tx.t).allocs.Delete(tx.tx, id)
	if ok {
		tx.follow(old, nil)
	}
	return ok
}

// follow keeps what is derived from allocations in step: node usage, the
// job's counts and its summary, the deployment's numbers. Either may be nil.
func (tx *Tx) follow(old, now *api.Allocation) {
	a := now
	if a == nil {
		a = old
	}
	tx.followUsage(old, now)
	if old == nil || now == nil || old.Terminal() != now.Terminal() {
		c := tx.countsOf(jobID{Namespace: a.Namespace, ID: a.JobID})
		if old != nil {
			c.allocs--
			if !old.Terminal() {
				c.live--
			}
		}
		if now != nil {
			c.allocs++
			if !now.Terminal() {
				c.live++
			}
		}
	}
	tx.countAllocation(old, now)
	tx.followDeployment(old, now)
}

func (tx *Tx) followUsage(old, now *api.Allocation) {
	had, has := old != nil && fit.Counts(old), now != nil && fit.Counts(now)
	if had && has && old.NodeID == now.NodeID && old.AllocatedResources == now.AllocatedResources {
		return
	}
	if had {
		u := fit.Of(old.AllocatedResources)
		tx.usageOf(old.NodeID).Sub(&u)
	}
	if has {
		u := fit.Of(now.AllocatedResources)
		tx.usageOf(now.NodeID).Add(&u)
	}
}
