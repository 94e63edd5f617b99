package broker

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/server/state"
)

// capacity notes where room appeared: a node that has become usable or larger,
// or an allocation that is over.
func (b *Broker) capacity(commit *state.Commit, c *state.Change) {
	switch c.Table {
	case state.TableNodes:
		now, ok := c.New.(*api.Node)
		if !ok || !now.Ready() {
			return
		}
		if old, ok := c.Old.(*api.Node); ok && old.Ready() && !roomier(old, now) {
			return
		}
		b.free(now.ComputedClass, c.Index)
	case state.TableAllocations:
		old, ok := c.Old.(*api.Allocation)
		if !ok || over(old) {
			return
		}
		now, ok := c.New.(*api.Allocation)
		if ok && !over(now) {
			return
		}
		if n, ok := commit.View.Node(old.NodeID); ok {
			b.free(n.ComputedClass, c.Index)
		}
	}
}

// over says whether an allocation takes no room any more: its client has said
// that nothing of it runs.
func over(a *api.Allocation) bool { return !fit.Counts(a) }

// roomier says whether a node may take what it could not take before. What
// changes with every heartbeat does not count.
func roomier(old, now *api.Node) bool {
	return old.ComputedClass != now.ComputedClass || old.NodeResources != now.NodeResources ||
		old.ReservedResources != now.ReservedResources || len(old.Drivers) != len(now.Drivers) ||
		old.NodeMaxAllocs != now.NodeMaxAllocs || old.NodePool != now.NodePool
}

func (b *Broker) free(class string, index uint64) {
	b.freed[class] = max(b.freed[class], index)
	b.anyFree = max(b.anyFree, index)
}

// worthALook says whether room has appeared, since an evaluation was last
// scheduled, on nodes of a class that it may use or has not met yet.
func (b *Broker) worthALook(x *api.Evaluation) bool {
	if b.given >= x.SnapshotIndex && b.given > 0 {
		return true
	}
	if b.anyFree <= x.SnapshotIndex {
		return false
	}
	if x.EscapedComputedClass || len(b.freed) == 0 {
		return true
	}
	for class, index := range b.freed {
		if index <= x.SnapshotIndex {
			continue
		}
		if eligible, met := x.ClassEligibility[class]; eligible || !met {
			return true
		}
	}
	return false
}

const (
	// restPerEval is how long passes over the blocked evaluations rest for each
	// one that was woken, so that many of them leave the planner time for what is
	// new even while allocations end all the time.
	restPerEval = 200 * time.Microsecond
	maxRest     = 2 * time.Second
)

// unblock makes the blocked evaluations pending that are worth a look. It gives
// the time after which it wants to be called again at the latest.
func (b *Broker) unblock(ctx context.Context) time.Duration {
	if wait := time.Until(b.rest); wait > 0 {
		return wait
	}
	evals := b.collect()
	if len(evals) == 0 {
		return time.Hour
	}
	b.rest = time.Now().Add(min(time.Duration(len(evals))*restPerEval, maxRest))
	err := b.cfg.Unblock(ctx, evals)
	if err == nil {
		return time.Hour
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range evals {
		delete(b.freeing, x.ID)
	}
	if ctx.Err() == nil {
		b.cfg.Logger.Warn("blocked evaluations could not be made pending, it is tried again", "err", err)
	}
	return time.Second
}

func (b *Broker) collect() []*api.Evaluation {
	b.mu.Lock()
	defer b.mu.Unlock()
	var evals []*api.Evaluation
	for id, x := range b.blocked {
		if b.freeing[id] || !b.worthALook(x) {
			continue
		}
		b.freeing[id] = true
		y := *x
		y.Status = api.EvalPending
		y.StatusDescription = ""
		evals = append(evals, &y)
	}
	return evals
}
