package rank

import (
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

	collisions []int32 // the group's allocations by row
	heap       candidates
	useHeap    bool

	// The row that the last metric found to be the best, for as long as nothing
	// has changed since.
	known    candidate
	hasKnown bool
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
		collisions: make([]int32, d.Fleet.Rows()),
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
	s.hasKnown = false
	if s.distinct != nil {
		s.distinct.Add(group, row, by)
	}
	if group == s.d.Group.Name {
		s.collisions[row] += int32(by)
	}
}

// Changed tells that what is free on a row has changed otherwise than by Pick.
func (s *Selector) Changed(row int32) {
	s.hasKnown = false
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
		if b, ok := s.distinct.Allows(row); !ok {
			return p, Refusal{Filtered: s.distinct.Reason(b)}, false
		}
	}
	if short := s.shape.Short[row]; short != fleet.Enough {
		return p, Refusal{Exhausted: short.String()}, false
	}
	ports, short := s.assign(row)
	if short != (fleet.PortShortage{}) {
		return p, Refusal{Exhausted: short.Text(s.ports)}, false
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
	if s.useHeap {
		return s.top()
	}
	if !s.hasKnown {
		var v survey
		s.survey(&v)
		if v.top.n == 0 {
			return Pick{}, false
		}
		s.known = v.top.best[0]
	}
	ports, _ := s.assign(s.known.row)
	return Pick{Row: s.known.row, Ports: ports, Score: s.known.score}, true
}

// top takes the best row from the heap.
func (s *Selector) top() (Pick, bool) {
	if s.heap == nil {
		s.fill()
	}
	for len(s.heap) > 0 {
		c := s.heap.pop(s.d.Fleet)
		if !s.open(c.row) || s.score(c.row) != c.score {
			continue // the row has changed; where it is of use it has a newer entry
		}
		if ports, short := s.assign(c.row); short == (fleet.PortShortage{}) {
			return Pick{Row: c.row, Ports: ports, Score: c.score}, true
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

func (s *Selector) assign(row int32) ([]api.PortMapping, fleet.PortShortage) {
	if len(s.ports) == 0 {
		return nil, fleet.PortShortage{}
	}
	return s.d.Fleet.Ports(row, s.ports, s.d.Seed)
}

// score is the mean of the scores that apply to a row. Affinities, spreads and
// penalties have their place here.
func (s *Selector) score(row int32) float64 {
	sum, n := s.shape.Score[row], 1.0
	if c := s.collisions[row]; c > 0 {
		sum += antiAffinity(int(c), s.d.Group.Count)
		n++
	}
	return sum / n
}
