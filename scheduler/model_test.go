package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// TestModel lets random things happen to a cluster and evaluates random jobs in
// between. After each plan the invariants must hold, what was not placed must
// fit nowhere, and a fleet built anew must lead to the same plan as the one that
// was kept up to date.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{T: t, world: newWorld()}
		m.config.SchedulerAlgorithm = rapid.SampledFrom([]string{api.SchedulerBinpack, api.SchedulerSpread}).Draw(t, "algorithm")
		for range rapid.IntRange(1, 6).Draw(t, "nodes") {
			m.addNode()
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			step(t, m.addNode, m.changeNode, m.submit, m.submit, m.evaluateJob, m.evaluateJob, m.evaluateJob, m.clientSays, m.clientSays, m.ask)
		}
	})
}

type model struct {
	*rapid.T
	*world
}

func (m *model) sample(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(m.T, label)
}

func (m *model) addNode() {
	n := node(m.newID("n"))
	n.NodeResources.Cpu.CpuShares = int64(rapid.IntRange(0, 4).Draw(m.T, "cpu") * 1000)
	n.NodeResources.Memory.MemoryMB = int64(rapid.IntRange(0, 4).Draw(m.T, "memory") * 1000)
	n.NodeMaxAllocs = rapid.IntRange(0, 4).Draw(m.T, "max allocs")
	n.NodeResources.MinDynamicPort, n.NodeResources.MaxDynamicPort = 20000, 20003
	n.Datacenter = m.sample("dc", "dc1", "dc2")
	n.Meta["rack"] = m.sample("rack", "r1", "r2", "r3")
	n.NodeClass = m.sample("class", "", "a")
	n.ComputedClass = feasible.ComputedClass(n)
	m.putNode(n)
}

func (m *model) changeNode() {
	if len(m.nodes) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.nodes))).Draw(m.T, "node")
	c := *m.nodes[id]
	switch m.sample("node change", "down", "ready", "ready", "ineligible", "eligible", "drain", "remove") {
	case "down":
		c.Status = api.NodeStatusDown
	case "ready":
		c.Status, c.DrainStrategy = api.NodeStatusReady, nil
	case "ineligible":
		c.SchedulingEligibility = api.NodeIneligible
	case "eligible":
		c.SchedulingEligibility = api.NodeEligible
	case "drain":
		c.DrainStrategy = &api.DrainStrategy{}
	case "remove":
		m.removeNode(id)
		return
	}
	m.putNode(&c)
}

var kinds = map[string]string{"s1": api.JobTypeService, "s2": api.JobTypeService, "b1": api.JobTypeBatch, "y1": api.JobTypeSystem, "z1": api.JobTypeSysbatch}

func (m *model) submit() {
	id := m.sample("job", slices.Sorted(maps.Keys(kinds))...)
	j := job(id, rapid.IntRange(0, 6).Draw(m.T, "count"))
	j.Type, j.Stop = kinds[id], rapid.IntRange(0, 9).Draw(m.T, "stop") == 0
	g := j.TaskGroups[0]
	g.Tasks[0].Resources.CPU = rapid.IntRange(0, 3).Draw(m.T, "ask cpu") * 400
	g.Tasks[0].Resources.MemoryMB = rapid.IntRange(0, 3).Draw(m.T, "ask memory") * 400
	g.Tasks[0].KillTimeout = api.Duration(rapid.IntRange(0, 1).Draw(m.T, "kill timeout"))
	if rapid.Bool().Draw(m.T, "second group") {
		j.TaskGroups = append(j.TaskGroups, group("h", rapid.IntRange(0, 3).Draw(m.T, "second count")))
	}
	switch m.sample("ports", "none", "none", "static", "dynamic") {
	case "static":
		g.Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 80}}}}
	case "dynamic":
		g.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "x"}, {Label: "y"}}}}
	}
	switch m.sample("constraint", "none", "none", "rack", "hosts", "property") {
	case "rack":
		j.Constraints = parseConstraints("${meta.rack} != r1")
	case "hosts":
		j.Constraints = parseConstraints("- distinct_hosts true")
	case "property":
		g.Constraints = parseConstraints("${meta.rack} distinct_property 2")
	}
	if rapid.Bool().Draw(m.T, "one datacenter") {
		j.Datacenters = []string{"dc1"}
	}
	m.wishes(j)
	m.putJob(j)
}

