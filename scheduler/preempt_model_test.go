package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/rank"
)

// TestPreemptionModel lets jobs of all priorities push each other about. What
// goes must be less important, on the node of what comes, and needed to make
// room; nothing is over-committed, and a fleet built anew agrees.
func TestPreemptionModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := preemption{model{T: t, world: newWorld()}}
		m.config.PreemptionConfig = api.PreemptionConfig{SystemSchedulerEnabled: true, BatchSchedulerEnabled: true, ServiceSchedulerEnabled: true}
		for range rapid.IntRange(1, 4).Draw(t, "nodes") {
			m.addNode()
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			step(t, m.submit, m.run, m.run, m.run, m.clientSays, m.clientSays)
		}
	})
}

type preemption struct{ model }

func (m *preemption) submit() {
	id := m.sample("job", "a1", "b1", "c1", "y1")
	j := job(id, rapid.IntRange(0, 5).Draw(m.T, "count"))
	if id == "y1" {
		j.Type = api.JobTypeSystem
		j.TaskGroups[0].Count = min(j.TaskGroups[0].Count, 1)
	}
	j.Priority = rapid.IntRange(1, 9).Draw(m.T, "priority") * 5
	g := j.TaskGroups[0]
	g.Tasks[0].Resources.CPU = rapid.IntRange(0, 4).Draw(m.T, "ask cpu") * 400
	g.Tasks[0].Resources.MemoryMB = rapid.IntRange(0, 4).Draw(m.T, "ask memory") * 400
	switch m.sample("ports", "none", "none", "static", "dynamic") {
	case "static":
		g.Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 80}}}}
	case "dynamic":
		g.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "x"}, {Label: "y"}}}}
	}
	if rapid.IntRange(0, 3).Draw(m.T, "distinct") == 0 {
		j.Constraints = parseConstraints("- distinct_hosts true")
	}
	m.putJob(j)
}

func (m *preemption) run() {
	if len(m.jobs) == 0 {
		return
	}
	var ids []string
	for k := range m.jobs {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	j := m.jobs[api.NamespacedID{Namespace: api.DefaultNamespace, ID: rapid.SampledFrom(ids).Draw(m.T, "evaluated")}]
	m.sameAnew(j)
	p, err := m.evaluate(m.eval(j))
	if err != nil {
		m.Fatal(err)
	}
	for i := range p.Placements {
		m.fair(p, &p.Placements[i])
	}
	m.needed(p)
	m.apply(p)
	if err := m.check(); err != nil {
		m.Fatal(err)
	}
}

// fair checks who goes for a placement.
func (m *preemption) fair(p *scheduler.Plan, x *scheduler.Placement) {
	for _, id := range x.Preempted {
		v := m.allocs[id]
		switch {
		case v.NodeID != x.Node.ID:
			m.Fatalf("%s on %s goes for one on %s", v.Name, v.NodeID, x.Node.ID)
		case v.ClientTerminal():
			m.Fatalf("%s is over, and is waited for", v.Name)
		case v.ServerTerminal() || !stoppedFor(p, id, x.ID): // leaves anyway
			continue
		case v.Job.Priority > p.Job.Priority-rank.PriorityGap:
			m.Fatalf("%s of priority %d goes for priority %d", v.Name, v.Job.Priority, p.Job.Priority)
		}
		stops := 0
		for _, s := range p.Stops {
			if s.Alloc.ID == id {
				stops++
				if !s.Evict || s.PreemptedBy != x.ID {
					m.Fatalf("%s is stopped as %+v", v.Name, s)
				}
			}
		}
		if stops != 1 {
			m.Fatalf("%s is stopped %d times", v.Name, stops)
		}
	}
	jobs := map[string]bool{}
	for _, id := range x.Preempted {
		if stoppedFor(p, id, x.ID) {
			jobs[m.allocs[id].JobID] = true
		}
	}
	for _, e := range p.NewEvals {
		delete(jobs, e.JobID)
	}
	if len(jobs) > 0 {
		m.Fatalf("nobody looks after %v", jobs)
	}
}

// stoppedFor says whether a plan stops an allocation for a placement.
func stoppedFor(p *scheduler.Plan, id, placement string) bool {
	return slices.ContainsFunc(p.Stops, func(s scheduler.Stop) bool { return s.Alloc.ID == id && s.PreemptedBy == placement })
}

// needed checks that the first placement with victims could not have done with
// fewer of them.
func (m *preemption) needed(p *scheduler.Plan) {
	if len(p.Placements) == 0 || len(p.Placements[0].Preempted) == 0 || p.Placements[0].Previous != "" {
		return
	}
	x := &p.Placements[0]
	add := fit.Of(fit.WithPorts(fit.Resources(x.Group, false), x.Group, x.Ports))
	for _, spared := range x.Preempted {
		if !stoppedFor(p, spared, x.ID) {
			continue
		}
		used := fit.Usage{}
		for _, a := range m.allocs {
			if a.NodeID != x.Node.ID || !fit.Counts(a) || a.ID != spared && (slices.Contains(x.Preempted, a.ID) || a.ServerTerminal()) {
				continue
			}
			u := fit.Of(a.AllocatedResources)
			used.Add(&u)
		}
		if _, ok := fit.Check(x.Node, &used, &add); ok && !m.dynamicPorts(x) {
			m.Fatalf("%s need not have gone from %s: %s, %+v for %+v beside %+v\n%s", spared, x.Node.ID, fmt.Sprint(x.Preempted), fit.Capacity(x.Node), add, used, m.tell(x.Node.ID))
		}
	}
}

// dynamicPorts says whether ports may have been what was short: which were free
// then is not known here.
func (m *preemption) dynamicPorts(x *scheduler.Placement) bool {
	return len(x.Group.Networks) > 0 && len(x.Group.Networks[0].DynamicPorts) > 0
}

// tell lists the allocations of a node.
func (m *preemption) tell(node string) string {
	out := ""
	for _, id := range slices.Sorted(maps.Keys(m.allocs)) {
		if a := m.allocs[id]; a.NodeID == node && fit.Counts(a) {
			u := fit.Of(a.AllocatedResources)
			out += fmt.Sprintf("%s %s %s/%s next %q by %q: %+v\n", id, a.Name, a.DesiredStatus, a.ClientStatus, a.NextAllocation, a.PreemptedByAllocation, u)
		}
	}
	return out
}
