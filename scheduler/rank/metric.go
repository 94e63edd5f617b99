package rank

import (
	"maps"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

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
	s.shape.Sync()
	var v survey
	class := s.d.Fleet.Class()
	s.survey(&v)
	s.know(&v)

	m := *base
	if len(v.blocked) > 0 {
		m.ClassFiltered, m.ConstraintFiltered = maps.Clone(base.ClassFiltered), maps.Clone(base.ConstraintFiltered)
	}
	for b, n := range v.blocked {
		m.NodesFiltered += n
		put(&m.ConstraintFiltered, s.distinct.Reason(b), n)
	}
	if len(v.blocked) > 0 {
		for name, n := range class.Tally(v.blockedRows) {
			put(&m.ClassFiltered, name, n)
		}
	}
	for x, n := range v.short {
		if n > 0 {
			m.NodesExhausted += n
			put(&m.DimensionExhausted, fleet.Shortage(x).String(), n)
		}
	}
	for x, n := range v.ports {
		m.NodesExhausted += n
		put(&m.DimensionExhausted, x.Text(s.ports), n)
	}
	if m.NodesExhausted > 0 {
		m.ClassExhausted = class.Tally(v.shortRows)
	}
	m.ScoreMetaData = make([]*api.NodeScoreMeta, v.top.n)
	for i := range m.ScoreMetaData {
		m.ScoreMetaData[i] = s.Meta(v.top.best[i].row)
	}
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
	scores := map[string]float64{s.fitName(row): s.shape.Score[row]}
	if c := s.collisions.of(row); c > 0 {
		scores[ScoreAntiAffinity] = antiAffinity(int(c), s.d.Group.Count)
	}
	if s.affinity != nil {
		scores[ScoreAffinity] = s.affinity.Of[row]
	}
	if s.extra != nil {
		if x, ok := s.extra.score(row); ok {
			scores[ScoreDevices] = x
		}
	}
	if s.spread != nil {
		scores[ScoreSpread] = s.spread.score(row)
	}
	if slices.Contains(s.avoid, row) {
		scores[ScorePenalty] = penalty
	}
	return &api.NodeScoreMeta{NodeID: s.d.Fleet.Node(row).ID, Scores: scores, NormScore: s.score(row)}
}

func put(m *map[string]int, key string, n int) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[key] += n
}
