package rank

import (
	"math/bits"
	"slices"

	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fleet"
)

// topScores is how many nodes a metric shows the scores of.
const topScores = 5

// survey is what one pass over the feasible rows finds.
type survey struct {
	top     best
	short   [fleet.Shortages]int
	blocked map[feasible.Block]int
	ports   map[fleet.PortShortage]int

	shortRows, blockedRows fleet.Bits
}

// survey looks at every feasible row once.
func (s *Selector) survey(v *survey) {
	v.top.open(s.d.Fleet)
	v.shortRows = fleet.NewBits(s.d.Fleet.Rows())
	if s.distinct != nil || len(s.ports) > 0 || s.affinity != nil || s.spread != nil || s.extra.scores() || len(s.avoid) > 0 {
		s.surveyAll(v)
		return
	}
	score, shortage, collisions := s.shape.Score, s.shape.Short, s.collided()
	for i, w := range s.d.Feasible.Rows {
		for ; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			if shortage[row] != fleet.Enough {
				v.short[shortage[row]]++
				v.shortRows[i] |= w & -w
				continue
			}
			c := candidate{score[row], row}
			if collisions != nil && collisions[row] > 0 {
				c.score = s.score(row)
			}
			if v.top.wants(c) {
				v.top.add(c)
			}
		}
	}
}

// surveyAll is survey for what has demands and scores of more kinds.
func (s *Selector) surveyAll(v *survey) {
	score, shortage, collisions := s.shape.Score, s.shape.Short, s.collided()
	free, taken := s.d.Fleet.FreePorts(), s.d.Fleet.TakenPorts()
	simple := !s.extra.scores() && len(s.avoid) == 0
	n, asks := 1, len(s.ports)
	var weights, table []float64
	if s.affinity != nil {
		weights = s.affinity.Of
		n++
	}
	if s.spread != nil {
		table = s.spread.table()
		n++
	}
	if s.distinct != nil {
		v.blockedRows = fleet.NewBits(s.d.Fleet.Rows())
	}
	for i, w := range s.d.Feasible.Rows {
		if s.distinct != nil {
			w = s.allowed(v, i, w)
		}
		for ; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			if x := shortage[row]; x != fleet.Enough {
				v.short[x]++
				v.shortRows[i] |= w & -w
				continue
			}
			if asks > 0 && !(s.quickPorts && int(free[row]) >= asks && (s.static < 0 || taken[row].Free(s.static))) {
				if x := s.d.Fleet.PortsShort(row, s.ports); x != (fleet.PortShortage{}) {
					v.portless(x)
					v.shortRows[i] |= w & -w
					continue
				}
			}
			c := candidate{0, row}
			if simple && (collisions == nil || collisions[row] == 0) {
				if weights != nil { // in the order of terms, so that sums are the same
					c.score = weights[row]
				}
				c.score += score[row]
				if table != nil {
					c.score += table[s.spread.cells.ID(row)]
				}
				c.score = mean(c.score, n)
			} else {
				c.score = s.quick(row, table)
			}
			if v.top.wants(c) {
				v.top.add(c)
			}
		}
	}
}

// collided gives the group's allocations by row; nil when there are none.
func (s *Selector) collided() []int32 {
	if s.present <= 0 {
		return nil
	}
	return s.collisions.table()
}

// allowed takes the rows out of a word that another allocation rules out.
func (s *Selector) allowed(v *survey, i int, w uint64) uint64 {
	ruled := s.distinct.Ruled(i) & w
	for left := ruled; left != 0; left &= left - 1 {
		if b, ok := s.distinct.Allows(int32(i<<6 + bits.TrailingZeros64(left))); ok {
			ruled &^= left & -left
		} else {
			if v.blocked == nil {
				v.blocked = map[feasible.Block]int{}
			}
			v.blocked[b]++
		}
	}
	v.blockedRows[i] = ruled
	return w &^ ruled
}

// quick is score with the scores of the spread's cells at hand; nil: all are 0.
func (s *Selector) quick(row int32, table []float64) float64 {
	sum, n := s.terms(row)
	if s.spread != nil {
		n++
	}
	if table != nil {
		sum += table[s.spread.cells.ID(row)]
	}
	if len(s.avoid) > 0 && slices.Contains(s.avoid, row) {
		sum += penalty
		n++
	}
	return mean(sum, n)
}

// mean divides by a table: the same number wherever a score is made.
func mean(sum float64, n int) float64 { return sum * inverse[n] }

var inverse = [...]float64{0, 1, 1. / 2, 1. / 3, 1. / 4, 1. / 5, 1. / 6, 1. / 7, 1. / 8, 1. / 9}

func (v *survey) portless(x fleet.PortShortage) {
	if v.ports == nil {
		v.ports = map[fleet.PortShortage]int{}
	}
	v.ports[x]++
}

// best keeps the best candidates, in the order in which they would be picked.
type best struct {
	fleet *fleet.Fleet
	best  [topScores + 1]candidate
	n     int
	worst float64 // below it nothing need be added
	last  uint64  // nor of its score what comes after this place in the fleet's order
}

func (b *best) open(f *fleet.Fleet) {
	b.fleet, b.worst, b.last = f, -2, ^uint64(0) // no score is below -1
}

func (b *best) wants(c candidate) bool {
	return c.score > b.worst || c.score == b.worst && b.fleet.Place(c.row) <= b.last
}

func (b *best) add(c candidate) {
	i := b.n
	if i == topScores && !better(c, b.best[i-1], b.fleet) {
		return
	}
	for ; i > 0 && better(c, b.best[i-1], b.fleet); i-- {
		b.best[i] = b.best[i-1]
	}
	b.best[i] = c
	if b.n < topScores {
		b.n++
	}
	if b.n == topScores {
		c := b.best[topScores-1]
		b.worst, b.last = c.score, b.fleet.Place(c.row)
	}
}
