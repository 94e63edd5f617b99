package table

import (
	"iter"
	"slices"
	"sync/atomic"
)

// How many items a leaf and how many children a branch has at most. Every commit
// copies the nodes on the way to what it changes, which a large branch makes
// dearer; a leaf has to be large enough that its header does not count.
const (
	maxItems = 32
	maxKids  = 16
)

// tree is an ordered set of items with O(1) copies that share their nodes. A
// tree that was copied is never written to again.
//
// It is a B+ tree: items are in the leaves only, whose arrays are no longer than
// needed. What is put in order fills them.
type tree[T any] struct {
	root  *node[T]
	count int
	owner uint64 // nodes of other owners are shared, and copied before a change
	order *order[T]
}

// order says how the items of a tree are sorted.
type order[T any] struct {
	compare func(a, b T) int
	bound   func(T) T // what of an item is needed to compare it: nodes keep no more
}

// node is a leaf with items in order, or a branch: then item i is a bound that
// is greater than what is in child i, and not greater than what is in child i+1.
type node[T any] struct {
	owner uint64
	items []T
	kids  []*node[T]
}

var owners atomic.Uint64

func newTree[T any](compare func(a, b T) int, bound func(T) T) tree[T] {
	return tree[T]{owner: owners.Add(1), order: &order[T]{compare, bound}}
}

func (t *tree[T]) copy() tree[T] {
	c := *t
	c.owner = owners.Add(1)
	return c
}

func (t *tree[T]) len() int { return t.count }

func (t *tree[T]) get(key T) (item T, ok bool) {
	n := t.root
	if n == nil {
		return item, false
	}
	for n.kids != nil {
		n = n.kids[t.order.child(n, key)]
	}
	if i, found := t.order.search(n.items, key); found {
		return n.items[i], true
	}
	return item, false
}

// search gives the position of a key among sorted items, or where it belongs.
func (o *order[T]) search(items []T, key T) (at int, found bool) {
	low, high := 0, len(items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := o.compare(items[mid], key); {
		case c == 0:
			return mid, true
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return low, false
}

// child gives the position of the child that has a key, if any has.
func (o *order[T]) child(n *node[T], key T) int {
	i, found := o.search(n.items, key)
	if found {
		i++
	}
	return i
}

// set puts an item in, and gives the one that it replaces.
func (t *tree[T]) set(item T) (old T, replaced bool) {
	if t.root == nil {
		t.root = &node[T]{owner: t.owner}
	}
	old, replaced, next := t.put(&t.root, item)
	if next != nil {
		t.root = &node[T]{owner: t.owner, items: []T{t.least(next)}, kids: []*node[T]{t.root, next}}
	}
	if !replaced {
		t.count++
	}
	return old, replaced
}

// least gives a bound for what is in a node.
func (t *tree[T]) least(n *node[T]) T {
	for n.kids != nil {
		n = n.kids[0]
	}
	return t.order.bound(n.items[0])
}

// put puts an item into a node. It gives a node that is to follow that one when
// there was no room.
func (t *tree[T]) put(at **node[T], item T) (old T, replaced bool, next *node[T]) {
	n := *at
	if n.kids == nil {
		i, found := t.order.search(n.items, item)
		if found {
			n = t.own(at)
			old, n.items[i] = n.items[i], item
			return old, true, nil
		}
		return old, false, t.insert(at, i, item)
	}
	n = t.own(at)
	i := t.order.child(n, item)
	old, replaced, more := t.put(&n.kids[i], item)
	if more != nil {
		next = t.adopt(n, i+1, more)
	}
	return old, replaced, next
}

// own makes a node the tree's own.
func (t *tree[T]) own(at **node[T]) *node[T] {
	n := *at
	if n.owner != t.owner {
		n = &node[T]{owner: t.owner, items: slices.Clone(n.items), kids: slices.Clone(n.kids)}
		*at = n
	}
	return n
}

// insert puts an item at a position of a leaf. A full one is split in the middle,
// unless the item is the first or the last: those come in order.
func (t *tree[T]) insert(at **node[T], i int, item T) (next *node[T]) {
	n := *at
	switch {
	case len(n.items) < maxItems:
		t.place(at, i, item)
		return nil
	case i == len(n.items):
		return &node[T]{owner: t.owner, items: []T{item}}
	case i == 0:
		*at = &node[T]{owner: t.owner, items: []T{item}}
		return n
	}
	const half = maxItems / 2
	left := &node[T]{owner: t.owner, items: slices.Clone(n.items[:half])}
	right := &node[T]{owner: t.owner, items: slices.Clone(n.items[half:])}
	*at = left
	if i <= half {
		t.place(at, i, item)
	} else {
		t.place(&right, i-half, item)
	}
	return right
}

// place puts an item into a leaf that has room for it. One that was shared gets
// no longer than it must be: most leaves get a single item in a transaction.
func (t *tree[T]) place(at **node[T], i int, item T) {
	n := *at
	if n.owner == t.owner && len(n.items) < cap(n.items) {
		n.items = slices.Insert(n.items, i, item)
		return
	}
	room := len(n.items) + 1
	if n.owner == t.owner {
		room = min(maxItems, room+len(n.items)/4)
	}
	items := slices.Grow([]T(nil), room)[:len(n.items)+1]
	copy(items, n.items[:i])
	items[i] = item
	copy(items[i+1:], n.items[i:])
	if n.owner == t.owner {
		n.items = items
	} else {
		*at = &node[T]{owner: t.owner, items: items}
	}
}

// adopt makes a node the child at a position of a branch that is the tree's own.
// It gives a branch that is to follow when there was no room.
func (t *tree[T]) adopt(n *node[T], i int, kid *node[T]) (next *node[T]) {
	n.items = slices.Insert(n.items, i-1, t.least(kid))
	n.kids = slices.Insert(n.kids, i, kid)
	if len(n.kids) <= maxKids {
		return nil
	}
	cut := len(n.kids) / 2
	if i == len(n.kids)-1 {
		cut = i
	}
	next = &node[T]{owner: t.owner, items: slices.Clone(n.items[cut:]), kids: slices.Clone(n.kids[cut:])}
	n.items, n.kids = slices.Clone(n.items[:cut-1]), slices.Clone(n.kids[:cut])
	return next
}

// delete takes an item out, and gives it.
func (t *tree[T]) delete(key T) (old T, deleted bool) {
	if old, deleted = t.get(key); !deleted {
		return old, false
	}
	t.remove(&t.root, key)
	t.count--
	for t.root.kids != nil && len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
	if t.root.size() == 0 {
		t.root = nil
	}
	return old, true
}

// size is how much there is in a node.
func (n *node[T]) size() int {
	if n.kids != nil {
		return len(n.kids)
	}
	return len(n.items)
}

// remove takes a key that is there out of a node.
func (t *tree[T]) remove(at **node[T], key T) {
	n := t.own(at)
	if n.kids == nil {
		i, _ := t.order.search(n.items, key)
		n.items = slices.Delete(n.items, i, i+1)
		return
	}
	i := t.order.child(n, key)
	t.remove(&n.kids[i], key)
	switch {
	case n.kids[i].size() == 0:
		n.drop(i)
	case i > 0 && t.join(n, i-1):
	case i < len(n.kids)-1:
		t.join(n, i)
	}
}

// drop takes a child out of a branch.
func (n *node[T]) drop(i int) {
	n.kids = slices.Delete(n.kids, i, i+1)
	if len(n.items) > 0 {
		i = max(i-1, 0)
		n.items = slices.Delete(n.items, i, i+1)
	}
}

// join makes one of a child and the next one when one of them has become small
// and both have room in one.
func (t *tree[T]) join(n *node[T], i int) bool {
	a, b := n.kids[i], n.kids[i+1]
	most := maxItems
	if a.kids != nil {
		most = maxKids
	}
	if min(a.size(), b.size()) > most/4 || a.size()+b.size() > most*3/4 {
		return false
	}
	both := &node[T]{owner: t.owner}
	if a.kids == nil {
		both.items = slices.Concat(a.items, b.items)
	} else {
		both.items = slices.Concat(a.items, n.items[i:i+1], b.items)
		both.kids = slices.Concat(a.kids, b.kids)
	}
	n.kids[i] = both
	n.kids = slices.Delete(n.kids, i+1, i+2)
	n.items = slices.Delete(n.items, i, i+1)
	return true
}

func (t *tree[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) { t.root.ascend(yield) }
}

func (t *tree[T]) backward() iter.Seq[T] {
	return func(yield func(T) bool) { t.root.descend(yield) }
}

// from gives the items that are not less than the pivot.
func (t *tree[T]) from(pivot T) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.order.from(t.root, pivot, yield)
		}
	}
}

