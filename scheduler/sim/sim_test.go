package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

func testNode(i int, r *rand.Rand) *api.Node {
	return &api.Node{
		ID: fmt.Sprintf("n%02d", i), Name: fmt.Sprintf("n%02d", i), Datacenter: string(rune('a' + i%3)), NodePool: "default", NodeClass: []string{"", "big"}[i%2],
		Status: "ready", SchedulingEligibility: "eligible", Drivers: map[string]*api.DriverInfo{"mock": {Detected: true, Healthy: true}},
		Meta: map[string]string{"rack": fmt.Sprint("r", i%4)},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: int64(1000 + 500*r.IntN(5))}, Memory: api.NodeMemoryResources{MemoryMB: int64(1000 + 500*r.IntN(5))},
			Disk: api.NodeDiskResources{DiskMB: 10000},
		},
	}
}

func testJob(i int, r *rand.Rand) *api.Job {
	g := &api.TaskGroup{Name: "g", Count: 1 + r.IntN(6), EphemeralDisk: &api.EphemeralDisk{SizeMB: 10}, Update: &api.UpdateStrategy{MaxParallel: 1},
		Tasks: []*api.Task{{Name: "t", Driver: "mock", Resources: &api.Resources{CPU: 100 * (1 + r.IntN(8)), MemoryMB: 100 * (1 + r.IntN(8))}}}}
	if r.IntN(3) == 0 {
		g.Constraints = []*api.Constraint{{Operand: api.ConstraintDistinctHosts}}
	}
	return &api.Job{
		ID: fmt.Sprint("job", i), Namespace: "default", Type: []string{"service", "service", "batch", "system"}[r.IntN(4)], Priority: 10 * (1 + r.IntN(9)),
		Datacenters: []string{"*"}, NodePool: "default", TaskGroups: []*api.TaskGroup{g},
	}
}

func testWorld(t *testing.T, seed uint64) (w *World, jobs, waiting []*api.Job) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	w = NewWorld(nil, fleet.New(), time.Unix(1_700_000_000, 0))
	for i := range 3 + r.IntN(8) {
		w.PutNode(testNode(i, r))
	}
	for i := range 1 + r.IntN(8) {
		jobs = append(jobs, testJob(i, r))
	}
	if r.IntN(2) == 0 {
		c := *api.DefaultSchedulerConfiguration()
		c.PreemptionConfig.ServiceSchedulerEnabled = true
		w.Configure(&c)
	}
	report, err := Run(w, Edits{Jobs: jobs}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range report.Unplaced {
		j, _ := w.Job(u.Namespace, u.Job)
		waiting = append(waiting, j)
	}
	return w, jobs, waiting
}

// picture writes down all that can be seen of a world.
func picture(w *World, jobs []*api.Job) string {
	var b strings.Builder
	for _, n := range w.Nodes(func(*api.Node) bool { return true }) {
		row, _ := w.fleet.Row(n.ID)
		u := w.fleet.Used(row)
		fmt.Fprintf(&b, "%s %s %d %d %d %d\n", n.ID, n.Status, u.CPU, u.Memory, u.Disk, u.Allocs)
	}
	for _, j := range jobs {
		var lines []string
		for a := range w.AllocationsByJob(j.Namespace, j.ID) {
			lines = append(lines, fmt.Sprintf("%s %s %s %s %s", a.ID, a.Name, a.NodeID, a.DesiredStatus, a.ClientStatus))
		}
		slices.Sort(lines)
		fmt.Fprintln(&b, strings.Join(lines, "\n"))
	}
	return b.String()
}

// sound: nothing is over-committed, no name is taken twice, nothing runs on a
// node that is down, and the fleet counts what the allocations take.
func sound(t *testing.T, seed uint64, w *World, jobs []*api.Job) {
	t.Helper()
	used := map[string]*fit.Usage{}
	for _, j := range jobs {
		names := map[string]bool{}
		for a := range w.AllocationsByJob(j.Namespace, j.ID) {
			if a.Terminal() {
				continue
			}
			key := a.Name
			if j.Type == api.JobTypeSystem {
				key += a.NodeID
			}
			if names[key] {
				t.Errorf("seed %d: %s is there twice", seed, a.Name)
			}
			names[key] = true
			if n, _ := w.Node(a.NodeID); n.Status != api.NodeStatusReady {
				t.Errorf("seed %d: %s runs on a node that is %s", seed, a.Name, n.Status)
			}
			u := fit.Of(a.AllocatedResources)
			if used[a.NodeID] == nil {
				used[a.NodeID] = &fit.Usage{}
			}
			used[a.NodeID].Add(&u)
		}
	}
	for _, n := range w.Nodes(func(*api.Node) bool { return true }) {
		row, _ := w.fleet.Row(n.ID)
		has, is := fit.Capacity(n), w.fleet.Used(row)
		if !is.Within(&fit.Usage{CPU: has.CPU, Memory: has.Memory, Disk: has.Disk, Allocs: 1 << 30}) {
			t.Errorf("seed %d: %s has %+v and %+v is used", seed, n.ID, has, is)
		}
		if u := used[n.ID]; u != nil && (u.CPU != is.CPU || u.Allocs != is.Allocs) || u == nil && is.Allocs != 0 {
			t.Errorf("seed %d: the fleet counts %+v on %s, its allocations take %+v", seed, is, n.ID, u)
		}
	}
}

