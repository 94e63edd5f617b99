package table

import (
	"iter"

	"github.com/tidwall/btree"
)

// tree is an ordered set of items with O(1) copies that share their nodes.
//
// Copying rewrites an ownership number in the header of the tree that is
// copied. Only mutating calls look at that number, and only the single writer
// makes those, so a published tree may be copied while others read it.
type tree[T any] struct {
	t *btree.BTreeG[T]
}

// degree is small, because every commit copies the nodes on the way to what it
// changes: at the library's 32, a job that was registered left 72 KB of garbage,
// at 8 it leaves 37.
const degree = 8

func newTree[T any](less func(a, b T) bool) tree[T] {
	return tree[T]{btree.NewBTreeGOptions(less, btree.Options{NoLocks: true, Degree: degree})}
}

func (t tree[T]) copy() tree[T]            { return tree[T]{t.t.IsoCopy()} }
func (t tree[T]) len() int                 { return t.t.Len() }
func (t tree[T]) get(key T) (T, bool)      { return t.t.Get(key) }
func (t tree[T]) set(item T) (T, bool)     { return t.t.Set(item) }
func (t tree[T]) delete(key T) (T, bool)   { return t.t.Delete(key) }
func (t tree[T]) all() iter.Seq[T]         { return t.t.Scan }
func (t tree[T]) backward() iter.Seq[T]    { return t.t.Reverse }
func (t tree[T]) from(pivot T) iter.Seq[T] { return func(y func(T) bool) { t.t.Ascend(pivot, y) } }
func (t tree[T]) downFrom(pivot T) iter.Seq[T] {
	return func(y func(T) bool) { t.t.Descend(pivot, y) }
}
