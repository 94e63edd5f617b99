package rank

import (
	"math/bits"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// heapFrom is how many picks are expected when a heap pays for itself.
const heapFrom = 4

// Demand is what a Selector places.
type Demand struct {
	Fleet     *fleet.Fleet
	Tx        *fleet.Tx
	Job       *api.Job
	Group     *api.TaskGroup
	Feasible  *feasible.Group
	Usage     *fit.Usage // of one allocation, without ports
	Algorithm string
	Expect    int // how many picks to prepare for
	Seed      uint64
}

// Selector picks nodes for the allocations of one group.
type Selector struct {
	d        Demand
	shape    *fleet.Shape
	ports    []fleet.PortAsk
	distinct *feasible.Distinct

	collisions map[int32]int // the group's allocations by row
	adjusted   fleet.Bits    // rows on which more than the shape's score counts
	heap       candidates
	useHeap    bool
}

// Pick is a node chosen for an allocation.
type Pick struct {
	Row   int32
	Ports []api.PortMapping
	Score float64
}

// New gives a selector that knows of no allocations of the job yet; see Present.
func New(d Demand) *Selector {
	name, scorer := Algorithm(d.Algorithm)
	return &Selector{
		d: d, shape: d.Fleet.Shape(d.Usage, name, scorer),
		ports:      feasible.Ports(d.Group),
		distinct:   feasible.DistinctFor(d.Fleet, d.Job, d.Group),
		collisions: map[int32]int{},
		adjusted:   fleet.NewBits(d.Fleet.Rows()),
		useHeap:    d.Expect >= heapFrom,
	}
}

// Present tells of an allocation of the job that stays on a row.
func (s *Selector) Present(group string, row int32) { s.count(group, row, 1) }

// Absent takes back what Present told, or a pick.
func (s *Selector) Absent(group string, row int32) {
	s.count(group, row, -1)
	if s.distinct != nil {
		s.heap = nil // rows that were ruled out may be allowed again
	}
	s.Changed(row)
}

func (s *Selector) count(group string, row int32, by int) {
	if s.distinct != nil {
		s.distinct.Add(group, row, by)
	}
	if group != s.d.Group.Name {
		return
	}
	s.collisions[row] += by
	s.adjusted.Set(row, s.collisions[row] > 0)
}

// Changed tells that what is free on a row has changed otherwise than by Pick.
func (s *Selector) Changed(row int32) {
	s.shape.Sync()
	if s.heap != nil && s.open(row) {
		s.heap.push(candidate{s.score(row), row}, s.d.Fleet)
	}
}

// Pick chooses the best node, takes room on it and counts the allocation as
// present. It gives false when no node can take one.
func (s *Selector) Pick() (Pick, bool) {
	s.shape.Sync()
	p, ok := s.best()
	if ok {
		s.take(&p)
	}
	return p, ok
}

// Refusal says why a row could not be picked: it was filtered by a demand, or
// is short of something.
type Refusal struct{ Filtered, Exhausted string }

// PickRow is like Pick for one given row that is feasible.
func (s *Selector) PickRow(row int32) (p Pick, why Refusal, ok bool) {
	s.shape.Sync()
	if s.distinct != nil {
		if reason, ok := s.distinct.Allows(row); !ok {
			return p, Refusal{Filtered: reason}, false
		}
	}
	if short := s.shape.Short[row]; short != fleet.Enough {
		return p, Refusal{Exhausted: short.String()}, false
	}
	ports, exhausted := s.assign(row)
	if exhausted != "" {
		return p, Refusal{Exhausted: exhausted}, false
	}
	p = Pick{Row: row, Ports: ports, Score: s.score(row)}
	s.take(&p)
	return p, why, true
}

func (s *Selector) take(p *Pick) {
	u := s.d.Usage
	if len(p.Ports) > 0 {
		u = fit.WithUsedPorts(u, p.Ports)
	}
	s.d.Tx.Take(p.Row, u)
	s.d.Seed++
	s.count(s.d.Group.Name, p.Row, 1)
	s.Changed(p.Row)
}

func (s *Selector) best() (Pick, bool) {
	if !s.useHeap {
		return s.scan()
	}
	if s.heap == nil {
		s.fill()
	}
	for len(s.heap) > 0 {
		top := s.heap.pop(s.d.Fleet)
		if !s.open(top.row) {
			continue
		}
		if now := s.score(top.row); now != top.score {
			if now < top.score { // if it had risen, a better entry would be there
				s.heap.push(candidate{now, top.row}, s.d.Fleet)
			}
			continue
		}
		if ports, why := s.assign(top.row); why == "" {
			return Pick{Row: top.row, Ports: ports, Score: top.score}, true
		}
	}
	return Pick{}, false
}

func (s *Selector) fill() {
	s.heap = make(candidates, 0, s.d.Feasible.Rows.Count()+8)
	for row := range s.d.Feasible.Rows.Rows() {
		if s.open(row) {
			s.heap = append(s.heap, candidate{s.score(row), row})
		}
	}
	s.heap.build(s.d.Fleet)
}

// scan looks at every row once. Ports are looked for only where a row would be
// the best so far.
func (s *Selector) scan() (best Pick, found bool) {
	score, shortage := s.shape.Score, s.shape.Short
	for i, w := range s.d.Feasible.Rows {
		for ; w != 0; w &= w - 1 {
			row := int32(i<<6 + bits.TrailingZeros64(w))
			if shortage[row] != fleet.Enough {
				continue
			}
			n := score[row]
			if s.adjusted.Has(row) {
				n = s.score(row)
			}
			if found && (n < best.Score || n == best.Score && !s.d.Fleet.Before(row, best.Row)) {
				continue
			}
			if s.distinct != nil {
				if _, ok := s.distinct.Allows(row); !ok {
					continue
				}
			}
			ports, why := s.assign(row)
			if why == "" {
				best, found = Pick{Row: row, Ports: ports, Score: n}, true
			}
		}
	}
	return best, found
}

// open says whether a row can take an allocation, ports aside.
func (s *Selector) open(row int32) bool {
	if !s.d.Feasible.Rows.Has(row) || s.shape.Short[row] != fleet.Enough {
		return false
	}
	if s.distinct == nil {
		return true
	}
	_, ok := s.distinct.Allows(row)
	return ok
}

func (s *Selector) assign(row int32) ([]api.PortMapping, string) {
	if len(s.ports) == 0 {
		return nil, ""
	}
	return s.d.Fleet.Ports(row, s.ports, s.d.Seed)
}

// score is the mean of the scores that apply to a row.
func (s *Selector) score(row int32) float64 {
	sum, n := s.shape.Score[row], 1.0
	if c := s.collisions[row]; c > 0 {
		sum += antiAffinity(c, s.d.Group.Count)
		n++
	}
	return sum / n
}
