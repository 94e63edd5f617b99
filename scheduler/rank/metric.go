package rank

import (
	"maps"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// topScores is how many nodes a metric shows the scores of.
const topScores = 5

// Base gives the part of a metric that stays the same for all allocations of a
// group in an evaluation.
func (s *Selector) Base() *api.AllocationMetric {
	f, g := s.d.Fleet, s.d.Feasible
	m := &api.AllocationMetric{
		NodesEvaluated: g.Base.Count(),
		NodesInPool:    g.Pool.Count(),
		NodePool:       s.d.Job.NodePool,
		NodesAvailable: f.Datacenter().Tally(g.Base),
	}
	for _, dc := range s.d.Job.Datacenters {
		if _, ok := m.NodesAvailable[dc]; !ok && !isGlob(dc) {
			put(&m.NodesAvailable, dc, 0)
		}
	}
	left := g.Base.Clone()
	for _, c := range g.Checks {
		n := left.CountMissing(c.Pass)
		if n == 0 {
			continue
		}
		failed := left.Clone()
		failed.AndNot(c.Pass)
		left.And(c.Pass)
		put(&m.ConstraintFiltered, c.Reason, n)
		for class, n := range f.Class().Tally(failed) {
			put(&m.ClassFiltered, class, n)
		}
		m.NodesFiltered += n
	}
	return m
}

func isGlob(dc string) bool { return slices.Contains([]byte(dc), '*') }

// Metric gives the metric as of now: base with what depends on the allocations
// that are there. base is not changed, and shared where nothing differs.
func (s *Selector) Metric(base *api.AllocationMetric) *api.AllocationMetric {
	m := *base
	if s.distinct != nil {
		m.ClassFiltered, m.ConstraintFiltered = maps.Clone(base.ClassFiltered), maps.Clone(base.ConstraintFiltered)
	}
	s.shape.Sync()
	class := s.d.Fleet.Class()
	var short [fleet.Shortages]int
	for row := range s.d.Feasible.Rows.Rows() {
		if s.distinct != nil {
			if reason, ok := s.distinct.Allows(row); !ok {
				m.NodesFiltered++
				put(&m.ConstraintFiltered, reason, 1)
				classed(&m.ClassFiltered, class, row)
				continue
			}
		}
		if x := s.shape.Short[row]; x != fleet.Enough {
			short[x]++
			m.NodesExhausted++
			classed(&m.ClassExhausted, class, row)
			continue
		}
		if len(s.ports) == 0 {
			continue
		}
		if why := s.d.Fleet.PortsShort(row, s.ports); why != "" {
			m.NodesExhausted++
			put(&m.DimensionExhausted, why, 1)
			classed(&m.ClassExhausted, class, row)
		}
	}
	for x, n := range short {
		if n > 0 {
			put(&m.DimensionExhausted, fleet.Shortage(x).String(), n)
		}
	}
	m.ScoreMetaData = s.top()
	return &m
}

// Failed completes the metric of an allocation that could not be placed with
// what each task asks of that which is short.
func (s *Selector) Failed(m *api.AllocationMetric) *api.AllocationMetric {
	cpu, memory := m.DimensionExhausted[fleet.ShortCPU.String()] > 0, m.DimensionExhausted[fleet.ShortMemory.String()] > 0
	if !cpu && !memory {
		return m
	}
	m.ResourcesExhausted = map[string]*api.Resources{}
	for _, t := range s.d.Group.Tasks {
		if t.Resources == nil {
			continue
		}
		r := &api.Resources{}
		if cpu {
			r.CPU = t.Resources.CPU
		}
		if memory {
			r.MemoryMB = t.Resources.MemoryMB
		}
		m.ResourcesExhausted[t.Name] = r
	}
	return m
}

// Meta gives the scores of one row.
func (s *Selector) Meta(row int32) *api.NodeScoreMeta {
	scores := map[string]float64{ScoreBinpack: s.shape.Score[row]}
	if c := s.collisions[row]; c > 0 {
		scores[ScoreAntiAffinity] = antiAffinity(c, s.d.Group.Count)
	}
	return &api.NodeScoreMeta{NodeID: s.d.Fleet.Node(row).ID, Scores: scores, NormScore: s.score(row)}
}

// top gives the scores of the best rows, in the order in which they would be
// picked.
func (s *Selector) top() []*api.NodeScoreMeta {
	var best [topScores + 1]candidate
	n := 0
	for row := range s.d.Feasible.Rows.Rows() {
		if !s.open(row) {
			continue
		}
		c := candidate{s.shape.Score[row], row}
		if s.adjusted.Has(row) {
			c.score = s.score(row)
		}
		if n == topScores && !better(c, best[n-1], s.d.Fleet) {
			continue
		}
		if len(s.ports) > 0 && s.d.Fleet.PortsShort(row, s.ports) != "" {
			continue
		}
		i := n
		for ; i > 0 && better(c, best[i-1], s.d.Fleet); i-- {
			best[i] = best[i-1]
		}
		best[i] = c
		n = min(n+1, topScores)
	}
	out := make([]*api.NodeScoreMeta, n)
	for i := range out {
		out[i] = s.Meta(best[i].row)
	}
	return out
}

func classed(m *map[string]int, class *fleet.Column, row int32) {
	if id := class.ID(row); id != fleet.Missing {
		put(m, class.Value(id), 1)
	}
}

func put(m *map[string]int, key string, n int) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[key] += n
}
