package why_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/scheduler/why"
)

// randomWorld makes a cluster that is nearly full, and a job that may not fit.
func randomWorld(t testing.TB, r *rand.Rand) (*sim.World, *api.Job) {
	w := newWorld()
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	for i := range 2 + r.IntN(8) {
		s := spec{
			"dc": pick("dc1", "dc1", "dc2"), "pool": pick("default", "default", "default", "gpu"), "kernel": pick("linux", "linux", "windows"),
			"status": pick("ready", "ready", "ready", "ready", "down"), "eligibility": pick("eligible", "eligible", "eligible", "ineligible"),
			"memory": strconv.Itoa(500 + 100*r.IntN(15)), "cpu": strconv.Itoa(500 + 500*r.IntN(6)), "rack": pick("a", "b", "c"), "class": pick("", "big"),
		}
		if r.IntN(6) == 0 {
			s["drain"] = "yes"
		}
		if r.IntN(8) == 0 {
			s["max_allocs"] = "2"
		}
		w.PutNode(makeNode(fmt.Sprintf("n%d", i), s))
	}
	for i := range r.IntN(6) {
		run(t, w, makeJob(fmt.Sprintf("old%d", i), randomJob(r)))
	}
	j := makeJob("web", randomJob(r))
	run(t, w, j)
	return w, j
}

func randomJob(r *rand.Rand) spec {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	s := spec{
		"type": pick("service", "service", "batch", "system"), "dc": pick("*", "dc1"), "count": strconv.Itoa(1 + r.IntN(6)),
		"memory": strconv.Itoa(50 * (1 + r.IntN(16))), "cpu": strconv.Itoa(100 * (1 + r.IntN(10))), "priority": strconv.Itoa(10 * (1 + r.IntN(8))),
	}
	if r.IntN(3) == 0 {
		s["port"] = pick("80", "443")
	}
	if s["type"] != "system" {
		s["constraint"] = pick("", "", "${attr.kernel.name} = linux", "- distinct_hosts", "${attr.rack} distinct_property", "${attr.kernel.name} = linux;${attr.rack} != a")
	}
	if s["type"] != "system" && r.IntN(6) == 0 {
		s["gang"] = "yes"
	}
	if s["constraint"] == "" {
		delete(s, "constraint")
	}
	return s
}

// TestFunnelAddsUp: every node is removed by one step or is a candidate, what
// is unplaced has no candidate, and the fleet is as it was.
func TestFunnelAddsUp(t *testing.T) {
	for seed := range uint64(400) {
		w, j := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		before := usage(w)
		answer, err := why.Job(input(w), j)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range answer.Groups {
			adds(t, seed, g.Funnel)
			if g.Unplaced > 0 && g.Funnel.Candidates > 0 && !perNode(j) {
				t.Errorf("seed %d: %d are unplaced and %d nodes could take one", seed, g.Unplaced, g.Funnel.Candidates)
			}
			if len(g.Scores) != min(g.Funnel.Candidates, 5) && !perNode(j) {
				t.Errorf("seed %d: %d candidates and %d scores", seed, g.Funnel.Candidates, len(g.Scores))
			}
		}
		for a := range w.AllocationsByJob("default", "web") {
			x, err := why.Allocation(input(w), a)
			if err != nil {
				t.Fatal(err)
			}
			if x.Now != nil {
				adds(t, seed, x.Now)
			}
			if x.Now != nil && !a.Terminal() && x.Now.Candidates == 0 {
				t.Errorf("seed %d: %s runs where nothing fits", seed, a.Name)
			}
		}
		if after := usage(w); after != before {
			t.Fatalf("seed %d: the fleet was\n%s\nand is\n%s", seed, before, after)
		}
	}
}

func adds(t *testing.T, seed uint64, f *api.PlacementFunnel) {
	t.Helper()
	left := f.Nodes
	for _, s := range f.Steps {
		if left -= s.Removed; s.Removed < 0 || s.Left != left {
			t.Errorf("seed %d: %s %s removes %d and leaves %d of %d", seed, s.Stage, s.Reason, s.Removed, s.Left, left+s.Removed)
		}
	}
	if left != f.Candidates {
		t.Errorf("seed %d: %d are left and %d are candidates", seed, left, f.Candidates)
	}
}

func perNode(j *api.Job) bool { return j.Type == api.JobTypeSystem }

