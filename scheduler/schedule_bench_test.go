package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
)

// benchmark schedules a job of count allocations on a fleet, again and again,
// and reports placements per second.
func benchmark(b *testing.B, w *world, j *api.Job) {
	w.putJob(j)
	in := scheduler.Input{
		Eval: w.eval(j), State: w, Fleet: w.fleet, Now: time.Unix(1700000000, 0),
		NewID: func() string { return "00000000-0000-0000-0000-000000000000" },
	}
	b.ReportAllocs()
	placed := 0
	for b.Loop() {
		p, err := scheduler.Schedule(in)
		if err != nil {
			b.Fatal(err)
		}
		placed += len(p.Placements)
		w.fleet.Drop(p.Hold)
	}
	if want := j.TaskGroups[0].Count * b.N; placed != want && placed != 0 {
		b.Fatalf("placed %d of %d", placed, want)
	}
	report(b, placed)
}

func report(b *testing.B, placed int) {
	if placed > 0 {
		b.ReportMetric(float64(placed)/b.Elapsed().Seconds(), "placements/s")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(placed), "ns/placement")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "evals/s")
}

// emptyFleet makes nodes in three datacenters, of five classes.
func emptyFleet(nodes int) *world {
	w := newWorld()
	for i := range nodes {
		n := node(indexed("node-", i))
		n.Datacenter = fmt.Sprintf("dc%d", i%3)
		n.NodeClass = fmt.Sprintf("class%d", i%5)
		n.ComputedClass = n.NodeClass
		w.putNode(n)
	}
	return w
}

// fill puts allocations of a job of low priority on the nodes of a fleet, each
// of half a node's CPU, until the share of the fleet is full.
func fill(w *world, share float64) {
	low := job("low", 0)
	low.Priority = 20
	low.TaskGroups[0].Tasks[0].Resources.CPU = 2000
	w.putJob(low)
	resources := fit.Resources(low.TaskGroups[0], false)
	for i := range int(share * float64(len(w.nodes))) {
		for range 2 {
			w.putAlloc(&api.Allocation{
				ID: w.newID("low"), Namespace: low.Namespace, JobID: low.ID, Job: low, TaskGroup: "g", Name: "low.g[0]", NodeID: indexed("node-", i),
				DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning, AllocatedResources: resources,
			})
		}
	}
}

// shapes are what a job may ask for that changes how nodes are chosen.
var shapes = []struct {
	name   string
	change func(*api.Job)
}{
	{"plain", func(*api.Job) {}},
	{"constraints", func(j *api.Job) {
		j.Constraints = []*api.Constraint{
			{LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "linux"},
			{LTarget: "${attr.cpu.arch}", Operand: "regexp", RTarget: "amd|arm"},
			{LTarget: "${node.datacenter}", Operand: "!=", RTarget: "dc9"},
			{LTarget: "${attr.kernel.name}", Operand: "is_set"},
			{LTarget: "${node.class}", Operand: "set_contains_any", RTarget: "class1,class2,class3"},
		}
	}},
	{"affinity", func(j *api.Job) {
		j.Affinities = []*api.Affinity{
			{LTarget: "${node.datacenter}", Operand: "=", RTarget: "dc1", Weight: 70},
			{LTarget: "${node.class}", Operand: "=", RTarget: "class2", Weight: -30},
		}
	}},
	{"spread", func(j *api.Job) { j.Spreads = []*api.Spread{{Attribute: "${node.datacenter}", Weight: 50}} }},
	{"spread_targets", func(j *api.Job) {
		j.Spreads = []*api.Spread{{Attribute: "${node.datacenter}", Weight: 50, SpreadTarget: []*api.SpreadTarget{{Value: "dc0", Percent: 50}, {Value: "dc1", Percent: 30}}}}
	}},
	{"spread_nodes", func(j *api.Job) { j.Spreads = []*api.Spread{{Attribute: "${node.unique.id}", Weight: 50}} }},
	{"two_spreads_affinity", func(j *api.Job) {
		j.Spreads = []*api.Spread{{Attribute: "${node.datacenter}", Weight: 50}, {Attribute: "${node.class}", Weight: 20}}
		j.Affinities = []*api.Affinity{{LTarget: "${node.datacenter}", Operand: "=", RTarget: "dc1", Weight: 70}}
	}},
	{"distinct_hosts", func(j *api.Job) {
		j.Constraints = []*api.Constraint{{Operand: api.ConstraintDistinctHosts}}
	}},
	{"dynamic_port", func(j *api.Job) {
		j.TaskGroups[0].Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
	}},
	{"static_port", func(j *api.Job) {
		j.TaskGroups[0].Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 80}}}}
	}},
}

func BenchmarkSchedule(b *testing.B) {
	for _, count := range []int{1000, 1} {
		for _, c := range shapes {
			b.Run(fmt.Sprintf("nodes=5000/count=%d/%s", count, c.name), func(b *testing.B) {
				j := job("bench", count)
				c.change(j)
				benchmark(b, emptyFleet(5000), j)
			})
		}
		b.Run(fmt.Sprintf("nodes=5000/count=%d/full90", count), func(b *testing.B) {
			w := emptyFleet(5000)
			fill(w, 0.9)
			benchmark(b, w, job("bench", count))
		})
		b.Run(fmt.Sprintf("nodes=5000/count=%d/unplaceable", count), func(b *testing.B) {
			w := emptyFleet(5000)
			fill(w, 1)
			benchmark(b, w, job("bench", count))
		})
		b.Run(fmt.Sprintf("nodes=5000/count=%d/preemption", count), func(b *testing.B) {
			w := emptyFleet(5000)
			fill(w, 1)
			w.config.PreemptionConfig.ServiceSchedulerEnabled = true
			j := job("bench", count)
			j.Priority = 80
			benchmark(b, w, j)
		})
		b.Run(fmt.Sprintf("nodes=5000/count=%d/churn", count), func(b *testing.B) { benchmarkChurn(b, job("bench", count)) })
	}
	b.Run("nodes=100/count=500/plain", func(b *testing.B) { benchmark(b, emptyFleet(100), job("bench", 500)) })
}