// TestEditsAreSound makes random edits, looks at the outcome and takes all back.
func TestEditsAreSound(t *testing.T) {
	for seed := range uint64(300) {
		w, jobs, waiting := testWorld(t, seed)
		sound(t, seed, w, jobs)
		before := picture(w, jobs)
		mark := w.Mark()
		r := rand.New(rand.NewPCG(seed, 3))
		nodes := w.Nodes(func(*api.Node) bool { return r.IntN(4) == 0 })
		e := Edits{Lose: nodes, Jobs: []*api.Job{testJob(50, r)}}
		if r.IntN(2) == 0 {
			e.Add = []*api.Node{testNode(90, r)}
		}
		report, err := Run(w, e, waiting, jobs)
		if err != nil {
			t.Fatal(err)
		}
		all := append(slices.Clone(jobs), e.Jobs...)
		sound(t, seed, w, all)
		whole(t, seed, w, all, report)
		after := picture(w, all)
		if _, err := Spares(w, SpareByNode, 100, report.Unplaced); err != nil {
			t.Fatal(err)
		}
		if now := picture(w, all); now != after {
			t.Fatalf("seed %d: the N+1 report changed the world", seed)
		}
		w.Undo(mark)
		if now := picture(w, jobs); now != before {
			t.Fatalf("seed %d: the world was\n%s\nand after Undo is\n%s", seed, before, now)
		}
	}
}

// whole: what a job asks for has a place or is told to have none.
func whole(t *testing.T, seed uint64, w *World, jobs []*api.Job, r *Report) {
	t.Helper()
	missing := map[string]int{}
	for _, u := range r.Unplaced {
		missing[u.Job] += u.Count
		if u.Why == "" || u.Why == "it fits now" && !strings.HasPrefix(u.Job, "job") {
			t.Errorf("seed %d: %+v", seed, u)
		}
	}
	for _, j := range jobs {
		if j.Type == api.JobTypeSystem {
			continue
		}
		n := 0
		for a := range w.AllocationsByJob(j.Namespace, j.ID) {
			if !a.Terminal() {
				n++
			}
		}
		if n+missing[j.ID] != j.TaskGroups[0].Count {
			t.Errorf("seed %d: %s asks for %d, has %d and misses %d", seed, j.ID, j.TaskGroups[0].Count, n, missing[j.ID])
		}
	}
}

// TestSpareIsWhatALossComesTo compares the N+1 report with losing each for real.
func TestSpareIsWhatALossComesTo(t *testing.T) {
	failing := 0
	for seed := range uint64(100) {
		w, _, waiting := testWorld(t, seed)
		was := 0
		base, err := Run(w, Edits{}, waiting, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range base.Unplaced {
			was += u.Count
		}
		spare, err := Spares(w, SpareByDatacenter, 100, base.Unplaced)
		if err != nil {
			t.Fatal(err)
		}
		failing += spare.Failing
		for _, o := range spare.Losses {
			mark := w.Mark()
			r, err := Run(w, Edits{Lose: w.Nodes(func(n *api.Node) bool { return n.Datacenter == o.Unit })}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Moves) != o.Moved {
				t.Errorf("seed %d: losing %s moves %d, the report says %d", seed, o.Unit, len(r.Moves), o.Moved)
			}
			w.Undo(mark)
		}
	}
	if failing == 0 {
		t.Error("no loss was ever too much")
	}
}

func TestSelectors(t *testing.T) {
	n := testNode(1, rand.New(rand.NewPCG(1, 1)))
	for text, want := range map[string]bool{
		"datacenter=b": true, "dc=b,class=big": true, "class=b*": true, "name=n0*": true, "meta.rack=r1": true, "datacenter!=a": true,
		"datacenter=a": false, "dc=b,class=small": false, "meta.row=1": false, "meta.row!=1": true, "attr.x=*": false, "id==n01": true,
	} {
		s, err := ParseSelector(text)
		if err != nil || s.Match(n) != want {
			t.Errorf("%s: %v %v, want %v", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "rack=1", "=5", "datacenter=a,"} {
		if _, err := ParseSelector(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestSample(t *testing.T) {
	var units []*unit
	for i := range 1000 {
		units = append(units, &unit{name: fmt.Sprint(i)})
	}
	got := sample(units, 100)
	seen := map[string]bool{}
	for _, u := range got {
		seen[u.name] = true
	}
	if len(got) != 100 || len(seen) != 100 || !seen["0"] || !seen["49"] || len(sample(units[:7], 100)) != 7 || len(sample(units, 1)) != 1 {
		t.Errorf("%d of %d", len(seen), len(got))
	}
}