func usage(w *sim.World) string {
	var b strings.Builder
	f := w.Fleet()
	for row := range int32(f.Rows()) {
		if n := f.Node(row); n != nil {
			u := f.Used(row)
			fmt.Fprintf(&b, "%s %s %v %d/%d/%d/%d %v\n", n.ID, n.Status, f.Ready().Has(row), u.CPU, u.Memory, u.Disk, u.Allocs, u.Ports)
		}
	}
	return b.String()
}

// TestSuggestionsWork does what each suggestion says, and counts.
func TestSuggestionsWork(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(400) {
		w, j := randomWorld(t, rand.New(rand.NewPCG(seed, 1)))
		answer, err := why.Job(input(w), j)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Runs > why.DefaultRuns {
			t.Errorf("seed %d: %d runs", seed, answer.Runs)
		}
		for _, s := range answer.Groups[0].Suggestions {
			kinds[s.Kind]++
			mark := w.Mark()
			before := runs(w)
			follow(t, w, j, s)
			want := before + s.Places
			if s.Kind == api.SuggestCount {
				want = before
			}
			if got := runs(w); got < want {
				t.Errorf("seed %d: %q: %d ran and %d run, %d are promised", seed, s.Text, before, got, s.Places)
			}
			w.Undo(mark)
		}
	}
	for _, kind := range []string{
		api.SuggestConstraint, api.SuggestDatacenter, api.SuggestResources, api.SuggestCount, api.SuggestPreemption,
		api.SuggestPriority, api.SuggestPort, api.SuggestAllAtOnce, api.SuggestStop, api.SuggestNode, api.SuggestAddNode,
	} {
		if kinds[kind] == 0 {
			t.Errorf("no suggestion was of the kind %q: %v", kind, kinds)
		}
	}
}

func runs(w *sim.World) int {
	n := 0
	for a := range w.AllocationsByJob("default", "web") {
		if !a.Terminal() {
			n++
		}
	}
	return n
}

func follow(t *testing.T, w *sim.World, j *api.Job, s *api.PlacementSuggestion) {
	t.Helper()
	c := api.Clone(j)
	g := c.TaskGroups[0]
	to, _ := strconv.Atoi(strings.TrimSuffix(s.To, "%"))
	config := *w.SchedulerConfig()
	config.PreemptionConfig = api.PreemptionConfig{SystemSchedulerEnabled: true, BatchSchedulerEnabled: true, ServiceSchedulerEnabled: true}
	switch s.Kind {
	case api.SuggestConstraint:
		for i, x := range g.Constraints {
			if feasible.Describe(x) == s.Object {
				g.Constraints = append(g.Constraints[:i], g.Constraints[i+1:]...)
				break
			}
		}
	case api.SuggestDatacenter:
		c.Datacenters = append(c.Datacenters, s.To)
	case api.SuggestNodePool:
		c.NodePool = s.To
	case api.SuggestAllAtOnce:
		g.AllAtOnce = false
	case api.SuggestCount:
		g.Count = to
	case api.SuggestResources:
		switch r := g.Tasks[0].Resources; s.Object {
		case fit.DimensionMemory:
			r.MemoryMB = to
		case fit.DimensionCPU:
			r.CPU = to
		default:
			r.MemoryMB, r.CPU = r.MemoryMB*to/100, r.CPU*to/100
		}
	case api.SuggestPort:
		for _, n := range g.Networks {
			n.DynamicPorts, n.ReservedPorts = []api.Port{{Label: "http"}}, nil
		}
	case api.SuggestPreemption:
		w.Configure(&config)
	case api.SuggestPriority:
		w.Configure(&config)
		c.Priority = to
	case api.SuggestNode:
		n, _ := w.Node(s.Object)
		x := *n
		x.Status, x.SchedulingEligibility, x.DrainStrategy = "ready", "eligible", nil
		w.PutNode(&x)
	case api.SuggestStop:
		other, _ := w.Job("default", s.Object)
		x := *other
		x.Stop = true
		run(t, w, &x)
	case api.SuggestAddNode:
		_, like, _ := strings.Cut(s.Text, "like ")
		like, _, _ = strings.Cut(like, " ")
		n, _ := w.Node(like)
		for i := range to {
			x := *n
			x.ID = fmt.Sprintf("new%d", i)
			x.Name = x.ID
			x.Status, x.SchedulingEligibility, x.DrainStrategy = "ready", "eligible", nil
			w.PutNode(&x)
		}
	}
	run(t, w, c)
}
