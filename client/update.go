package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
)

// gather is how long an update that is not urgent waits for others.
const gather = 20 * time.Millisecond

// updater sends what has become of allocations to the servers. What is urgent
// goes at once; while one request is on its way, all others wait for the next.
type updater struct {
	client *Client
	wake   chan struct{} // something is pending
	hurry  chan struct{} // something urgent is pending

	mu      sync.Mutex // guards pending
	pending map[string]*api.Allocation
}

func newUpdater(c *Client) *updater {
	return &updater{
		client: c, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		pending: map[string]*api.Allocation{},
	}
}

// report takes an update; of several for one allocation the last counts.
func (u *updater) report(a *api.Allocation, urgent bool) {
	u.mu.Lock()
	u.pending[a.ID] = a
	u.mu.Unlock()
	poke(u.wake)
	if urgent {
		poke(u.hurry)
	}
}

func (u *updater) take() []*api.Allocation {
	u.mu.Lock()
	defer u.mu.Unlock()
	batch := make([]*api.Allocation, 0, len(u.pending))
	for _, a := range u.pending {
		batch = append(batch, a)
	}
	clear(u.pending)
	return batch
}

// putBack keeps updates that were not taken, where nothing newer came.
func (u *updater) putBack(batch []*api.Allocation) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range batch {
		if u.pending[a.ID] == nil {
			u.pending[a.ID] = a
		}
	}
}

// loop sends until ctx ends.
func (u *updater) loop(ctx context.Context) {
	// Before the first sync the servers may not know the node.
	select {
	case <-u.client.hold:
	case <-ctx.Done():
		return
	}
	var retry backoff
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.wake:
		}
		u.settle(ctx)
		batch := u.take()
		if len(batch) == 0 {
			continue
		}
		err := u.send(ctx, batch)
		if err == nil {
			retry.reset()
			continue
		}
		u.putBack(batch)
		wait := retry.wait()
		if ctx.Err() == nil {
			u.client.logger.Warn("the servers do not take updates of allocations", "count", len(batch), "err", err, "again_in", wait)
		}
		if errors.Is(err, api.ErrNotFound) {
			poke(u.client.register)
		}
		if !pause.For(ctx, wait) {
			return
		}
		poke(u.wake)
		poke(u.hurry)
	}
}

// settle waits for more updates unless one is urgent.
func (u *updater) settle(ctx context.Context) {
	t := time.NewTimer(gather)
	defer t.Stop()
	select {
	case <-u.hurry:
	case <-t.C:
	case <-ctx.Done():
	}
}

// send sends a batch. That something has ended is on disk before it is said.
func (u *updater) send(ctx context.Context, batch []*api.Allocation) error {
	c := u.client
	if slices.ContainsFunc(batch, (*api.Allocation).ClientTerminal) {
		if err := c.store.Sync(); err != nil {
			c.logger.Warn("the end of allocations is not on disk yet", "err", err)
		}
	}
	err := c.cfg.Server.UpdateAllocs(ctx, &api.AllocUpdateRequest{
		NodeID: c.id.ID, SecretID: api.Sensitive(c.id.SecretID), Allocs: batch,
	})
	if errors.Is(err, api.ErrDenied) || errors.Is(err, api.ErrInvalid) {
		return u.singly(ctx, batch, err)
	}
	if err != nil {
		return err
	}
	c.contacted(0)
	for _, a := range batch {
		if a.ClientTerminal() {
			c.acknowledge(a.ID)
		}
	}
	return nil
}

// singly finds the update that the servers refuse: it is dropped, the others go.
func (u *updater) singly(ctx context.Context, batch []*api.Allocation, refusal error) error {
	if len(batch) == 1 {
		u.client.logger.Error("the servers refuse the update of an allocation: it is dropped", "alloc_id", batch[0].ID, "err", refusal)
		return nil
	}
	var all error
	for _, a := range batch {
		all = errors.Join(all, u.send(ctx, []*api.Allocation{a}))
	}
	return all
}
