package table

import (
	"fmt"
	"iter"
)

// Config describes a table.
type Config[K comparable, V comparable] struct {
	// Name identifies the table in changes, snapshots and messages.
	Name string
	// Key returns the primary key of a row.
	Key func(V) K
	// Compare orders keys. The zero K must not be greater than any key in use.
	Compare func(a, b K) int
	// Modified returns the index at which a row was last changed; it feeds
	// Tracker.Index. Nil means the table's index counts for every read.
	Modified func(V) uint64
}

// Table is a typed table of immutable rows. V is a pointer type in practice;
// comparing two V must tell two versions of a row apart.
//
// The read methods take a Reader: a View or a Tx. A reader made by View.Track
// remembers what was read.
type Table[K comparable, V comparable] struct {
	cfg     Config[K, V]
	store   *Store
	pos     int
	indexes []index[K, V]
	watch   tableWatch[K]
}

// row is one entry of the primary tree.
type row[K, V any] struct {
	key K
	val V
}

// data is the content of a table in one view.
type data[K comparable, V comparable] struct {
	rows    tree[row[K, V]]
	indexes []any // *tree of the index at the same position
	index   uint64
	entry   uint64 // the log entry that last wrote here, whatever SetIndex said
}

// Add creates a table in a store that holds no data yet. All tables and
// indexes are added before the first transaction.
func Add[K comparable, V comparable](s *Store, cfg Config[K, V]) *Table[K, V] {
	t := &Table[K, V]{cfg: cfg, store: s, pos: len(s.tables)}
	s.add(t, &data[K, V]{rows: newTree(
		func(a, b row[K, V]) int { return cfg.Compare(a.key, b.key) },
		func(r row[K, V]) row[K, V] { return row[K, V]{key: r.key} },
	)})
	return t
}

// Name returns the table's name.
func (t *Table[K, V]) Name() string { return t.cfg.Name }

func (t *Table[K, V]) in(r Reader) *data[K, V] { return r.data(t.pos).(*data[K, V]) }

// Get returns the row with the key.
func (t *Table[K, V]) Get(r Reader, key K) (V, bool) {
	e, ok := t.in(r).rows.get(row[K, V]{key: key})
	if tr := r.tracker(); tr != nil {
		tr.note(keyRead[K, V]{t, key}, tableRead[K, V]{t}, t.modified(r, e.val, ok))
	}
	return e.val, ok
}

// modified returns the index that a single read reports.
func (t *Table[K, V]) modified(r Reader, v V, hit bool) uint64 {
	if hit && t.cfg.Modified != nil {
		return t.cfg.Modified(v)
	}
	return t.in(r).index
}

// Len returns the number of rows.
func (t *Table[K, V]) Len(r Reader) int {
	t.noteTable(r)
	return t.in(r).rows.len()
}

// Index returns the index of the last transaction that changed the table,
// zero when nothing ever did.
func (t *Table[K, V]) Index(r Reader) uint64 {
	t.noteTable(r)
	return t.in(r).index
}

// Version returns a value that is the same for two readers exactly when they see
// the same content of the table because nothing has written to it in between.
func (t *Table[K, V]) Version(r Reader) any { return t.in(r) }

// All returns every row in key order. A transaction must not change the table
// while it ranges over it: collect first.
func (t *Table[K, V]) All(r Reader) iter.Seq[V] {
	t.noteTable(r)
	return values(t.in(r).rows.all())
}

// Backward returns every row in descending key order.
func (t *Table[K, V]) Backward(r Reader) iter.Seq[V] {
	t.noteTable(r)
	return values(t.in(r).rows.backward())
}

// From returns the rows whose key is not less than key, ascending.
func (t *Table[K, V]) From(r Reader, key K) iter.Seq[V] {
	t.noteTable(r)
	return values(t.in(r).rows.from(row[K, V]{key: key}))
}

// DownFrom returns the rows whose key is not greater than key, descending.
func (t *Table[K, V]) DownFrom(r Reader, key K) iter.Seq[V] {
	t.noteTable(r)
	return values(t.in(r).rows.downFrom(row[K, V]{key: key}))
}

func (t *Table[K, V]) noteTable(r Reader) {
	if tr := r.tracker(); tr != nil {
		tr.note(tableRead[K, V]{t}, tableRead[K, V]{t}, t.in(r).index)
	}
}

func values[K, V any](rows iter.Seq[row[K, V]]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for e := range rows {
			if !yield(e.val) {
				return
			}
		}
	}
}

// Put inserts the row or replaces the one with the same key, and returns the
// row it replaced. It panics when a unique index already holds the row's key
// for another row: that is a broken invariant of the caller.
func (t *Table[K, V]) Put(tx *Tx, v V) (old V, replaced bool) {
	d := t.writable(tx)
	key := t.cfg.Key(v)
	prev, replaced := d.rows.set(row[K, V]{key, v})
	for i, ix := range t.indexes {
		ix.replace(d.indexes[i], key, prev.val, replaced, v, true)
	}
	op := Insert
	if replaced {
		op = Update
	}
	c := Change{Table: t.cfg.Name, Op: op, Index: tx.index, New: v, table: t}
	if replaced {
		c.Old = prev.val
	}
	tx.changes = append(tx.changes, c)
	return prev.val, replaced
}

// Delete removes the row with the key and returns it.
func (t *Table[K, V]) Delete(tx *Tx, key K) (old V, deleted bool) {
	if _, ok := t.in(tx).rows.get(row[K, V]{key: key}); !ok {
		return old, false
	}
	d := t.writable(tx)
	prev, _ := d.rows.delete(row[K, V]{key: key})
	var none V
	for i, ix := range t.indexes {
		ix.replace(d.indexes[i], key, prev.val, true, none, false)
	}
	tx.changes = append(tx.changes, Change{Table: t.cfg.Name, Op: Delete, Index: tx.index, Old: prev.val, table: t})
	return prev.val, true
}

// SetIndex sets the table's index without changing a row: a restored table
// keeps the index that it had.
func (t *Table[K, V]) SetIndex(tx *Tx, index uint64) { t.writable(tx).index = index }

// writable returns the transaction's own copy of the table.
func (t *Table[K, V]) writable(tx *Tx) *data[K, V] {
	if tx.done {
		panic(fmt.Sprintf("table %s: write after the transaction ended", t.cfg.Name))
	}
	d := tx.datas[t.pos].(*data[K, V])
	if tx.dirty[t.pos] {
		if d.entry != tx.index {
			d.entry, d.index = tx.index, tx.index
		}
		return d
	}
	c := &data[K, V]{rows: d.rows.copy(), index: tx.index, entry: tx.index, indexes: make([]any, len(d.indexes))}
	for i, ix := range t.indexes {
		c.indexes[i] = ix.copy(d.indexes[i])
	}
	tx.datas[t.pos], tx.dirty[t.pos] = c, true
	return c
}

// Key returns the primary key of a row.
func (t *Table[K, V]) Key(v V) K { return t.cfg.Key(v) }
