package table

import (
	"fmt"
	"iter"
)

// Index finds the rows of a table by a secondary key S. A row may have none,
// one or several secondary keys.
//
// An entry holds the secondary and the primary key, not the row, so an update
// that leaves a row's secondary keys alone costs the index nothing.
type Index[S comparable, K comparable, V comparable] struct {
	name   string
	table  *Table[K, V]
	pos    int
	unique bool
	keys   func(V, []S) []S
	cmp    func(a, b S) int
	before []S // scratch of the single writer
	after  []S
	watch  keyWatch[S]
}

type entry[S, K any] struct {
	sec S
	key K
}

// index is what a table does with its indexes, whatever their key type.
type index[K comparable, V comparable] interface {
	replace(d any, key K, old V, hadOld bool, now V, hasNow bool)
	copy(d any) any
	wake(old V, hadOld bool, now V, hasNow bool)
}

// AddIndex adds a secondary index to a table that holds no rows yet. keys
// appends the secondary keys of a row to dst and returns it; compare orders
// them.
func AddIndex[S comparable, K comparable, V comparable](t *Table[K, V], name string, compare func(a, b S) int, keys func(v V, dst []S) []S) *Index[S, K, V] {
	ix := &Index[S, K, V]{name: name, table: t, pos: len(t.indexes), keys: keys, cmp: compare}
	t.indexes = append(t.indexes, ix)
	tr := newTree(func(a, b entry[S, K]) int {
		if c := compare(a.sec, b.sec); c != 0 {
			return c
		}
		return t.cfg.Compare(a.key, b.key)
	}, func(e entry[S, K]) entry[S, K] { return e })
	d := t.in(t.store.View())
	d.indexes = append(d.indexes, &tr)
	return ix
}

// AddUnique adds an index in which a secondary key belongs to one row at most.
// Put panics on a second one; look before with Lookup.
func AddUnique[S comparable, K comparable, V comparable](t *Table[K, V], name string, compare func(a, b S) int, keys func(v V, dst []S) []S) *Index[S, K, V] {
	ix := AddIndex(t, name, compare, keys)
	ix.unique = true
	return ix
}

// Range returns the rows with the secondary key, ordered by primary key.
func (ix *Index[S, K, V]) Range(r Reader, sec S) iter.Seq[V] {
	d := ix.table.in(r)
	if tr := r.tracker(); tr != nil {
		tr.note(indexRead[S, K, V]{ix, sec}, tableRead[K, V]{ix.table}, d.index)
	}
	return ix.rows(d, sec)
}

func (ix *Index[S, K, V]) rows(d *data[K, V], sec S) iter.Seq[V] {
	return func(yield func(V) bool) {
		for e := range ix.tree(d).from(entry[S, K]{sec: sec}) {
			if e.sec != sec {
				return
			}
			got, ok := d.rows.get(row[K, V]{key: e.key})
			if !ok {
				panic(fmt.Sprintf("table %s: index %s names a missing row %v", ix.table.cfg.Name, ix.name, e.key))
			}
			if !yield(got.val) {
				return
			}
		}
	}
}

// From returns the rows whose secondary key is not less than sec, ordered by
// secondary then primary key. It counts as a read of the whole table.
func (ix *Index[S, K, V]) From(r Reader, sec S) iter.Seq2[S, V] {
	ix.table.noteTable(r)
	d := ix.table.in(r)
	return func(yield func(S, V) bool) {
		for e := range ix.tree(d).from(entry[S, K]{sec: sec}) {
			got, _ := d.rows.get(row[K, V]{key: e.key})
			if !yield(e.sec, got.val) {
				return
			}
		}
	}
}

// Lookup returns the first row with the secondary key; the only one when the
// index is unique.
func (ix *Index[S, K, V]) Lookup(r Reader, sec S) (V, bool) {
	for v := range ix.Range(r, sec) {
		return v, true
	}
	var none V
	return none, false
}

// Has reports whether any row has the secondary key.
func (ix *Index[S, K, V]) Has(r Reader, sec S) bool {
	_, ok := ix.Lookup(r, sec)
	return ok
}

func (ix *Index[S, K, V]) tree(d *data[K, V]) *tree[entry[S, K]] {
	return d.indexes[ix.pos].(*tree[entry[S, K]])
}

func (ix *Index[S, K, V]) copy(d any) any {
	c := d.(*tree[entry[S, K]]).copy()
	return &c
}

func (ix *Index[S, K, V]) replace(d any, key K, old V, hadOld bool, now V, hasNow bool) {
	ix.before, ix.after = ix.before[:0], ix.after[:0]
	if hadOld {
		ix.before = ix.keys(old, ix.before)
	}
	if hasNow {
		ix.after = ix.keys(now, ix.after)
	}
	tr := d.(*tree[entry[S, K]])
	for _, s := range ix.before {
		if !contains(ix.after, s) {
			tr.delete(entry[S, K]{s, key})
		}
	}
	for _, s := range ix.after {
		if contains(ix.before, s) {
			continue
		}
		if ix.unique {
			ix.refuseSecond(tr, s, key)
		}
		tr.set(entry[S, K]{s, key})
	}
}

// Duplicate is what Put panics with for a row that has another one's key in a
// unique index: whoever writes must have looked. Rows that come from outside are
// put by those who recover it.
type Duplicate string

// Error says which rows.
func (d Duplicate) Error() string { return string(d) }

func (ix *Index[S, K, V]) refuseSecond(tr *tree[entry[S, K]], sec S, key K) {
	for e := range tr.from(entry[S, K]{sec: sec}) {
		if e.sec == sec && e.key != key {
			panic(Duplicate(fmt.Sprintf("table %s: unique index %s: %v belongs to %v, refused for %v", ix.table.cfg.Name, ix.name, sec, e.key, key)))
		}
		return
	}
}

func contains[S comparable](list []S, s S) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
