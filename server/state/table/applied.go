package table

import (
	"context"
	"sync"
	"sync/atomic"
)

// applied lets readers wait for the store to reach an index.
type applied struct {
	waiting atomic.Int64
	mu      sync.Mutex
	next    chan struct{} // closed at the next commit
}

func (a *applied) tick() {
	if a.waiting.Load() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next != nil {
		close(a.next)
		a.next = nil
	}
}

// WaitIndex returns the latest view as soon as it includes the log entry with
// the index.
func (s *Store) WaitIndex(ctx context.Context, index uint64) (*View, error) {
	if v := s.View(); v.index >= index {
		return v, nil
	}
	a := &s.applied
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	for {
		a.mu.Lock()
		if a.next == nil {
			a.next = make(chan struct{})
		}
		ch := a.next
		a.mu.Unlock()
		if v := s.View(); v.index >= index {
			return v, nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
