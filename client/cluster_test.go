package client

import (
	"cmp"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// cluster is a server that remembers what it was told.
type cluster struct {
	mu      sync.Mutex
	node    *api.Node
	allocs  map[string]*api.Allocation // as a server has them
	said    []*api.Allocation          // every update, in order
	index   uint64
	firsts  []*api.NodeSync // first messages of streams, in order
	streams map[chan *api.NodeSync]bool
	changed chan struct{} // closed at each change
	refuse  error         // answers every call
	asked   int           // registrations
	beats   int           // heartbeats
	ttl     time.Duration // how soon the next heartbeat is due; a second when zero
}

func newCluster() *cluster {
	return &cluster{allocs: map[string]*api.Allocation{}, streams: map[chan *api.NodeSync]bool{}, changed: make(chan struct{})}
}

func (c *cluster) bump() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) Register(_ context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.refuse != nil {
		return nil, c.refuse
	}
	c.node = req.Node
	c.bump()
	return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(cmp.Or(c.ttl, time.Second))}, nil
}

func (c *cluster) Heartbeat(context.Context, *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, c.refuse
	}
	if c.node == nil {
		return nil, api.Errorf(api.ErrNotFound, "node not found")
	}
	c.beats++
	return &api.NodeRegisterResponse{HeartbeatTTL: api.Duration(cmp.Or(c.ttl, time.Second))}, nil
}

func (c *cluster) Sync(ctx context.Context, req *api.NodeSyncRequest, receive func(*api.NodeSync) error) error {
	ch := make(chan *api.NodeSync, 100)
	c.mu.Lock()
	if err := c.refuse; err != nil {
		c.mu.Unlock()
		return err
	}
	first := c.first(req.Have)
	c.streams[ch] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.streams, ch)
	}()
	if err := receive(first); err != nil {
		return err
	}
	for {
		select {
		case m, open := <-ch:
			if !open {
				return api.ErrUnavailable
			}
			if err := receive(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// first is the first message to a client that has these.
func (c *cluster) first(have []api.AllocHeld) *api.NodeSync {
	m := &api.NodeSync{Index: c.index, Full: len(have) == 0, Resumed: len(have) > 0}
	held := map[string]api.AllocHeld{}
	for _, h := range have {
		if held[h.ID] = h; c.allocs[h.ID] == nil {
			m.Removed = append(m.Removed, h.ID)
		}
	}
	for _, a := range c.allocs {
		if h := held[a.ID]; h.Index != a.AllocModifyIndex || h.Status != a.ClientStatus {
			m.Allocs = append(m.Allocs, a)
		}
	}
	c.firsts = append(c.firsts, m)
	return m
}

func (c *cluster) UpdateAllocs(_ context.Context, req *api.AllocUpdateRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return c.refuse
	}
	for _, u := range req.Allocs {
		c.said = append(c.said, u)
		if a := c.allocs[u.ID]; a != nil {
			next := *a
			next.ClientStatus, next.ClientDescription, next.TaskStates = u.ClientStatus, u.ClientDescription, u.TaskStates
			next.DeploymentStatus = u.DeploymentStatus
			c.allocs[u.ID] = &next
		}
	}
	c.bump()
	return nil
}

// put places allocations, or changes them, and tells the client.
func (c *cluster) put(allocs ...*api.Allocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	for _, a := range allocs {
		a.AllocModifyIndex = c.index
		c.allocs[a.ID] = a
	}
	for ch := range c.streams {
		ch <- &api.NodeSync{Index: c.index, Allocs: allocs}
	}
}

func (c *cluster) stop(id string) {
	c.mu.Lock()
	next := *c.allocs[id]
	c.mu.Unlock()
	next.DesiredStatus = api.AllocDesiredStop
	c.put(&next)
}

func (c *cluster) remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.allocs, id)
	for ch := range c.streams {
		ch <- &api.NodeSync{Removed: []string{id}}
	}
}

// await waits until the condition holds, looking at every change.
func (c *cluster) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		c.mu.Lock()
		ok, changed := is(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, a := range c.allocs {
				t.Logf("%s: %s %q", a.ID, a.ClientStatus, a.ClientDescription)
				for name, ts := range a.TaskStates {
					for _, e := range ts.Events {
						t.Logf("   %s %s: %s", name, e.Type, e.DisplayMessage)
					}
				}
			}
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (c *cluster) status(t *testing.T, id, want string) *api.Allocation {
	t.Helper()
	c.await(t, "allocation "+want, func() bool { return c.allocs[id].ClientStatus == want })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.allocs[id]
}
