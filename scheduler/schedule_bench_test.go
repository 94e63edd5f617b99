package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
)

// benchmark schedules a job of count allocations on an otherwise empty fleet,
// again and again, and reports placements per second.
func benchmark(b *testing.B, nodes int, j *api.Job) {
	w := newWorld()
	for i := range nodes {
		n := node(indexed("node-", i))
		n.Datacenter = fmt.Sprintf("dc%d", i%3)
		n.NodeClass = fmt.Sprintf("class%d", i%5)
		n.ComputedClass = n.NodeClass
		w.putNode(n)
	}
	w.putJob(j)
	ids := 0
	in := scheduler.Input{
		Eval: w.eval(j), State: w, Fleet: w.fleet, Now: time.Unix(1700000000, 0),
		NewID: func() string { ids++; return "00000000-0000-0000-0000-000000000000" },
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
	if want := j.TaskGroups[0].Count * b.N; placed != want {
		b.Fatalf("placed %d of %d", placed, want)
	}
	b.ReportMetric(float64(placed)/b.Elapsed().Seconds(), "placements/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(placed), "ns/placement")
}

func BenchmarkSchedule(b *testing.B) {
	for _, c := range []struct {
		nodes, count int
		shape        string
		change       func(*api.Job)
	}{
		{5000, 1000, "plain", func(*api.Job) {}},
		{100, 500, "plain", func(*api.Job) {}},
		{5000, 1, "plain", func(*api.Job) {}},
		{5000, 1000, "constraints", func(j *api.Job) {
			j.Constraints = []*api.Constraint{
				{LTarget: "${attr.kernel.name}", Operand: "=", RTarget: "linux"},
				{LTarget: "${attr.cpu.arch}", Operand: "regexp", RTarget: "amd|arm"},
				{LTarget: "${node.datacenter}", Operand: "!=", RTarget: "dc9"},
				{LTarget: "${attr.kernel.name}", Operand: "is_set"},
				{LTarget: "${node.class}", Operand: "set_contains_any", RTarget: "class1,class2,class3"},
			}
		}},
		{5000, 1000, "distinct_hosts", func(j *api.Job) {
			j.Constraints = []*api.Constraint{{Operand: api.ConstraintDistinctHosts}}
		}},
		{5000, 1000, "dynamic_port", func(j *api.Job) {
			j.TaskGroups[0].Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
		}},
		{5000, 1000, "static_port", func(j *api.Job) {
			j.TaskGroups[0].Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 80}}}}
		}},
	} {
		b.Run(fmt.Sprintf("nodes=%d/count=%d/%s", c.nodes, c.count, c.shape), func(b *testing.B) {
			j := job("bench", c.count)
			c.change(j)
			benchmark(b, c.nodes, j)
		})
	}
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