// downFrom gives the items that are not greater than the pivot, the greatest
// first.
func (t *tree[T]) downFrom(pivot T) iter.Seq[T] {
	return func(yield func(T) bool) {
		if t.root != nil {
			t.order.downFrom(t.root, pivot, yield)
		}
	}
}

func (n *node[T]) ascend(yield func(T) bool) bool {
	if n == nil {
		return true
	}
	for _, kid := range n.kids {
		if !kid.ascend(yield) {
			return false
		}
	}
	if n.kids == nil {
		for _, x := range n.items {
			if !yield(x) {
				return false
			}
		}
	}
	return true
}

func (n *node[T]) descend(yield func(T) bool) bool {
	if n == nil {
		return true
	}
	for i := len(n.kids) - 1; i >= 0; i-- {
		if !n.kids[i].descend(yield) {
			return false
		}
	}
	if n.kids == nil {
		for i := len(n.items) - 1; i >= 0; i-- {
			if !yield(n.items[i]) {
				return false
			}
		}
	}
	return true
}

func (o *order[T]) from(n *node[T], pivot T, yield func(T) bool) bool {
	if n.kids == nil {
		i, _ := o.search(n.items, pivot)
		for _, x := range n.items[i:] {
			if !yield(x) {
				return false
			}
		}
		return true
	}
	i := o.child(n, pivot)
	if !o.from(n.kids[i], pivot, yield) {
		return false
	}
	for _, kid := range n.kids[i+1:] {
		if !kid.ascend(yield) {
			return false
		}
	}
	return true
}

func (o *order[T]) downFrom(n *node[T], pivot T, yield func(T) bool) bool {
	if n.kids == nil {
		i, found := o.search(n.items, pivot)
		if found {
			i++
		}
		for i--; i >= 0; i-- {
			if !yield(n.items[i]) {
				return false
			}
		}
		return true
	}
	i := o.child(n, pivot)
	if !o.downFrom(n.kids[i], pivot, yield) {
		return false
	}
	for i--; i >= 0; i-- {
		if !n.kids[i].descend(yield) {
			return false
		}
	}
	return true
}
