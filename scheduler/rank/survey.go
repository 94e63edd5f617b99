package rank

import (
	"math/bits"

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

	class        *fleet.Column // nil: classes are not counted
	classShort   []int
	classBlocked []int
}

// survey looks at every feasible row once.
func (s *Selector) survey(v *survey) {
	score, shortage, collisions := s.shape.Score, s.shape.Short, s.collisions
	for i, w := range s.d.Feasible.Rows {
		for ; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			if s.distinct != nil {
				if b, ok := s.distinct.Allows(row); !ok {
					v.block(b, row)
					continue
				}
			}
			if x := shortage[row]; x != fleet.Enough {
				v.short[x]++
				v.classed(&v.classShort, row)
				continue
			}
			if len(s.ports) > 0 {
				if x := s.d.Fleet.PortsShort(row, s.ports); x != (fleet.PortShortage{}) {
					v.portless(x, row)
					continue
				}
			}
			c := candidate{score[row], row}
			if collisions[row] > 0 {
				c.score = s.score(row)
			}
			if v.top.n == 0 || c.score >= v.top.worst {
				v.top.add(c, s.d.Fleet)
			}
		}
	}
}

func (v *survey) block(b feasible.Block, row int32) {
	if v.blocked == nil {
		v.blocked = map[feasible.Block]int{}
	}
	v.blocked[b]++
	v.classed(&v.classBlocked, row)
}

func (v *survey) portless(x fleet.PortShortage, row int32) {
	if v.ports == nil {
		v.ports = map[fleet.PortShortage]int{}
	}
	v.ports[x]++
	v.classed(&v.classShort, row)
}

func (v *survey) classed(counts *[]int, row int32) {
	if v.class == nil {
		return
	}
	if id := v.class.ID(row); id != fleet.Missing {
		if *counts == nil {
			*counts = make([]int, v.class.Len())
		}
		(*counts)[id]++
	}
}

// best keeps the best candidates, in the order in which they would be picked.
type best struct {
	best  [topScores + 1]candidate
	n     int
	worst float64 // below it nothing need be added
}

func (b *best) add(c candidate, f *fleet.Fleet) {
	i := b.n
	for ; i > 0 && better(c, b.best[i-1], f); i-- {
		b.best[i] = b.best[i-1]
	}
	b.best[i] = c
	if b.n < topScores {
		b.n++
	}
	if b.n == topScores {
		b.worst = b.best[topScores-1].score
	} else {
		b.worst = -2 // lower than any score
	}
}
