package rank

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// PriorityGap is by how much the priority of an allocation must be below that of
// a job for which it may be preempted, at least.
const PriorityGap = 10

func (s *Selector) limit() int { return s.d.Job.Priority - PriorityGap }

// Preempt is for when Pick finds nothing: it chooses the best of the nodes where
// less important allocations can make room, and takes that room.
func (s *Selector) Preempt() (Pick, bool) {
	s.prepareEvictions()
	for {
		row, ok := s.bestEviction()
		if !ok {
			return s.preemptOther()
		}
		if p, ok := s.evict(row, s.evictions.Victims(row)); ok {
			return p, true
		}
		s.dead[row] = true // its ports or devices are held by something else
		if s.evicting != nil {
			s.evicting.refresh(row)
		}
	}
}

// PreemptRow is like Preempt for one given row that is feasible.
func (s *Selector) PreemptRow(row int32) (Pick, bool) {
	if s.distinct != nil {
		if _, ok := s.distinct.Allows(row); !ok {
			return Pick{}, false
		}
	}
	victims, ok := s.clear(row)
	if !ok {
		return Pick{}, false
	}
	return s.evict(row, victims)
}

func (s *Selector) prepareEvictions() {
	if s.evictions == nil {
		name, scorer := Algorithm(s.d.Algorithm)
		s.evictions = s.d.Fleet.Evictions(s.d.Usage, s.limit(), name, scorer)
		s.dead = map[int32]bool{}
	}
	s.evictions.Sync()
}

func (s *Selector) bestEviction() (int32, bool) {
	if s.useLanes {
		if s.evicting == nil {
			s.evicting = newLanes(s, true)
		}
		lane := s.evicting.best()
		if lane < 0 {
			return 0, false
		}
		return s.evicting.top[lane].row, true
	}
	var top best
	top.open(s.d.Fleet)
	for i, w := range s.d.Feasible.Rows {
		for w &= s.evictions.Possible[i]; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			sum, n := s.evictTerms(row)
			if c := (candidate{s.finish(row, sum, n), row}); top.wants(c) && s.evictable(row) {
				top.add(c)
			}
		}
	}
	return top.best[0].row, top.n > 0
}

// evictable says whether evictions make room on a row, ports and devices aside.
func (s *Selector) evictable(row int32) bool {
	if !s.evictions.Possible.Has(row) || len(s.dead) > 0 && s.dead[row] {
		return false
	}
	if s.distinct == nil {
		return true
	}
	_, ok := s.distinct.Allows(row)
	return ok
}

// evictTerms is like terms for a row as it would be after the evictions.
func (s *Selector) evictTerms(row int32) (sum float64, n int) {
	sum, n = s.others(row)
	return sum + s.evictions.Fit[row] + s.evictions.Cost[row], n + 2
}

// evict takes a row for an allocation that waits there for what is leaving and
// for the victims. It gives false, and has changed nothing, when the row is still
// short of something.
func (s *Selector) evict(row int32, victims []*api.Allocation) (Pick, bool) {
	tx, f := s.d.Tx, s.d.Fleet
	mark := tx.Mark()
	leaving := f.Leaving(row)
	waits := slices.Concat(leaving, victims)
	for _, a := range waits {
		tx.Release(row, f.Usage(a))
	}
	p := Pick{Row: row, Evicted: victims, Waits: leaving}
	s.shape.Sync()
	ok := s.shape.Short[row] == fleet.Enough
	if ok {
		var short fleet.PortShortage
		p.Ports, short = s.assign(row)
		ok = short == fleet.PortShortage{}
	}
	if !ok {
		tx.Undo(mark)
		s.shape.Sync()
		s.evictionsSync()
		return Pick{}, false
	}
	p.Meta = s.Meta(row)
	cost := evictionScore(victims)
	sum, n := s.terms(row)
	p.Score = s.finish(row, sum+cost, n+1)
	p.Meta.Scores[ScorePreemption], p.Meta.NormScore = cost, p.Score
	u := s.usage(&p)
	tx.Undo(mark)
	for _, a := range victims {
		tx.Doom(row, a)
	}
	s.occupy(&p, u)
	return p, true
}

