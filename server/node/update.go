package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// maxUpdates is how many allocations one log entry updates at the most.
const maxUpdates = 4096

// updater merges the updates of all clients.
type updater struct {
	store *state.Store
	log   Log
	wake  chan struct{}

	mu      sync.Mutex
	pending []*pendingUpdate
}

type pendingUpdate struct {
	allocs []*api.Allocation
	done   chan error
	gone   bool // nobody waits for it any more; guarded by updater.mu
}

func newUpdater(store *state.Store, log Log) *updater {
	return &updater{store: store, log: log, wake: make(chan struct{}, 1)}
}

// update waits until the updates are applied.
func (u *updater) update(ctx context.Context, allocs []*api.Allocation) error {
	p := &pendingUpdate{allocs: allocs, done: make(chan error, 1)}
	u.mu.Lock()
	u.pending = append(u.pending, p)
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		// Its client says it again: what waits must not grow by that.
		u.mu.Lock()
		p.gone = true
		u.mu.Unlock()
		return ctx.Err()
	}
}

// run applies updates until ctx ends, one entry at a time.
func (u *updater) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			u.refuse(ctx.Err())
			return ctx.Err()
		case <-u.wake:
		}
		for batch := u.take(); len(batch) > 0; batch = u.take() {
			_, _, err := u.log.Apply(ctx, u.command(batch))
			for _, p := range batch {
				p.done <- err
			}
		}
	}
}

func (u *updater) take() []*pendingUpdate {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pending = slices.DeleteFunc(u.pending, func(p *pendingUpdate) bool { return p.gone })
	n, total := 0, 0
	for n < len(u.pending) && (n == 0 || total+len(u.pending[n].allocs) <= maxUpdates) {
		total += len(u.pending[n].allocs)
		n++
	}
	batch := u.pending[:n:n]
	u.pending = u.pending[n:]
	if len(u.pending) == 0 {
		u.pending = nil
	}
	return batch
}

func (u *updater) refuse(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.pending {
		p.done <- err
	}
	u.pending = nil
}

// command makes the log entry of a batch, with the evaluations that follow.
func (u *updater) command(batch []*pendingUpdate) *fsm.AllocUpdate {
	now := time.Now()
	view := u.store.View()
	c := &fsm.AllocUpdate{Time: now.UnixNano()}
	at := map[string]int{} // last update of an allocation wins
	var causes []trigger.Cause
	for _, p := range batch {
		for _, a := range p.allocs {
			x := fsm.ClientUpdate{
				ID: a.ID, ClientStatus: a.ClientStatus, ClientDescription: a.ClientDescription,
				TaskStates: a.TaskStates, NetworkStatus: a.NetworkStatus, DeploymentStatus: a.DeploymentStatus,
			}
			if i, ok := at[a.ID]; ok {
				c.Updates[i] = x
			} else {
				at[a.ID] = len(c.Updates)
				c.Updates = append(c.Updates, x)
			}
			if old, ok := view.Allocation(a.ID); ok {
				if by := wantsEval(old, a.ClientStatus); by != "" {
					causes = append(causes, trigger.Cause{Alloc: old, By: by})
				}
			}
		}
	}
	c.Evals = trigger.ForAllocs(view, causes, now)
	return c
}

// wantsEval says why the scheduler has to look at the job because an allocation
// has taken on a status: it failed, it ended where it should run on, or nothing
// had been heard of it for a while. Empty: it need not. What becomes healthy is
// the business of its deployment (package deploy).
func wantsEval(old *api.Allocation, status string) string {
	if old.ClientTerminal() || old.DesiredStatus != api.AllocDesiredRun {
		return ""
	}
	switch status {
	case api.AllocClientFailed, api.AllocClientLost:
		return api.TriggerRetryFailedAlloc
	case api.AllocClientComplete:
		if old.Job != nil && (old.Job.Type == api.JobTypeService || old.Job.Type == api.JobTypeSystem) {
			return api.TriggerRetryFailedAlloc
		}
	}
	if old.ClientStatus == api.AllocClientUnknown && status != api.AllocClientUnknown {
		return api.TriggerReconnect
	}
	return ""
}
