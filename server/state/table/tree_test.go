package table

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func numbers() tree[int] {
	return newTree(cmp.Compare[int], func(n int) int { return n })
}

// check compares a tree with what it should hold, in every way of reading, and
// looks at the form of its nodes.
func check(t *testing.T, tr *tree[int], want []int) {
	t.Helper()
	if tr.len() != len(want) {
		t.Fatalf("length %d, want %d", tr.len(), len(want))
	}
	if got := slices.Collect(tr.all()); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	back := slices.Collect(tr.backward())
	slices.Reverse(back)
	if !slices.Equal(back, want) {
		t.Fatalf("backward %v, want %v", back, want)
	}
	if tr.root != nil {
		shape(t, tr.root, -1<<62, 1<<62)
	}
}

// shape checks the bounds of a node and of what is below it, and gives the depth.
func shape(t *testing.T, n *node[int], low, high int) (depth int) {
	t.Helper()
	if n.size() == 0 || n.kids == nil && len(n.items) > maxItems || len(n.kids) > maxKids {
		t.Fatalf("a node of %d items and %d children", len(n.items), len(n.kids))
	}
	if !slices.IsSorted(n.items) || n.items != nil && len(n.items) > 0 && (n.items[0] < low || n.items[len(n.items)-1] >= high) {
		t.Fatalf("items %v between %d and %d", n.items, low, high)
	}
	if n.kids == nil {
		return 1
	}
	if len(n.items) != len(n.kids)-1 {
		t.Fatalf("%d bounds for %d children", len(n.items), len(n.kids))
	}
	for i, kid := range n.kids {
		a, b := low, high
		if i > 0 {
			a = n.items[i-1]
		}
		if i < len(n.items) {
			b = n.items[i]
		}
		d := shape(t, kid, a, b)
		if depth != 0 && d != depth {
			t.Fatalf("depths %d and %d", d, depth)
		}
		depth = d
	}
	return depth + 1
}

// TestTreeModel does random things to copies of copies, and finds each of them
// as it was left.
func TestTreeModel(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		tr, model := numbers(), map[int]bool{}
		type version struct {
			tree tree[int]
			want []int
		}
		var kept []version
		space := []int{40, 400, 6000}[seed%3]
		next, grow := 0, true
		for step := range 6000 {
			if step%1500 == 0 {
				grow = r.IntN(3) > 0
			}
			key := r.IntN(space)
			if seed%4 == 0 { // runs, up and down
				key = (next + space) % space
				next += 1 - 2*int(seed/4%2)
			}
			if put := r.IntN(4) > 0; put == grow {
				_, replaced := tr.set(key)
				if replaced != model[key] {
					t.Fatalf("seed %d: set %d: replaced %v", seed, key, replaced)
				}
				model[key] = true
			} else {
				_, deleted := tr.delete(key)
				if deleted != model[key] {
					t.Fatalf("seed %d: delete %d: %v", seed, key, deleted)
				}
				delete(model, key)
			}
			if _, ok := tr.get(key); ok != model[key] {
				t.Fatalf("seed %d: get %d: %v", seed, key, ok)
			}
			if r.IntN(60) == 0 {
				want := make([]int, 0, len(model))
				for k := range model {
					want = append(want, k)
				}
				slices.Sort(want)
				kept = append(kept, version{tr, want})
				tr = tr.copy()
			}
		}
		for i := range kept {
			v := &kept[i]
			check(t, &v.tree, v.want)
			for range 3 {
				pivot := r.IntN(space+2) - 1
				at, _ := slices.BinarySearch(v.want, pivot)
				if got := slices.Collect(v.tree.from(pivot)); !slices.Equal(got, v.want[at:]) {
					t.Fatalf("seed %d: from %d: %v, want %v", seed, pivot, got, v.want[at:])
				}
				at, _ = slices.BinarySearch(v.want, pivot+1)
				down := slices.Collect(v.tree.downFrom(pivot))
				slices.Reverse(down)
				if !slices.Equal(down, v.want[:at]) {
					t.Fatalf("seed %d: down from %d: %v, want %v", seed, pivot, down, v.want[:at])
				}
			}
		}
	}
}

func TestTreeIsEmptiedAndUsedAgain(t *testing.T) {
	tr := numbers()
	for round := range 3 {
		for i := range 1000 {
			tr.set(i * 7 % 1000)
		}
		for i := range 1000 {
			if _, ok := tr.delete((i*13 + round) % 1000); !ok {
				t.Fatal("missing", i)
			}
		}
		check(t, &tr, nil)
		if tr.root != nil {
			t.Error("nodes are left")
		}
		tr = tr.copy()
	}
}

// room gives how many items there are, and for how many the leaves have room.
func room(n *node[int]) (items, total int) {
	if n.kids == nil {
		return len(n.items), cap(n.items)
	}
	for _, kid := range n.kids {
		i, c := room(kid)
		items, total = items+i, total+c
	}
	return items, total
}

func TestTreeIsFull(t *testing.T) {
	const n = 20000
	for name, key := range map[string]func(i int) int{
		"up":      func(i int) int { return i },
		"down":    func(i int) int { return -i },
		"runs":    func(i int) int { return i/1000*7919%1000*1000 + i%1000 },
		"at hand": func(i int) int { return i * 7919 % n },
	} {
		tr := numbers()
		for i := range n {
			if tr.set(key(i)); i%500 == 0 {
				tr = tr.copy()
			}
		}
		items, total := room(tr.root)
		if items != n || items*100 < total*90 {
			t.Errorf("%s: %d items in room for %d", name, items, total)
		}
	}
}

// TestTreeKeepsNoRowsInBranches would keep old versions of rows for ever.
func TestTreeKeepsNoRowsInBranches(t *testing.T) {
	tr := newTree(func(a, b row[string, *item]) int { return cmp.Compare(a.key, b.key) },
		func(r row[string, *item]) row[string, *item] { return row[string, *item]{key: r.key} })
	for i := range 5000 {
		k := fmt.Sprint(i)
		tr.set(row[string, *item]{k, &item{id: k}})
	}
	var walk func(n *node[row[string, *item]])
	walk = func(n *node[row[string, *item]]) {
		for i := range n.items {
			if (n.items[i].val == nil) != (n.kids != nil) {
				t.Fatal("a row in a branch, or none in a leaf")
			}
		}
		for _, kid := range n.kids {
			walk(kid)
		}
	}
	walk(tr.root)
	if len(tr.root.kids) == 0 {
		t.Fatal("no branches")
	}
}
