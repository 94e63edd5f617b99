package table

import (
	"sync"
	"sync/atomic"
)

// waiter is one blocked Tracker.Wait.
type waiter struct {
	ch    chan struct{}
	woken bool // guarded by watches.mu
}

// watches is the registry of everything that somebody waits for. Tables that
// nobody watches cost a commit one atomic load per changed row.
type watches struct {
	mu  sync.Mutex
	all map[*waiter]struct{}
}

func (w *watches) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for x := range w.all {
		x.wake()
	}
}

// wake releases the waiter. The caller holds watches.mu.
func (w *waiter) wake() {
	if !w.woken {
		w.woken = true
		close(w.ch)
	}
}

// waiters is the set that waits for one thing. watches.mu guards it.
type waiters map[*waiter]struct{}

func (ws waiters) wake() {
	for w := range ws {
		w.wake()
	}
}

// keyWatch is the registry of one key space. watches.mu guards the map.
type keyWatch[K comparable] struct {
	keys map[K]waiters
}

func (kw *keyWatch[K]) add(key K, w *waiter) {
	if kw.keys == nil {
		kw.keys = map[K]waiters{}
	}
	ws := kw.keys[key]
	if ws == nil {
		ws = waiters{}
		kw.keys[key] = ws
	}
	ws[w] = struct{}{}
}

func (kw *keyWatch[K]) remove(key K, w *waiter) {
	ws := kw.keys[key]
	delete(ws, w)
	if len(ws) == 0 {
		delete(kw.keys, key)
	}
}

// tableWatch holds the watches of one table.
type tableWatch[K comparable] struct {
	active atomic.Int64 // number of registrations on the table, its keys and its indexes
	whole  waiters
	rows   keyWatch[K]
}

// wake releases those who wait for something that the transaction changed. The
// new view is published already: a waiter that registers from here on sees it.
func (tx *Tx) wake() {
	locked := false
	for i := range tx.changes {
		c := &tx.changes[i]
		if !c.table.watched() {
			continue
		}
		if !locked {
			tx.store.watch.mu.Lock()
			locked = true
		}
		c.table.wakeRow(c.Old, c.New)
	}
	if locked {
		tx.store.watch.mu.Unlock()
	}
}

func (t *Table[K, V]) watched() bool { return t.watch.active.Load() > 0 }

func (t *Table[K, V]) wakeRow(old, now any) {
	o, hadOld := old.(V)
	n, hasNow := now.(V)
	key := t.cfg.Key
	t.watch.whole.wake()
	if hasNow {
		t.watch.rows.keys[key(n)].wake()
	} else {
		t.watch.rows.keys[key(o)].wake()
	}
	for _, ix := range t.indexes {
		ix.wake(o, hadOld, n, hasNow)
	}
}

func (ix *Index[S, K, V]) wake(old V, hadOld bool, now V, hasNow bool) {
	if len(ix.watch.keys) == 0 {
		return
	}
	ix.before = ix.before[:0]
	if hadOld {
		ix.before = ix.keys(old, ix.before)
	}
	if hasNow {
		ix.before = ix.keys(now, ix.before)
	}
	for _, s := range ix.before {
		ix.watch.keys[s].wake()
	}
}

// read is something that a tracked reader looked at. Its dynamic type is
// comparable, so that a set of reads has each once.
type read interface {
	// changed reports whether the read would answer differently on now.
	changed(then, now *View) bool
	// add and remove register a waiter; the caller holds watches.mu.
	add(w *waiter)
	remove(w *waiter)
}

// keyRead is a Get.
type keyRead[K comparable, V comparable] struct {
	table *Table[K, V]
	key   K
}

func (r keyRead[K, V]) changed(then, now *View) bool {
	was, had := r.table.in(then).rows.get(row[K, V]{key: r.key})
	is, has := r.table.in(now).rows.get(row[K, V]{key: r.key})
	return had != has || was.val != is.val
}

func (r keyRead[K, V]) add(w *waiter) {
	r.table.watch.active.Add(1)
	r.table.watch.rows.add(r.key, w)
}

func (r keyRead[K, V]) remove(w *waiter) {
	r.table.watch.active.Add(-1)
	r.table.watch.rows.remove(r.key, w)
}

// tableRead is a read that any change to the table may alter.
type tableRead[K comparable, V comparable] struct{ table *Table[K, V] }

func (r tableRead[K, V]) changed(then, now *View) bool {
	return r.table.in(then) != r.table.in(now)
}

func (r tableRead[K, V]) add(w *waiter) {
	r.table.watch.active.Add(1)
	if r.table.watch.whole == nil {
		r.table.watch.whole = waiters{}
	}
	r.table.watch.whole[w] = struct{}{}
}

func (r tableRead[K, V]) remove(w *waiter) {
	r.table.watch.active.Add(-1)
	delete(r.table.watch.whole, w)
}

// indexRead is a Range.
type indexRead[S comparable, K comparable, V comparable] struct {
	index *Index[S, K, V]
	sec   S
}

func (r indexRead[S, K, V]) changed(then, now *View) bool {
	a, b := r.index.table.in(then), r.index.table.in(now)
	if a == b {
		return false
	}
	var was []V
	for v := range r.index.rows(a, r.sec) {
		was = append(was, v)
	}
	n := 0
	for v := range r.index.rows(b, r.sec) {
		if n >= len(was) || was[n] != v {
			return true
		}
		n++
	}
	return n != len(was)
}

func (r indexRead[S, K, V]) add(w *waiter) {
	r.index.table.watch.active.Add(1)
	r.index.watch.add(r.sec, w)
}

func (r indexRead[S, K, V]) remove(w *waiter) {
	r.index.table.watch.active.Add(-1)
	r.index.watch.remove(r.sec, w)
}
