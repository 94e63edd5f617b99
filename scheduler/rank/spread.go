package rank

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fleet"
)

// spread scores rows by how a group's allocations are distributed over the
// values of attributes. Rows with the same values of all attributes have the
// same score: they are one cell.
type spread struct {
	parts []*distribution
	cells *fleet.Column // the values of all attributes together
	rep   []int32       // a row of each cell; -1: the cell has none that is feasible
}

// distribution is one spread block.
type distribution struct {
	column *fleet.Column
	share  float64 // of this block's weight in the sum of all
	used   []int32 // by value: allocations of the group
	even   bool    // no targets: all values alike

	// With targets: how many allocations a value shall have, -1 where it is not
	// a target. What the targets leave is for the other values together.
	want []float64
	rest float64
	over int32 // allocations on other values

	// Even: how many values that a feasible row has are used n times, and the
	// least and most of these.
	times    []int32
	min, max int32
	occurs   []bool
	gaps     bool // a feasible row has no value
}

// spreadFor gives nil when a group has no spread.
func spreadFor(f *fleet.Fleet, job *api.Job, g *api.TaskGroup, rows fleet.Bits) *spread {
	blocks := append(job.Spreads[:len(job.Spreads):len(job.Spreads)], g.Spreads...)
	total := 0.0
	for _, b := range blocks {
		total += float64(max(b.Weight, 0))
	}
	if total == 0 {
		return nil
	}
	s := &spread{cells: cells(f, blocks)}
	s.rep = s.cells.Any(rows)
	for _, b := range blocks {
		if b.Weight > 0 {
			s.parts = append(s.parts, newDistribution(f, b, float64(b.Weight)/total, g.Count, s.rep))
		}
	}
	return s
}

// cells gives the combinations of the values of all attributes by row.
func cells(f *fleet.Fleet, blocks []*api.Spread) *fleet.Column {
	var key strings.Builder
	key.WriteString("cells")
	for _, b := range blocks {
		key.WriteString("\x00" + b.Attribute)
	}
	return f.Column(key.String(), func(n *api.Node) (string, bool) {
		var value strings.Builder
		for _, b := range blocks {
			v, ok := feasible.Value(b.Attribute, n)
			if ok {
				value.WriteString(v)
			}
			value.WriteString(map[bool]string{true: "\x00", false: "\x01"}[ok])
		}
		return value.String(), true
	})
}

func newDistribution(f *fleet.Fleet, b *api.Spread, share float64, count int, rep []int32) *distribution {
	c := feasible.Column(f, b.Attribute)
	d := &distribution{column: c, share: share, used: make([]int32, c.Len()), even: len(b.SpreadTarget) == 0}
	if !d.even {
		d.targets(b, count)
		return d
	}
	d.occurs = make([]bool, c.Len())
	d.times = make([]int32, 1, 8)
	for _, row := range rep {
		if row < 0 {
			continue
		}
		switch id := c.ID(row); {
		case id == fleet.Missing:
			d.gaps = true
		case !d.occurs[id]:
			d.occurs[id] = true
			d.times[0]++
		}
	}
	return d
}

func (d *distribution) targets(b *api.Spread, count int) {
	d.want = make([]float64, d.column.Len())
	for i := range d.want {
		d.want[i] = -1
	}
	left := 100
	for _, t := range b.SpreadTarget {
		left -= int(t.Percent)
		if id, ok := d.column.Lookup(t.Value); ok {
			d.want[id] = float64(t.Percent) / 100 * float64(count)
		}
	}
	d.rest = float64(max(left, 0)) / 100 * float64(count)
}

// add counts allocations on a row; a negative number takes back. It says
// whether rows of other cells may score differently now.
func (s *spread) add(row int32, by int32) (others bool) {
	for _, d := range s.parts {
		others = d.add(d.column.ID(row), by) || others || len(s.parts) > 1
	}
	return others
}

func (d *distribution) add(id, by int32) (others bool) {
	if id == fleet.Missing {
		return false
	}
	was := d.used[id]
	d.used[id] += by
	switch {
	case !d.even && d.want[id] < 0:
		d.over += by
		return true
	case !d.even || !d.occurs[id]:
		return false
	}
	return d.retally(was, d.used[id])
}

// retally moves a value from one number of uses to another.
func (d *distribution) retally(was, is int32) (changed bool) {
	for int(is) >= len(d.times) {
		d.times = append(d.times, 0)
	}
	d.times[was]--
	d.times[is]++
	low, high := d.min, d.max
	d.min, d.max = min(low, is), max(high, is)
	for d.times[d.min] == 0 {
		d.min++
	}
	for d.times[d.max] == 0 {
		d.max--
	}
	return d.min != low || d.max != high
}

// boost says how much a value wants one more allocation, -1 to 1. A node
// without the attribute is the last choice.
func (d *distribution) boost(id int32) float64 {
	if id == fleet.Missing {
		return -1
	}
	if d.even {
		if d.min == d.max {
			return 0
		}
		return 1 - 2*float64(d.used[id]-d.min)/float64(d.max-d.min)
	}
	want, used := d.want[id], d.used[id]
	if want < 0 {
		want, used = d.rest, d.over
	}
	if want == 0 {
		return -1
	}
	return max((want-float64(used)-1)/want, -1)
}

// score gives the score of a row.
func (s *spread) score(row int32) float64 {
	sum := 0.0
	for _, d := range s.parts {
		sum += d.share * d.boost(d.column.ID(row))
	}
	return sum
}

// flat says whether all rows have the score 0, as long as none is used more than
// another.
func (s *spread) flat() bool {
	for _, d := range s.parts {
		if !d.even || d.gaps || d.min != d.max {
			return false
		}
	}
	return true
}

// table gives the scores of all cells; nil when they are all 0.
func (s *spread) table() []float64 {
	if s.flat() {
		return nil
	}
	out := make([]float64, len(s.rep))
	for i, row := range s.rep {
		if row >= 0 {
			out[i] = s.score(row)
		}
	}
	return out
}
