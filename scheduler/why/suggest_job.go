package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
)

// constraints tries to do without each constraint that removes nodes.
func (s *search) constraints() error {
	for i, c := range s.constraintList() {
		if !s.removes(c) {
			continue
		}
		job := s.job(func(j *api.Job, g *api.TaskGroup) { dropConstraint(j, g, i) })
		n, _, err := s.gain(edit{job: job})
		if err != nil {
			return err
		}
		text := feasible.Describe(c)
		s.add(0.25, n, api.PlacementSuggestion{Kind: api.SuggestConstraint, Object: text, From: text, Text: fmt.Sprintf("drop the constraint %q", text)})
	}
	return nil
}

// constraintList gives the constraints of the job, the group and its tasks.
func (s *search) constraintList() []*api.Constraint {
	out := slices.Concat(s.q.job.Constraints, s.g.Constraints)
	for _, t := range s.g.Tasks {
		out = append(out, t.Constraints...)
	}
	return out
}

// dropConstraint takes out the one at a place of constraintList.
func dropConstraint(j *api.Job, g *api.TaskGroup, at int) {
	lists := []*[]*api.Constraint{&j.Constraints, &g.Constraints}
	for _, t := range g.Tasks {
		lists = append(lists, &t.Constraints)
	}
	for _, list := range lists {
		if at < len(*list) {
			*list = slices.Delete(*list, at, at+1)
			return
		}
		at -= len(*list)
	}
}

// removes says whether a step of the funnel goes by the constraint.
func (s *search) removes(c *api.Constraint) bool {
	stage, text := api.StageDemand, feasible.Describe(c)
	switch c.Operand {
	case api.ConstraintDistinctHosts:
		stage, text = api.StageDistinct, api.ConstraintDistinctHosts
	case api.ConstraintDistinctProperty:
		stage, text = api.StageDistinct, c.LTarget
	}
	return slices.ContainsFunc(s.why.Funnel.Steps, func(x *api.FunnelStep) bool {
		return x.Stage == stage && x.Removed > 0 && (x.Reason == text || stage == api.StageDistinct && strings.Contains(x.Reason, text))
	})
}

// maxPlaces bounds the datacenters, pools and kinds of nodes that are tried.
const maxPlaces = 3

// datacenters tries others of the job's node pool, those with most nodes first.
func (s *search) datacenters() error {
	if s.removed(api.StageDatacenter) == 0 {
		return nil
	}
	others := map[string]int{}
	for n := range s.nodes() {
		if n.Ready() && inPool(s.q.job.NodePool, n) && !inDatacenter(s.q.job, n) {
			others[n.Datacenter]++
		}
	}
	for _, dc := range most(others, maxPlaces) {
		job := s.job(func(j *api.Job, _ *api.TaskGroup) { j.Datacenters = append(j.Datacenters, dc) })
		n, _, err := s.gain(edit{job: job})
		if err != nil {
			return err
		}
		s.add(0.2, n, api.PlacementSuggestion{
			Kind: api.SuggestDatacenter, Object: dc, To: dc, From: strings.Join(s.q.job.Datacenters, ", "),
			Text: fmt.Sprintf("add datacenter %q to the job's datacenters", dc),
		})
	}
	return nil
}

// pools tries other node pools, those with most nodes first.
func (s *search) pools() error {
	if s.removed(api.StagePool) == 0 || s.q.perNode() && s.why.Wanted > 0 {
		return nil
	}
	others := map[string]int{}
	for n := range s.nodes() {
		if n.Ready() && !inPool(s.q.job.NodePool, n) && inDatacenter(s.q.job, n) {
			others[n.NodePool]++
		}
	}
	for _, pool := range most(others, maxPlaces) {
		// What runs moves too, so this is asked as the new version that it would be.
		job := s.job(func(j *api.Job, _ *api.TaskGroup) {
			j.NodePool = pool
			next(j)
		})
		n, r, err := s.gain(edit{job: job})
		if err != nil {
			return err
		}
		if len(r.short) > 0 {
			continue
		}
		s.add(0.35, n, api.PlacementSuggestion{
			Kind: api.SuggestNodePool, Object: pool, From: s.q.job.NodePool, To: pool, Text: fmt.Sprintf("run the job in node pool %q instead of %q", pool, s.q.job.NodePool),
		})
	}
	return nil
}

