package fleet

import (
	"math/bits"

	"github.com/seraihq/serai/api"
)

// maxCached bounds how many filters and columns are kept. Past it they are
// all dropped: those in use come back with the next evaluation.
const maxCached = 4096

type filter struct {
	match func(*api.Node) bool
	pass  Bits
}

// Filter gives the rows whose nodes match. The answer is kept under the key
// and kept up to date, so match must depend on the key and the node alone. The
// result must not be changed and holds until nodes change.
func (f *Fleet) Filter(key string, match func(*api.Node) bool) Bits {
	if x := f.filters[key]; x != nil {
		return x.pass
	}
	if len(f.filters) >= maxCached {
		clear(f.filters)
	}
	x := &filter{match: match, pass: NewBits(len(f.nodes))}
	for row := range f.live.Rows() {
		x.pass.Set(row, match(f.nodes[row]))
	}
	f.filters[key] = x
	return x.pass
}

// Filtered gives the answer that is kept under a key, if there is one.
func (f *Fleet) Filtered(key string) (Bits, bool) {
	if x := f.filters[key]; x != nil {
		return x.pass, true
	}
	return nil, false
}

// Missing is the value of a column where the node has none.
const Missing int32 = -1

// Column is one property of every node, with its values numbered.
type Column struct {
	value  func(*api.Node) (string, bool)
	ids    []int32 // by row
	values []string
	lookup map[string]int32
	sets   []Bits // by value, for as long as there are few values
}

// maxSets is up to how many values a column keeps the rows of each as a set.
const maxSets = 32

// Column gives the column under the key; value must depend on the key and the
// node alone.
func (f *Fleet) Column(key string, value func(*api.Node) (string, bool)) *Column {
	if c := f.columns[key]; c != nil {
		return c
	}
	if len(f.columns) >= maxCached {
		clear(f.columns)
	}
	c := &Column{value: value, ids: make([]int32, len(f.nodes)), lookup: map[string]int32{}}
	for i := range c.ids {
		c.ids[i] = Missing
	}
	for row := range f.live.Rows() {
		c.set(row, f.nodes[row])
	}
	f.columns[key] = c
	return c
}

// Class is the column of the nodes' classes, as api.Node.NodeClass has them.
func (f *Fleet) Class() *Column {
	return f.Column("class", func(n *api.Node) (string, bool) { return n.NodeClass, n.NodeClass != "" })
}

// ComputedClass is the column of the nodes' computed classes.
func (f *Fleet) ComputedClass() *Column {
	return f.Column("computed class", func(n *api.Node) (string, bool) { return n.ComputedClass, n.ComputedClass != "" })
}

// Datacenter is the column of the nodes' datacenters.
func (f *Fleet) Datacenter() *Column {
	return f.Column("datacenter", func(n *api.Node) (string, bool) { return n.Datacenter, true })
}

// ID gives the number of a row's value, or Missing.
func (c *Column) ID(row int32) int32 { return c.ids[row] }

// Value gives the value with a number.
func (c *Column) Value(id int32) string { return c.values[id] }

// Lookup gives the number of a value that has occurred.
func (c *Column) Lookup(value string) (int32, bool) {
	id, ok := c.lookup[value]
	return id, ok
}

// Len gives how many values have been numbered; some may no longer occur.
func (c *Column) Len() int { return len(c.values) }

// Any gives a row of a set for each value, -1 for values that no row has.
func (c *Column) Any(rows Bits) []int32 {
	out := make([]int32, len(c.values))
	for i := range out {
		out[i] = -1
	}
	if len(c.values) <= maxSets {
		for id, set := range c.sets {
			out[id] = rows.firstBoth(set)
		}
		return out
	}
	for i, w := range rows {
		for ; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			if id := c.ids[row]; id != Missing {
				out[id] = row
			}
		}
	}
	return out
}

// Tally counts the rows of a set by value; rows without a value are left out.
func (c *Column) Tally(rows Bits) map[string]int {
	counts := make([]int, len(c.values))
	if len(c.values) <= maxSets {
		for id, set := range c.sets {
			counts[id] = rows.CountBoth(set)
		}
	} else {
		c.count(rows, counts)
	}
	var out map[string]int
	c.Put(&out, counts)
	return out
}

func (c *Column) count(rows Bits, counts []int) {
	for i, w := range rows {
		for ; w != 0; w &= w - 1 {
			if id := c.ids[i<<6+bits.TrailingZeros64(w)]; id != Missing {
				counts[id]++
			}
		}
	}
}

// Put adds counts by number to counts by value. A map is made when there is
// something to add.
func (c *Column) Put(to *map[string]int, counts []int) {
	for id, n := range counts {
		if n == 0 {
			continue
		}
		if *to == nil {
			*to = map[string]int{}
		}
		(*to)[c.values[id]] += n
	}
}

func (c *Column) set(row int32, n *api.Node) {
	if id := c.ids[row]; id != Missing && int(id) < len(c.sets) {
		c.sets[id].Set(row, false)
	}
	v, ok := c.value(n)
	if !ok {
		c.ids[row] = Missing
		return
	}
	id, ok := c.lookup[v]
	if !ok {
		id = int32(len(c.values))
		c.values = append(c.values, v)
		c.lookup[v] = id
		if id < maxSets {
			c.sets = append(c.sets, nil)
		}
	}
	c.ids[row] = id
	if id < maxSets {
		c.sets[id] = c.sets[id].grow(len(c.ids))
		c.sets[id].Set(row, true)
	}
}
