package why

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
)

// funnel is the work on a PlacementFunnel.
type funnel struct {
	q    *asker
	out  *api.PlacementFunnel
	left []int32 // rows that no step has removed yet
}

// funnel looks at every node for one more allocation of a group. there are the
// nodes that have one already, for jobs that run on every node.
func (q *asker) funnel(g *api.TaskGroup, s *selection, there map[string]bool) *api.PlacementFunnel {
	f := &funnel{q: q, out: &api.PlacementFunnel{Steps: []*api.FunnelStep{}}}
	for row := range int32(q.Fleet.Rows()) {
		if q.Fleet.Node(row) != nil {
			f.left = append(f.left, row)
		}
	}
	f.out.Nodes = len(f.left)
	f.reach()
	for _, c := range s.feasible.Checks {
		f.demand(g, c)
	}
	if there != nil {
		f.step(api.StagePresent, "runs there already", func(row int32) bool { return !there[q.Fleet.Node(row).ID] })
	}
	f.refusals(g, s)
	f.out.Candidates = len(f.left)
	return f.out
}

// maxDetail is how many different words on what was removed are kept of a step.
const maxDetail = 20

// demand looks at a demand of the group. Of drivers is told what the nodes themselves say about why they do not have them.
func (f *funnel) demand(g *api.TaskGroup, c feasible.Check) {
	detail := map[string]int{}
	step := f.step(api.StageDemand, c.Reason, func(row int32) bool {
		if c.Pass.Has(row) {
			return true
		}
		if strings.HasPrefix(c.Reason, feasible.ReasonDrivers) {
			words := feasible.MissingDriver(f.q.Fleet.Node(row), g)
			if _, known := detail[words]; words != "" && (known || len(detail) < maxDetail) {
				detail[words]++
			}
		}
		return false
	})
	if len(detail) > 0 {
		step.Detail = detail
	}
}

// reach looks at what has nothing to do with the group.
func (f *funnel) reach() {
	job := f.q.job
	pool := job.NodePool
	if pool == "" {
		pool = api.NodePoolDefault
	}
	node := f.q.Fleet.Node
	f.step(api.StagePool, pool, func(row int32) bool {
		of := node(row).NodePool
		return pool == api.NodePoolAll || of == pool || of == "" && pool == api.NodePoolDefault
	})
	f.step(api.StageDatacenter, strings.Join(job.Datacenters, ", "), func(row int32) bool {
		return slices.ContainsFunc(job.Datacenters, func(glob string) bool { return feasible.Glob(glob, node(row).Datacenter) })
	})
	detail := map[string]int{}
	step := f.step(api.StageReady, "ready and eligible", func(row int32) bool {
		n := node(row)
		if n.Ready() {
			return true
		}
		detail[Unready(n)]++
		return false
	})
	if len(detail) > 0 {
		step.Detail = detail
	}
}

// Unready says why a node takes no new allocations; empty when it does.
func Unready(n *api.Node) string {
	switch {
	case n.Status != api.NodeStatusReady:
		return n.Status
	case n.DrainStrategy != nil:
		return "draining"
	case n.SchedulingEligibility != api.NodeEligible:
		return api.NodeIneligible
	}
	return ""
}

// step removes the rows that are not kept.
func (f *funnel) step(stage, reason string, keep func(row int32) bool) *api.FunnelStep {
	before := len(f.left)
	kept := f.left[:0]
	for _, row := range f.left {
		if keep(row) {
			kept = append(kept, row)
		}
	}
	f.left = kept
	s := &api.FunnelStep{Stage: stage, Reason: reason, Removed: before - len(kept), Left: len(kept)}
	f.out.Steps = append(f.out.Steps, s)
	return s
}

// lack is why the selector refuses rows.
type lack struct {
	stage, reason string
	rows          []int32
}

// refusals asks the selector about every row that is left.
func (f *funnel) refusals(g *api.TaskGroup, s *selection) {
	lacks := map[string]*lack{}
	kept := f.left[:0]
	for _, row := range f.left {
		mark := s.tx.Mark()
		_, why, ok := s.PickRow(row)
		if ok {
			s.tx.Undo(mark)
			s.Absent(g.Name, row)
			kept = append(kept, row)
			continue
		}
		stage, reason := api.StageResources, why.Exhausted
		if why.Filtered != "" {
			stage, reason = api.StageDistinct, why.Filtered
		}
		l := lacks[stage+reason]
		if l == nil {
			l = &lack{stage: stage, reason: reason}
			lacks[stage+reason] = l
		}
		l.rows = append(l.rows, row)
	}
	all := make([]*lack, 0, len(lacks))
	for _, l := range lacks {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *lack) int {
		return cmp.Or(strings.Compare(a.stage, b.stage), cmp.Compare(order(a.reason), order(b.reason)), strings.Compare(a.reason, b.reason))
	})
	left := len(f.left)
	f.left = kept
	for _, l := range all {
		left -= len(l.rows)
		step := &api.FunnelStep{Stage: l.stage, Reason: l.reason, Removed: len(l.rows), Left: left}
		f.out.Steps = append(f.out.Steps, step)
		if l.stage == api.StageResources {
			step.Nearest = f.nearest(l, g, s)
			f.better(step.Nearest)
		}
	}
}

// dimensions are in the order in which the scheduler looks at them.
var dimensions = []string{
	fit.DimensionCPU, fit.DimensionMemory, fit.DimensionDisk, fit.DimensionMaxAllocs, fit.DimensionCores, fit.DimensionDevices,
}

func order(reason string) int {
	if i := slices.Index(dimensions, reason); i >= 0 {
		return i
	}
	return len(dimensions)
}

// nearest finds the row of a lack that is short of least.
func (f *funnel) nearest(l *lack, g *api.TaskGroup, s *selection) *api.NearestNode {
	var best *api.NearestNode
	var bestRow int32
	for _, row := range l.rows {
		n := f.q.Fleet.Node(row)
		x := &api.NearestNode{NodeID: n.ID, NodeName: n.Name, Short: f.q.shortfalls(row, g, &s.usage, l.reason)}
		if c := 0; best != nil {
			if c = cmp.Compare(distance(x), distance(best)); c > 0 || c == 0 && !f.q.Fleet.Before(row, bestRow) {
				continue
			}
		}
		best, bestRow = x, row
	}
	return best
}

// better keeps the nearest of all dimensions.
func (f *funnel) better(n *api.NearestNode) {
	if n != nil && (f.out.Nearest == nil || distance(n) < distance(f.out.Nearest)) {
		f.out.Nearest = n
	}
}

// distance says how far a node is from fitting: the sum of what is missing in
// parts of what is asked.
func distance(n *api.NearestNode) float64 {
	sum := 0.0
	for _, s := range n.Short {
		sum += float64(s.Missing) / float64(max(s.Asked, 1))
	}
	return sum
}
