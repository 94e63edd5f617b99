package table

import (
	"sync"
	"sync/atomic"
)

// Store is a set of tables that change together, one transaction at a time.
type Store struct {
	tables  []anyTable
	latest  atomic.Pointer[View]
	watch   watches
	feed    feed
	applied applied

	writer sync.Mutex // held from Begin to Commit or Abort
}

// anyTable is a Table of whatever types.
type anyTable interface {
	Name() string
	watched() bool
	wakeRow(old, now any)
}

// Reader is what tables are read through: a *View or a *Tx.
type Reader interface {
	data(pos int) any
	tracker() *Tracker
}

// NewStore returns a store without tables; see Add.
func NewStore() *Store {
	s := &Store{}
	s.latest.Store(&View{store: s})
	return s
}

func (s *Store) add(t anyTable, d any) {
	s.tables = append(s.tables, t)
	v := *s.latest.Load()
	v.datas = append(v.datas, d)
	s.latest.Store(&v)
}

// View returns the latest committed view. It costs one atomic load.
func (s *Store) View() *View { return s.latest.Load() }

// View is the content of every table after some transaction. It never changes.
type View struct {
	store *Store
	index uint64
	datas []any
	track *Tracker
}

// Index returns the index of the last transaction in the view.
func (v *View) Index() uint64 { return v.index }

func (v *View) data(pos int) any  { return v.datas[pos] }
func (v *View) tracker() *Tracker { return v.track }

// Tx is the one open write transaction. It reads its own writes. It belongs to
// the goroutine that began it.
type Tx struct {
	store   *Store
	index   uint64
	base    *View
	datas   []any
	dirty   []bool
	changes []Change
	began   int // how many changes there were when the entry began
	done    bool
}

// Begin opens the write transaction for the log entry with the given index. It
// waits for the one before it to end.
func (s *Store) Begin(index uint64) *Tx {
	s.writer.Lock()
	base := s.latest.Load()
	return &Tx{
		store: s, index: index, base: base,
		datas: append(make([]any, 0, len(base.datas)), base.datas...),
		dirty: make([]bool, len(base.datas)),
	}
}

// Next goes on with the log entry of a higher index in the same transaction.
// Whoever follows the changes gets those of each entry as a commit of its own;
// the view is that after the last of them.
func (tx *Tx) Next(index uint64) { tx.index, tx.began = index, len(tx.changes) }

// Changed says whether the entry has changed anything yet.
func (tx *Tx) Changed() bool { return len(tx.changes) > tx.began }

// Index returns the index of the log entry being applied.
func (tx *Tx) Index() uint64 { return tx.index }

func (tx *Tx) data(pos int) any  { return tx.datas[pos] }
func (tx *Tx) tracker() *Tracker { return nil }

// Changes returns what the transaction has changed so far, in order.
func (tx *Tx) Changes() []Change { return tx.changes }

// Commit publishes the transaction as the latest view, wakes the watches of
// what has changed and hands the changes to the subscribers. It returns the
// new view.
func (tx *Tx) Commit() *View {
	s := tx.store
	v := &View{store: s, index: max(tx.index, tx.base.index), datas: tx.datas}
	tx.done = true
	s.feed.publish(s, v, tx.changes)
	tx.wake()
	s.applied.tick()
	s.writer.Unlock()
	return v
}

// Abort drops everything that the transaction did. It does nothing after
// Commit.
func (tx *Tx) Abort() {
	if tx.done {
		return
	}
	tx.done = true
	tx.store.writer.Unlock()
}

// Swap replaces the content of s by that of other, a store with the same
// tables that nobody else uses: that is how a snapshot that was restored
// and checked on the side takes over. Every watch wakes and every
// subscription ends with ErrGap.
func (s *Store) Swap(other *Store) {
	s.writer.Lock()
	defer s.writer.Unlock()
	o := other.View()
	v := &View{store: s, index: o.index, datas: o.datas}
	s.feed.gap(s, v)
	s.watch.wakeAll()
	s.applied.tick()
}
