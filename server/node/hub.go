package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// hub hands the changes of allocations to the streams of their nodes.
type hub struct {
	store *state.Store

	pace pace

	// mu is held while the changes of a commit are handed out: a message has all of
	// them or none, so that a node is not given what has no room before what leaves.
	mu      sync.RWMutex
	streams map[string]map[*stream]struct{} // by node
}

// removedAfter is how long the news waits that an allocation was forgotten: it
// had ended, and all that is left to do is to remove its files. Mostly it goes
// with something else.
const removedAfter = 5 * time.Second

// stream is what a node's stream has to send.
type stream struct {
	wake chan struct{}

	mu      sync.Mutex
	base    uint64                     // changes up to here are in what was sent in full
	full    bool                       // send everything again
	have    []api.AllocHeld            // what the node has, if it is only told what is different; with full
	changed map[string]*api.Allocation // by ID; nil: gone
	index   uint64
	later   bool // it is woken for what was removed

	spare map[string]*api.Allocation // take's own: an empty one for what changes next
}

func newHub(store *state.Store) *hub {
	return &hub{store: store, pace: pace{start: time.Now()}, streams: map[string]map[*stream]struct{}{}}
}

func (h *hub) open(nodeID string, have []api.AllocHeld) *stream {
	s := &stream{have: have, wake: make(chan struct{}, 1), changed: map[string]*api.Allocation{}, spare: map[string]*api.Allocation{}, full: true}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[nodeID] == nil {
		h.streams[nodeID] = map[*stream]struct{}{}
	}
	h.streams[nodeID][s] = struct{}{}
	return s
}

func (h *hub) close(nodeID string, s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams[nodeID], s)
	if len(h.streams[nodeID]) == 0 {
		delete(h.streams, nodeID)
	}
}

// run follows the change feed until ctx ends.
func (h *hub) run(ctx context.Context) error {
	for {
		err := h.follow(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
	}
}

func (h *hub) follow(ctx context.Context) error {
	_, sub := h.store.Subscribe(4096, state.TableAllocations)
	defer sub.Close()
	h.refresh()
	for {
		c, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		h.commit(&c)
	}
}

// refresh makes every stream send everything again.
func (h *hub) refresh() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, streams := range h.streams {
		for s := range streams {
			s.mu.Lock()
			s.full, s.have = true, nil
			s.mu.Unlock()
			s.signal()
		}
	}
}

func (h *hub) commit(c *state.Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range c.Changes {
		old, _ := c.Changes[i].Old.(*api.Allocation)
		now, _ := c.Changes[i].New.(*api.Allocation)
		if now != nil && old != nil && old.AllocModifyIndex == now.AllocModifyIndex {
			continue // the client's own update
		}
		id, nodeID := idAndNode(old, now)
		for s := range h.streams[nodeID] {
			s.note(c.Index, id, now)
		}
	}
}

func idAndNode(old, now *api.Allocation) (id, nodeID string) {
	if now == nil {
		now = old
	}
	return now.ID, now.NodeID
}

func (s *stream) note(index uint64, id string, a *api.Allocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full || index <= s.base {
		return
	}
	s.changed[id] = a
	s.index = max(s.index, index)
	if a != nil {
		s.signal()
	} else if !s.later {
		s.later = true
		time.AfterFunc(removedAfter, s.signal)
	}
}

// due says whether there is something to send.
func (s *stream) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full || len(s.changed) > 0
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take gives what is to be sent next; nil when there is nothing. The message is
// made after s.mu is free again: whoever hands out changes waits for it with all
// streams behind him.
func (s *stream) take(h *hub, nodeID string) *api.NodeSync {
	h.mu.RLock()
	s.mu.Lock()
	s.later = false
	if s.full {
		s.full = false
		clear(s.changed)
		v, have := h.store.View(), s.have
		s.base, s.have = v.Index(), nil
		s.mu.Unlock()
		h.mu.RUnlock()
		if len(have) > 0 {
			return resumed(v, nodeID, have)
		}
		return whole(v, nodeID)
	}
	changed, index, none := s.changed, s.index, len(s.changed) == 0
	if !none {
		s.changed = s.spare
	}
	s.mu.Unlock()
	h.mu.RUnlock()
	if none {
		return nil // changed is still the stream's
	}
	m := &api.NodeSync{Index: index}
	for id, a := range changed {
		if a == nil {
			m.Removed = append(m.Removed, id)
		} else {
			m.Allocs = append(m.Allocs, a)
		}
	}
	clear(changed)
	s.spare = changed
	return m
}