// wishes adds what has a say in where allocations go, and whether all of them do.
func (m *model) wishes(j *api.Job) {
	switch m.sample("wish", "none", "none", "even", "targets", "affinity") {
	case "even":
		j.Spreads = parseSpreads("100 ${meta.rack}")
	case "targets":
		j.TaskGroups[0].Spreads = parseSpreads("50 ${node.datacenter} dc1:70")
	case "affinity":
		j.TaskGroups[0].Affinities = parseAffinities("-50 ${meta.rack} = r2")
	}
	switch m.sample("gang", "none", "none", "none", "group", "job") {
	case "group":
		j.TaskGroups[0].AllAtOnce = true
	case "job":
		j.AllAtOnce = true
	}
}

// allOrNone checks that of a group, or of all groups, which wants that nothing is
// placed while something of it has no place, and that all of it is told.
func (m *model) allOrNone(j *api.Job, p *scheduler.Plan) {
	if j.Stop || j.Type == api.JobTypeSystem || j.Type == api.JobTypeSysbatch {
		return
	}
	short := false
	for _, g := range j.TaskGroups {
		short = short || p.Eval.QueuedAllocations[g.Name] > 0
	}
	for _, g := range j.TaskGroups {
		queued, f := p.Eval.QueuedAllocations[g.Name], p.Eval.FailedTGAllocs[g.Name]
		if queued > 0 && (f == nil || f.CoalescedFailures+1 != queued) {
			m.Fatalf("%d of group %s of %s are queued, and told is %+v", queued, g.Name, j.ID, f)
		}
		if queued == 0 && !(j.AllAtOnce && short) || !g.AllAtOnce && !j.AllAtOnce {
			continue
		}
		for i := range p.Placements {
			if p.Placements[i].Group.Name == g.Name {
				m.Fatalf("group %s of %s is placed in part, %d are queued", g.Name, j.ID, queued)
			}
		}
	}
}

// live gives the allocations that shall run or still do, in order.
func (m *model) live() []string {
	var ids []string
	for id, a := range m.allocs {
		if !a.ClientTerminal() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *model) clientSays() {
	if ids := m.live(); len(ids) > 0 {
		id := rapid.SampledFrom(ids).Draw(m.T, "alloc")
		status := m.sample("client status", api.AllocClientRunning, api.AllocClientComplete, api.AllocClientFailed)
		m.change(id, func(a *api.Allocation) { a.ClientStatus = status })
	}
}

// ask marks an allocation to be moved or placed again.
func (m *model) ask() {
	yes := true
	if len(m.allocs) > 0 {
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.allocs))).Draw(m.T, "asked alloc")
		migrate := rapid.Bool().Draw(m.T, "migrate")
		m.change(id, func(a *api.Allocation) {
			if migrate {
				a.DesiredTransition.Migrate = &yes
			} else {
				a.DesiredTransition.ForceReschedule = &yes
			}
		})
	}
}

func (m *model) evaluateJob() {
	if len(m.jobs) == 0 {
		return
	}
	ids := slices.Collect(maps.Keys(m.jobs))
	slices.SortFunc(ids, func(a, b api.NamespacedID) int {
		return len(a.ID) - len(b.ID) + int(a.ID[0]) - int(b.ID[0]) + int(a.ID[1]) - int(b.ID[1])
	})
	j := m.jobs[rapid.SampledFrom(ids).Draw(m.T, "evaluated")]
	m.sameAnew(j)
	p, err := m.evaluate(m.eval(j))
	if err != nil {
		m.Fatal(err)
	}
	m.apply(p)
	if err := m.check(); err != nil {
		m.Fatal(err)
	}
	switch p.Eval.Status {
	case api.EvalComplete, api.EvalBlocked:
	default:
		m.Fatalf("evaluation is %s", p.Eval.Status)
	}
	m.allOrNone(j, p)
	if !j.Stop && (j.Type == api.JobTypeService || j.Type == api.JobTypeBatch) {
		m.complete(j, p)
	}
	m.placedWell(p)
}

// sameAnew compares a dry run on the fleet with one on a fleet built anew from
// the same cluster in another order.
func (m *model) sameAnew(j *api.Job) {
	e := *m.eval(j)
	delete(m.evals, e.ID)
	e.AnnotatePlan = true
	before := m.usage()
	a, err := m.evaluate(&e)
	if err != nil {
		m.Fatal(err)
	}
	if after := m.usage(); after != before {
		m.Fatalf("a dry run changed the fleet:\n%s\n%s", before, after)
	}
	kept := m.fleet
	nodes := slices.SortedFunc(maps.Values(m.nodes), func(a, b *api.Node) int { return -int(a.CreateIndex) - len(a.ID) + len(b.ID) })
	slices.Reverse(nodes)
	m.fleet = fleet.Load(slices.Values(nodes), maps.Values(m.allocs))
	b, err := m.evaluate(&e)
	m.fleet = kept
	if err != nil {
		m.Fatal(err)
	}
	if x, y := places(a), places(b); x != y {
		m.Fatalf("the kept fleet leads to\n%s\na new one to\n%s", x, y)
	}
}