func (s *Selector) evictionsSync() {
	if s.evictions != nil {
		s.evictions.Sync()
	}
}

// preemptOther looks at the rows that are short of something that is not a mere
// amount: a static port, devices, cores.
func (s *Selector) preemptOther() (Pick, bool) {
	if len(s.ports) == 0 && s.extra == nil {
		return Pick{}, false
	}
	best := candidate{row: -1}
	for row := range s.d.Feasible.Rows.Rows() {
		if s.distinct != nil {
			if _, ok := s.distinct.Allows(row); !ok {
				continue
			}
		}
		mark := s.d.Tx.Mark()
		victims, ok := s.clear(row)
		if !ok {
			continue
		}
		for _, a := range slices.Concat(s.d.Fleet.Leaving(row), victims) {
			s.d.Tx.Release(row, s.d.Fleet.Usage(a))
		}
		s.shape.Sync()
		sum, n := s.terms(row)
		c := candidate{s.finish(row, sum+evictionScore(victims), n+1), row}
		s.d.Tx.Undo(mark)
		if best.row < 0 || better(c, best, s.d.Fleet) {
			best = c
		}
	}
	s.shape.Sync()
	if best.row < 0 {
		return Pick{}, false
	}
	return s.PreemptRow(best.row)
}

func evictionScore(victims []*api.Allocation) float64 {
	highest, sum := 0, 0
	for _, a := range victims {
		highest, sum = max(highest, a.Job.Priority), sum+a.Job.Priority
	}
	return fleet.EvictionScore(highest, sum)
}

// clear finds allocations of a row that have to go, whatever the row is short
// of. It changes nothing.
func (s *Selector) clear(row int32) ([]*api.Allocation, bool) {
	able := s.d.Fleet.Tenants(row, s.limit())
	slices.SortStableFunc(able, func(a, b *api.Allocation) int {
		x, y := s.holds(a), s.holds(b)
		switch {
		case x == y:
			return cmp.Or(cmp.Compare(a.Job.Priority, b.Job.Priority), strings.Compare(a.ID, b.ID))
		case x:
			return -1
		}
		return 1
	})
	tx, f := s.d.Tx, s.d.Fleet
	before := tx.Mark()
	defer func() {
		tx.Undo(before)
		s.shape.Sync()
		s.evictionsSync()
	}()
	leaving := f.Leaving(row)
	for _, a := range leaving {
		tx.Release(row, f.Usage(a))
	}
	mark := tx.Mark()
	n := 0
	for ; !s.fits(row); n++ {
		if n == len(able) {
			return nil, false
		}
		tx.Release(row, f.Usage(able[n]))
	}
	able = able[:n]
	for i := n - 1; i >= 0 && len(able) > 1; i-- { // let go of what the others make needless
		others := slices.Delete(slices.Clone(able), i, i+1)
		tx.Undo(mark)
		for _, a := range others {
			tx.Release(row, f.Usage(a))
		}
		if s.fits(row) {
			able = others
		}
	}
	return able, len(able)+len(leaving) > 0
}

// fits says whether a row has room as it is.
func (s *Selector) fits(row int32) bool {
	s.shape.Sync()
	return s.shape.Short[row] == fleet.Enough && (len(s.ports) == 0 || s.d.Fleet.PortsShort(row, s.ports) == fleet.PortShortage{})
}

// holds says whether an allocation has a static port that is asked for, or
// devices or cores where such are asked for.
func (s *Selector) holds(a *api.Allocation) bool {
	u := s.d.Fleet.Usage(a)
	if s.extra != nil && len(u.Device)+len(u.Cores) > 0 {
		return true
	}
	for i := range s.ports {
		for _, p := range u.Ports {
			if s.ports[i].Static == int(p.Number) {
				return true
			}
		}
	}
	return false
}
