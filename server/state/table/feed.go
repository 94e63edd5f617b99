package table

import (
	"context"
	"errors"
	"sync"
)

// Op tells what happened to a row.
type Op uint8

// The kinds of change.
const (
	Insert Op = iota + 1
	Update
	Delete
)

// String returns the name of the operation.
func (o Op) String() string {
	switch o {
	case Insert:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	}
	return "unknown"
}

// Change is one change to one row. Old and New hold the table's row type, nil
// when there is none.
type Change struct {
	Table string
	Op    Op
	Index uint64
	Old   any
	New   any

	table anyTable
}

// Commit is everything that one log entry changed, in the order in which it
// did, and a view after it: entries that were applied in one transaction share
// the view after the last.
type Commit struct {
	Index   uint64
	View    *View
	Changes []Change
}

// ErrGap is returned to a subscriber that missed commits, because it was too
// slow for its ring or because the store was restored from a snapshot. It has
// to start again from the current view.
var ErrGap = errors.New("change feed: commits were missed, start again from the current view")

// ErrClosed is returned by a subscription that was closed.
var ErrClosed = errors.New("change feed: subscription closed")

// feed hands commits to subscribers.
type feed struct {
	mu   sync.Mutex // held while a view is published, so that Subscribe sees no half
	subs map[*Subscription]struct{}
}

// Subscription receives every commit after the view it started from.
type Subscription struct {
	store  *Store
	tables map[string]bool // nil means all

	mu     sync.Mutex
	ring   []Commit
	head   int
	count  int
	err    error
	signal chan struct{}
}

// Subscribe starts a subscription whose ring holds up to capacity commits, and
// returns the view from which it continues without a gap. With tables named,
// only changes to those are delivered and commits without any are skipped.
func (s *Store) Subscribe(capacity int, tables ...string) (*View, *Subscription) {
	sub := &Subscription{store: s, ring: make([]Commit, max(capacity, 1)), signal: make(chan struct{}, 1)}
	if len(tables) > 0 {
		sub.tables = map[string]bool{}
		for _, t := range tables {
			sub.tables[t] = true
		}
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.feed.subs == nil {
		s.feed.subs = map[*Subscription]struct{}{}
	}
	s.feed.subs[sub] = struct{}{}
	return s.latest.Load(), sub
}

func (f *feed) publish(s *Store, v *View, changes []Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.latest.Store(v)
	if len(changes) == 0 {
		return
	}
	for sub := range f.subs {
		sub.push(v, sub.wanted(changes))
	}
}

func (f *feed) gap(s *Store, v *View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.latest.Store(v)
	for sub := range f.subs {
		sub.end(ErrGap)
		delete(f.subs, sub)
	}
}

func (s *Subscription) wanted(changes []Change) []Change {
	if s.tables == nil {
		return changes
	}
	n := 0
	for i := range changes {
		if s.tables[changes[i].Table] {
			n++
		}
	}
	if n == 0 || n == len(changes) {
		return changes[:n]
	}
	out := make([]Change, 0, n)
	for i := range changes {
		if s.tables[changes[i].Table] {
			out = append(out, changes[i])
		}
	}
	return out
}

// push adds the changes of a transaction, those of each log entry as a commit.
// All of them appear at once, for the view is that after the last. The caller
// holds the feed's lock.
func (s *Subscription) push(v *View, changes []Change) {
	if len(changes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(changes) > 0 && s.err == nil {
		n := 1
		for n < len(changes) && changes[n].Index == changes[0].Index {
			n++
		}
		s.add(Commit{Index: changes[0].Index, View: v, Changes: changes[:n:n]})
		changes = changes[n:]
	}
	s.notify()
}

// add puts a commit into the ring; the caller holds s.mu.
func (s *Subscription) add(c Commit) {
	if s.count == len(s.ring) {
		s.fail(ErrGap)
		return
	}
	s.ring[(s.head+s.count)%len(s.ring)] = c
	s.count++
}

func (s *Subscription) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(err)
}

// fail drops what is queued: a subscriber that has to start again has no use
// for it. The caller holds s.mu.
func (s *Subscription) fail(err error) {
	if s.err == nil {
		s.err = err
		clear(s.ring)
		s.count = 0
		s.notify()
	}
}

func (s *Subscription) notify() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Next returns the next commit. It waits until there is one, the subscription
// ends (ErrGap, ErrClosed) or ctx does. One goroutine calls it.
func (s *Subscription) Next(ctx context.Context) (Commit, error) {
	for {
		c, ok, err := s.Try()
		if ok || err != nil {
			return c, err
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
			return Commit{}, ctx.Err()
		}
	}
}

// Try returns the next commit if there is one.
func (s *Subscription) Try() (Commit, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return Commit{}, false, s.err
	}
	if s.count == 0 {
		return Commit{}, false, nil
	}
	c := s.ring[s.head]
	s.ring[s.head] = Commit{}
	s.head = (s.head + 1) % len(s.ring)
	s.count--
	return c, true, nil
}

// Ready returns a channel that receives when Try may have something new.
func (s *Subscription) Ready() <-chan struct{} { return s.signal }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.store.feed.mu.Lock()
	delete(s.store.feed.subs, s)
	s.store.feed.mu.Unlock()
	s.end(ErrClosed)
}
