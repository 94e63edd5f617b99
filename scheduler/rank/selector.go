package rank

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// lanesFrom is how many picks are expected when lanes pay for themselves.
const lanesFrom = 4

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
	affinity *fleet.Weights // nil: none
	spread   *spread        // nil: none
	extra    *extra         // nil: no task is granted anything of its own

	quickPorts bool // most rows can be told at a glance to have the ports
	static     int  // the only static port of them; -1: none

	collisions counts // the group's allocations by row
	present    int    // how many there are
	lanes      *lanes // nil: not made yet
	useLanes   bool
	avoid      []int32 // rows that the next pick takes only if it must

	evictions *fleet.Evictions // nil: nothing had to be preempted yet
	evicting  *lanes           // of rows where something can be preempted
	dead      map[int32]bool   // rows where evictions turned out not to help

	// The row that the last survey found to be the best, -1 for none, for as long
	// as nothing has changed since.
	known    candidate
	hasKnown bool
}

// Pick is a node chosen for an allocation.
type Pick struct {
	Row    int32
	Ports  []api.PortMapping
	Grants []fit.Grant
	Usage  *fit.Usage
	Score  float64

	// Evicted are the allocations that are preempted for it, Waits those that it
	// waits for beside them, which leave anyway; Meta are the scores that it had
	// with them gone.
	Evicted, Waits []*api.Allocation
	Meta           *api.NodeScoreMeta
}

// New gives a selector that knows of no allocations of the job yet; see Present.
func New(d Demand) *Selector {
	name, scorer := Algorithm(d.Algorithm)
	extra := newExtra(&d)
	s := &Selector{
		d: d, shape: d.Fleet.Shape(d.Usage, name, scorer, extra.shape(&d)),
		ports:      feasible.Ports(d.Group),
		distinct:   feasible.DistinctFor(d.Fleet, d.Job, d.Group),
		affinity:   affinity(d.Fleet, d.Job, d.Group),
		spread:     spreadFor(d.Fleet, d.Job, d.Group, d.Feasible.Rows),
		extra:      extra,
		collisions: counts{rows: d.Fleet.Rows()},
		useLanes:   d.Expect >= lanesFrom,
	}
	s.glance()
	return s
}

// glance says whether ports can be looked at without looking at each.
func (s *Selector) glance() {
	s.quickPorts, s.static = true, -1
	for i := range s.ports {
		switch p := &s.ports[i]; {
		case p.Named() || p.Static != 0 && (s.static >= 0 || p.Static < 0 || p.Static > 65535):
			s.quickPorts = false
		case p.Static != 0 && !p.IgnoreCollision:
			s.static = p.Static
		}
	}
}

// Present tells of an allocation of the job that stays on a row.
func (s *Selector) Present(group string, row int32) {
	if others := s.count(group, row, 1); s.lanes != nil || s.evicting != nil {
		s.changed(row, others)
	}
}

// Absent takes back what Present told, or a pick.
func (s *Selector) Absent(group string, row int32) {
	others := s.count(group, row, -1)
	if s.distinct != nil {
		s.lanes, s.evicting = nil, nil // rows that were ruled out may be allowed again
	}
	s.changed(row, others)
}

// count says whether rows of other cells may score differently now.
func (s *Selector) count(group string, row int32, by int) (others bool) {
	s.hasKnown = false
	if s.distinct != nil {
		s.distinct.Add(group, row, by)
	}
	if group != s.d.Group.Name {
		return false
	}
	s.collisions.add(row, int32(by))
	s.present += by
	return s.spread != nil && s.spread.add(row, int32(by))
}

// Changed tells that what is free on a row has changed otherwise than by Pick.
func (s *Selector) Changed(row int32) { s.changed(row, false) }

func (s *Selector) changed(row int32, others bool) {
	s.hasKnown = false
	s.shape.Sync()
	s.evictionsSync()
	delete(s.dead, row)
	for _, l := range []*lanes{s.lanes, s.evicting} {
		if l == nil {
			continue
		}
		if s.d.Feasible.Rows.Has(row) {
			l.changed(row)
		} else { // the others of its cell are nearer to what the spread wants, or farther
			l.refresh(row)
		}
		if others {
			l.refreshAll()
		}
	}
}