func inPool(pool string, n *api.Node) bool {
	return pool == api.NodePoolAll || n.NodePool == pool || (n.NodePool == "" || n.NodePool == api.NodePoolDefault) && (pool == "" || pool == api.NodePoolDefault)
}

func inDatacenter(job *api.Job, n *api.Node) bool {
	return slices.ContainsFunc(job.Datacenters, func(glob string) bool { return feasible.Glob(glob, n.Datacenter) })
}

// count tries as many as there is room for.
func (s *search) count() error {
	fewer := s.why.Wanted - s.of + s.q.room(s.why)
	if s.q.perNode() || fewer <= 0 {
		return nil
	}
	r, err := s.q.try(edit{job: s.job(func(_ *api.Job, g *api.TaskGroup) { g.Count = fewer })})
	if err != nil || r.short[s.g.Name] > 0 {
		return err
	}
	s.add(float64(s.of)/float64(s.why.Wanted), s.of, api.PlacementSuggestion{
		Kind: api.SuggestCount, Object: "count", From: fmt.Sprint(s.why.Wanted), To: fmt.Sprint(fewer),
		Text: fmt.Sprintf("ask for count = %d: so many fit", fewer),
	})
	return nil
}

// ports tries dynamic ports instead of the static ones that are taken, and to
// stop a job that holds one.
func (s *search) ports() error {
	if !slices.ContainsFunc(s.why.Funnel.Steps, func(x *api.FunnelStep) bool { return strings.HasPrefix(x.Reason, "network: reserved port") }) {
		return nil
	}
	var names []string
	job := s.job(func(_ *api.Job, g *api.TaskGroup) {
		for _, w := range feasible.Networks(g) {
			for _, p := range w.ReservedPorts {
				names = append(names, fmt.Sprintf("%s=%d", p.Label, p.Value))
				p.Value = 0
				w.DynamicPorts = append(w.DynamicPorts, p)
			}
			w.ReservedPorts = nil
		}
	})
	n, _, err := s.gain(edit{job: job})
	if err != nil {
		return err
	}
	list := strings.Join(names, ", ")
	s.add(0.3, n, api.PlacementSuggestion{Kind: api.SuggestPort, Object: list, Text: fmt.Sprintf("let the scheduler choose the port instead of the static %s", list)})
	return s.holders()
}

// holders tries to stop the job that holds a port, on all nodes together.
func (s *search) holders() error {
	byJob := map[string][]*api.Allocation{}
	counts := map[string]int{}
	for row := range feasible.For(s.q.Fleet, s.q.job, s.g).Rows.Rows() {
		for _, a := range s.q.holders(row, s.g) {
			if a.JobID != s.q.job.ID || a.Namespace != s.q.job.Namespace {
				byJob[a.JobID] = append(byJob[a.JobID], a)
				counts[a.JobID]++
			}
		}
	}
	for _, id := range most(counts, maxPlaces) {
		n, _, err := s.gain(edit{gone: byJob[id]})
		if err != nil {
			return err
		}
		s.add(0.6, n, api.PlacementSuggestion{
			Kind: api.SuggestStop, Object: id, Preempts: map[string]int{id: len(byJob[id])},
			Text: fmt.Sprintf("stop job %q, which holds the port on %s", id, plural(len(byJob[id]), "node")),
		})
	}
	return nil
}

// amounts are what tasks can ask less of.
var amounts = []struct {
	dimension, name, unit string
	least                 int // that a job may ask for
	of                    func(g *api.TaskGroup, t *api.Task) *int
}{
	{fit.DimensionMemory, "memory", "MB", 10, func(_ *api.TaskGroup, t *api.Task) *int { return &t.Resources.MemoryMB }},
	{fit.DimensionCPU, "cpu", "MHz", 1, func(_ *api.TaskGroup, t *api.Task) *int { return &t.Resources.CPU }},
	{fit.DimensionCores, "cores", "", 1, func(_ *api.TaskGroup, t *api.Task) *int { return &t.Resources.Cores }},
	{fit.DimensionDisk, "ephemeral_disk size", "MB", 10, func(g *api.TaskGroup, _ *api.Task) *int { return &g.EphemeralDisk.SizeMB }},
}