func places(p *scheduler.Plan) string {
	out := ""
	for _, x := range p.Placements {
		out += fmt.Sprintf("%s[%d] on %s, ", x.Group.Name, x.Index, x.Node.ID)
	}
	for _, g := range slices.Sorted(maps.Keys(p.Eval.FailedTGAllocs)) {
		f := p.Eval.FailedTGAllocs[g]
		out += fmt.Sprintf("failed %s %v %v; ", g, f.ConstraintFiltered, f.DimensionExhausted)
	}
	return out
}

// complete checks that every group has its count, but for what is queued, and
// that nothing queued would fit anywhere.
func (m *model) complete(j *api.Job, p *scheduler.Plan) {
	for _, g := range j.TaskGroups {
		there := 0
		for _, a := range m.allocs {
			if a.JobID != j.ID || a.TaskGroup != g.Name || a.ServerTerminal() {
				continue
			}
			if !a.ClientTerminal() || a.Job == j && a.ClientStatus == api.AllocClientFailed || a.ClientStatus == api.AllocClientFailed && j.Type == api.JobTypeService ||
				a.Job == j && a.ClientStatus == api.AllocClientComplete && j.Type == api.JobTypeBatch {
				there++
			}
		}
		// A destructive update that found no place counts as queued and as there.
		queued := p.Eval.QueuedAllocations[g.Name]
		if there > g.Count || there+queued < g.Count {
			m.Fatalf("group %s of %s: %d there, %d queued, count %d", g.Name, j.ID, there, queued, g.Count)
		}
		if queued > 0 && !g.AllAtOnce && !j.AllAtOnce && len(j.Constraints)+len(g.Constraints) == 0 && there+queued == g.Count {
			m.fitsNowhere(j, g)
		}
	}
}

func (m *model) fitsNowhere(j *api.Job, g *api.TaskGroup) {
	ask := fit.Of(fit.Resources(g, false))
	asks := feasible.Ports(g)
	for id, n := range m.nodes {
		row, _ := m.fleet.Row(id)
		if !n.Ready() || !slices.ContainsFunc(j.Datacenters, func(d string) bool { return feasible.Glob(d, n.Datacenter) }) {
			continue
		}
		if _, ok := fit.Check(n, m.fleet.Used(row), &ask); !ok {
			continue
		}
		if _, why := m.fleet.Ports(row, asks, 1); why == (fleet.PortShortage{}) || len(asks) == 0 {
			m.Fatalf("%s of %s waits, though it fits on %s", g.Name, j.ID, id)
		}
	}
}

// scored writes how nodes were scored.
func scored(of []*api.NodeScoreMeta) string {
	out := ""
	for _, m := range of {
		out += fmt.Sprintf("\n%s %v %v", m.NodeID, m.NormScore, m.Scores)
	}
	return out
}

// placedWell checks the nodes of placements by the plainest reading of the job.
func (m *model) placedWell(p *scheduler.Plan) {
	hosts, racks := map[string]int{}, map[string]int{}
	for _, a := range m.allocs {
		if n := m.nodes[a.NodeID]; n != nil && p.Job != nil && a.JobID == p.Job.ID && !a.Terminal() {
			hosts[n.ID]++
			if a.TaskGroup == "g" {
				racks[n.Meta["rack"]]++
			}
		}
	}
	for _, x := range p.Placements {
		n := m.nodes[x.Node.ID]
		if n == nil || !n.Ready() {
			m.Fatalf("placed on %s, which is not ready", x.Node.ID)
		}
		if best := x.Metrics.ScoreMetaData; len(best) == 0 || best[0].NodeID != n.ID {
			m.Fatalf("placed on %s, though another node is best:%s\n%s\n%s", n.ID, scored(best), tell(p), (&rolloutModel{model: *m}).dump(p.Job.ID))
		}
		for _, c := range p.Job.Constraints {
			switch {
			case c.Operand == api.ConstraintDistinctHosts:
				if hosts[n.ID] > 1 {
					m.Fatalf("%d allocations on %s despite distinct_hosts", hosts[n.ID], n.ID)
				}
			case !feasible.Holds(c, n):
				m.Fatalf("placed on %s against %s", n.ID, feasible.Describe(c))
			}
		}
		for _, c := range x.Group.Constraints {
			if c.Operand == api.ConstraintDistinctProperty && racks[n.Meta["rack"]] > 2 {
				m.Fatalf("%d allocations in rack %s", racks[n.Meta["rack"]], n.Meta["rack"])
			}
		}
	}
}
