package table

import (
	"context"
	"sync"
)

// maxReads is how many single reads a tracker keeps apart. Beyond it a further
// read counts as a read of its whole table: waking too often is correct, and
// waking too rarely never is.
const maxReads = 256

// Tracker remembers what was read through a view, which is what a blocking
// query needs: the index to report and something to wait for.
type Tracker struct {
	view  *View
	mu    sync.Mutex
	reads map[read]struct{}
	index uint64
}

// Track returns a view of the same content that records what is read through
// it, and the tracker that holds the record.
func (v *View) Track() (*View, *Tracker) {
	t := &Tracker{view: v, reads: map[read]struct{}{}}
	tv := *v
	tv.track = t
	return &tv, t
}

func (t *Tracker) note(r read, whole read, index uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index = max(t.index, index)
	if len(t.reads) >= maxReads {
		r = whole
	}
	t.reads[r] = struct{}{}
}

// Index returns the highest index among what was read: the modify index of a
// row that was found by its key, the table's index for every other read. It is
// at least 1, because a client treats 0 as "do not wait".
func (t *Tracker) Index() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.index, 1)
}

// Reads returns how many different things were read.
func (t *Tracker) Reads() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.reads)
}

// Changed reports whether anything that was read differs in the latest view.
func (t *Tracker) Changed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed()
}

func (t *Tracker) changed() bool {
	now := t.view.store.View()
	if now == t.view {
		return false
	}
	for r := range t.reads {
		if r.changed(t.view, now) {
			return true
		}
	}
	return false
}

// Wait returns nil as soon as something that was read differs in the latest
// view, at once when it already does. When nothing was read it waits for ctx.
func (t *Tracker) Wait(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		w := t.register()
		if t.changed() {
			t.unregister(w)
			return nil
		}
		var err error
		select {
		case <-w.ch:
		case <-ctx.Done():
			err = ctx.Err()
		}
		t.unregister(w)
		if err != nil {
			return err
		}
		if t.changed() {
			return nil
		}
	}
}

func (t *Tracker) register() *waiter {
	w := &waiter{ch: make(chan struct{})}
	reg := &t.view.store.watch
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if reg.all == nil {
		reg.all = map[*waiter]struct{}{}
	}
	reg.all[w] = struct{}{}
	for r := range t.reads {
		r.add(w)
	}
	return w
}

func (t *Tracker) unregister(w *waiter) {
	reg := &t.view.store.watch
	reg.mu.Lock()
	defer reg.mu.Unlock()
	delete(reg.all, w)
	for r := range t.reads {
		r.remove(w)
	}
}
