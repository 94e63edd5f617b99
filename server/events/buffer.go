package events

import (
	"context"
	"errors"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// ErrGap ends a stream whose reader was too slow.
var ErrGap = errors.New("event stream: events were missed because the reader is too slow; subscribe again")

// ErrClosed ends a stream when the server stops.
var ErrClosed = errors.New("event stream: the server is stopping")

// Buffer holds the last commits.
type Buffer struct {
	store *state.Store

	mu     sync.Mutex
	ring   []state.Commit
	held   int    // changes of the commits in the ring
	first  uint64 // position of the oldest commit in the ring
	next   uint64 // position of the next commit
	closed bool
	more   chan struct{} // closed when next moves
}

// maxChanges bounds the changes that are held: each keeps an object alive as it
// was before. The newest commit is held whatever its size.
const maxChanges = 16 << 10

// New makes a buffer of a number of commits.
func New(store *state.Store, size int) *Buffer {
	return &Buffer{store: store, ring: make([]state.Commit, max(size, 1)), more: make(chan struct{})}
}

// Run follows the change feed until ctx ends.
func (b *Buffer) Run(ctx context.Context) error {
	defer b.close()
	for {
		err := b.follow(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
		b.gap()
	}
}

func (b *Buffer) follow(ctx context.Context) error {
	_, sub := b.store.Subscribe(len(b.ring), tables...)
	defer sub.Close()
	for {
		c, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		c.View = nil // a view keeps everything alive that was in it
		b.mu.Lock()
		b.add(c)
		b.wake()
		b.mu.Unlock()
	}
}

// add takes a commit in, for which the oldest ones make room.
func (b *Buffer) add(c state.Commit) {
	size := uint64(len(b.ring))
	b.held += len(c.Changes)
	for b.next > b.first && (b.next-b.first >= size || b.held > maxChanges) {
		old := &b.ring[b.first%size]
		b.held -= len(old.Changes)
		*old = state.Commit{}
		b.first++
	}
	b.ring[b.next%size] = c
	b.next++
}

// gap forgets everything: commits were missed.
func (b *Buffer) gap() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.ring)
	b.held = 0
	b.next++ // so that readers at the end notice
	b.first = b.next
	b.wake()
}

func (b *Buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake()
}

func (b *Buffer) wake() {
	close(b.more)
	b.more = make(chan struct{})
}

// Filter says which events a subscriber wants.
type Filter struct {
	Topics    map[string][]string // keys by topic; "*" stands for all, of both
	Namespace string              // "*" for all
}

// Stream is a subscription.
type Stream struct {
	buffer *Buffer
	filter Filter
	at     uint64
	since  uint64 // commits of lower indexes are skipped
}

// Subscribe starts a stream at an index, or at the oldest commit that is still
// known when that is newer.
func (b *Buffer) Subscribe(index uint64, f Filter) *Stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Stream{buffer: b, filter: f, at: b.first, since: index}
}

// Next gives the next events, those of one index. It waits for some.
func (s *Stream) Next(ctx context.Context) (*api.Events, error) {
	for {
		c, more, err := s.commit()
		if err != nil {
			return nil, err
		}
		if more != nil {
			select {
			case <-more:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		if c.Index < s.since {
			continue
		}
		if list := s.events(&c); len(list) > 0 {
			return &api.Events{Index: c.Index, Events: list}, nil
		}
	}
}

// commit takes the next commit; when there is none, it gives what to wait for.
func (s *Stream) commit() (state.Commit, <-chan struct{}, error) {
	b := s.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.at < b.first:
		return state.Commit{}, nil, ErrGap
	case s.at < b.next:
		c := b.ring[s.at%uint64(len(b.ring))]
		s.at++
		return c, nil, nil
	case b.closed:
		return state.Commit{}, nil, ErrClosed
	}
	return state.Commit{}, b.more, nil
}