// Avoid names rows that the picks that follow take only where nothing better
// is left; nil names none.
func (s *Selector) Avoid(rows []int32) {
	if len(s.avoid)+len(rows) > 0 {
		s.avoid, s.hasKnown = rows, false
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

func (s *Selector) take(p *Pick) { s.occupy(p, s.usage(p)) }

// usage gives what an allocation uses with the ports of a pick; it chooses cores
// and devices.
func (s *Selector) usage(p *Pick) *fit.Usage {
	u := s.d.Usage
	if len(p.Ports) > 0 {
		u = fit.WithUsedPorts(u, p.Ports)
	}
	if s.extra != nil {
		p.Grants, u = s.extra.grant(p.Row, u)
	}
	p.Usage = u
	return u
}

func (s *Selector) occupy(p *Pick, u *fit.Usage) {
	s.d.Tx.Take(p.Row, u)
	s.d.Seed++
	s.changed(p.Row, s.count(s.d.Group.Name, p.Row, 1))
}

func (s *Selector) best() (Pick, bool) {
	if s.useLanes {
		return s.top()
	}
	if !s.hasKnown {
		var v survey
		s.survey(&v)
		s.know(&v)
	}
	if s.known.row < 0 {
		return Pick{}, false
	}
	ports, _ := s.assign(s.known.row)
	return Pick{Row: s.known.row, Ports: ports, Score: s.known.score}, true
}

// know keeps the best row that a survey found.
func (s *Selector) know(v *survey) {
	s.hasKnown, s.known = true, candidate{row: -1}
	if v.top.n > 0 {
		s.known = v.top.best[0]
	}
}

// top takes the best row from the lanes.
func (s *Selector) top() (Pick, bool) {
	if s.lanes == nil {
		s.lanes = newLanes(s, false)
	}
	l, f := s.lanes, s.d.Fleet
	var avoided []candidate
	found := candidate{row: -1}
	var ports []api.PortMapping
	for found.row < 0 {
		lane := l.best()
		if lane < 0 {
			break
		}
		c := l.top[lane]
		var short fleet.PortShortage
		if ports, short = s.assign(c.row); short != (fleet.PortShortage{}) {
			l.drop(lane)
			continue
		}
		if slices.Contains(s.avoid, c.row) {
			avoided = append(avoided, candidate{s.score(c.row), c.row})
			l.drop(lane)
			continue
		}
		found = c
	}
	if len(avoided) == 0 {
		return Pick{Row: found.row, Ports: ports, Score: found.score}, found.row >= 0
	}
	for _, c := range avoided {
		l.back(c.row)
		if found.row < 0 || better(c, found, f) {
			found = c
			ports, _ = s.assign(c.row)
		}
	}
	return Pick{Row: found.row, Ports: ports, Score: found.score}, true
}

// open says whether a row can take an allocation, ports aside.
func (s *Selector) open(row int32) bool {
	if s.shape.Short[row] != fleet.Enough {
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

// terms gives the sum of the scores that apply to a row, and how many there
// are; that of the spread and the penalty for rows to avoid are left out.
func (s *Selector) terms(row int32) (sum float64, n int) {
	sum, n = s.others(row)
	return sum + s.shape.Score[row], n + 1
}

// others is terms without the score of the fit.
func (s *Selector) others(row int32) (sum float64, n int) {
	if c := s.collisions.of(row); c > 0 {
		sum += antiAffinity(int(c), s.d.Group.Count)
		n++
	}
	if s.affinity != nil {
		sum += s.affinity.Of[row]
		n++
	}
	if s.extra != nil {
		if x, ok := s.extra.score(row); ok {
			sum += x
			n++
		}
	}
	return sum, n
}

// score is the mean of the scores that apply to a row.
func (s *Selector) score(row int32) float64 {
	sum, n := s.terms(row)
	return s.finish(row, sum, n)
}

// finish adds the spread and the penalty to the scores of a row.
func (s *Selector) finish(row int32, sum float64, n int) float64 {
	if s.spread != nil {
		sum += s.spread.score(row)
		n++
	}
	if len(s.avoid) > 0 && slices.Contains(s.avoid, row) {
		sum += penalty
		n++
	}
	return mean(sum, n)
}