// BenchmarkGrowth shows how the cost of a plain evaluation grows with the number
// of nodes, of the allocations that are there, and of those that are wanted.
func BenchmarkGrowth(b *testing.B) {
	for _, c := range []struct {
		nodes, there, count int
	}{
		{1000, 0, 1}, {5000, 0, 1}, {20000, 0, 1},
		{1000, 0, 1000}, {5000, 0, 1000}, {20000, 0, 1000},
		{5000, 0, 10}, {5000, 0, 100}, {5000, 0, 10000},
		{5000, 10000, 1000}, {5000, 100000, 1000}, {5000, 500000, 1000},
	} {
		b.Run(fmt.Sprintf("nodes=%d/there=%d/count=%d", c.nodes, c.there, c.count), func(b *testing.B) {
			w := emptyFleet(c.nodes)
			crowd(w, c.there)
			benchmark(b, w, job("bench", c.count))
		})
	}
}

// crowd puts small allocations of other jobs on the nodes of a fleet.
func crowd(w *world, n int) {
	tiny := job("tiny", 0)
	tiny.TaskGroups[0].Tasks[0].Resources = &api.Resources{CPU: 1, MemoryMB: 1}
	tiny.TaskGroups[0].EphemeralDisk = nil
	w.putJob(tiny)
	resources := fit.Resources(tiny.TaskGroups[0], false)
	for i := range n {
		w.fleet.AllocChange(nil, &api.Allocation{
			ID: indexed("tiny", i), Namespace: tiny.Namespace, JobID: tiny.ID, Job: tiny, TaskGroup: "g", NodeID: indexed("node-", i%len(w.nodes)),
			DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning, AllocatedResources: resources,
		})
	}
}

// benchmarkChurn has a node change between evaluations: at 20,000 evaluations of
// one or 200 of a thousand a second that is more than 1 % of the nodes.
func benchmarkChurn(b *testing.B, j *api.Job) {
	w := emptyFleet(5000)
	w.putJob(j)
	in := scheduler.Input{
		Eval: w.eval(j), State: w, Fleet: w.fleet, Now: time.Unix(1700000000, 0),
		NewID: func() string { return "00000000-0000-0000-0000-000000000000" },
	}
	placed, i := 0, 0
	for b.Loop() {
		c := *w.nodes[indexed("node-", i%5000)]
		c.Status = api.NodeStatusDown
		w.fleet.NodeUpsert(&c)
		p, err := scheduler.Schedule(in)
		if err != nil {
			b.Fatal(err)
		}
		placed += len(p.Placements)
		w.fleet.Drop(p.Hold)
		c.Status = api.NodeStatusReady
		w.fleet.NodeUpsert(&c)
		i++
	}
	report(b, placed)
}

// BenchmarkEvaluate schedules jobs that have allocations already.
func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*api.Job)
		places int
	}{
		{"ignore", nil, 0},
		{"in_place", func(j *api.Job) { j.TaskGroups[0].Tasks[0].KillTimeout = 1 }, 0},
		{"destructive", func(j *api.Job) { j.TaskGroups[0].Tasks[0].Env = map[string]string{"A": "1"} }, 1000},
		{"count_up", func(j *api.Job) { j.TaskGroups[0].Count = 2000 }, 1000},
		{"stop", func(j *api.Job) { j.Stop = true }, 0},
	} {
		b.Run("nodes=5000/count=1000/"+c.name, func(b *testing.B) {
			w := newWorld()
			for i := range 5000 {
				w.putNode(node(indexed("node-", i)))
			}
			j := job("bench", 1000)
			w.putJob(j)
			p, err := w.evaluate(w.eval(j))
			if err != nil {
				b.Fatal(err)
			}
			w.apply(p)
			if c.change != nil {
				j = job("bench", 1000)
				c.change(j)
				w.putJob(j)
			}
			e := w.eval(j)
			b.ReportAllocs()
			for b.Loop() {
				p, err := w.evaluate(e)
				if err != nil {
					b.Fatal(err)
				}
				if len(p.Placements) != c.places {
					b.Fatalf("placed %d", len(p.Placements))
				}
				w.fleet.Drop(p.Hold)
			}
			b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "allocs/s")
		})
	}
}

// BenchmarkSystem places a system job on every node.
func BenchmarkSystem(b *testing.B) {
	j := job("bench", 1)
	j.Type = api.JobTypeSystem
	w := newWorld()
	for i := range 5000 {
		w.putNode(node(indexed("node-", i)))
	}
	w.putJob(j)
	e := w.eval(j)
	for b.Loop() {
		p, err := w.evaluate(e)
		if err != nil || len(p.Placements) != 5000 {
			b.Fatal(len(p.Placements), err)
		}
		w.fleet.Drop(p.Hold)
	}
	b.ReportMetric(5000*float64(b.N)/b.Elapsed().Seconds(), "placements/s")
}
