package endpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

func whyNode(i int) *api.Node {
	return &api.Node{
		ID: fmt.Sprintf("0000%04d-aaaa-4bbb-8ccc-000000000001", i), Name: fmt.Sprint("n", i), Datacenter: "dc1", NodePool: "default",
		Status: "ready", SchedulingEligibility: "eligible", Drivers: map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 20000}, Memory: api.NodeMemoryResources{MemoryMB: 16000}, Disk: api.NodeDiskResources{DiskMB: 1_000_000},
		},
	}
}

func whyJob(id string, memory, count int) *api.Job {
	j := &api.Job{ID: id, Name: id, Namespace: "default", Region: "global", Type: "service", Priority: 50, Datacenters: []string{"*"}, NodePool: "default",
		TaskGroups: []*api.TaskGroup{{Name: "g", Count: count, EphemeralDisk: &api.EphemeralDisk{SizeMB: 300}, Tasks: []*api.Task{{
			Name: "t", Driver: "mock_driver", Resources: &api.Resources{CPU: 100, MemoryMB: memory},
		}}}}}
	j.Canonicalize()
	j.Update, j.TaskGroups[0].Update = nil, nil
	return j
}

// put writes to the store as a command would.
func (b *bench) put(f func(tx *state.Tx)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	tx := b.Store.Begin(b.index)
	f(tx)
	tx.Commit()
}

func whyAlloc(i int, job *api.Job, node *api.Node) *api.Allocation {
	return &api.Allocation{
		ID: fmt.Sprintf("9%07d-aaaa-4bbb-8ccc-000000000001", i), Name: fmt.Sprintf("%s.g[%d]", job.ID, i), Namespace: "default", JobID: job.ID, Job: job,
		TaskGroup: "g", NodeID: node.ID, NodeName: node.Name, DesiredStatus: "run", ClientStatus: "running",
		AllocatedResources: fit.Resources(job.TaskGroups[0], false),
	}
}

func TestWhyFollowsTheStore(t *testing.T) {
	b := newBench(t)
	b.apply(&fsm.JobRegister{Job: whyJob("web", 10000, 2)})
	ask := func() *api.JobWhy {
		t.Helper()
		answer, _, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web"})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := ask(); got.Groups[0].Funnel.Nodes != 0 || !strings.Contains(got.Summary, "no nodes") {
		t.Errorf("without nodes: %q, %d nodes", got.Summary, got.Groups[0].Funnel.Nodes)
	}
	b.apply(&fsm.NodeRegister{Node: whyNode(1)})
	got := ask()
	if g := got.Groups[0]; g.Unplaced != 1 || g.Funnel.Candidates != 0 || len(g.Suggestions) == 0 {
		t.Errorf("with a node: %+v", g)
	}
	job, _ := b.Store.View().Job("default", "web")
	a := whyAlloc(1, job, whyNode(1))
	b.put(func(tx *state.Tx) { tx.PutAllocation(a) })
	if g := ask().Groups[0]; g.Running != 1 || g.Unplaced != 1 || g.Funnel.Nearest.Short[0].Free != 6000 {
		t.Errorf("with an allocation: %+v", g)
	}
	of, _, err := call(b, api.AllocationWhyOf, &api.IDRequest{ID: a.ID})
	if err != nil || of.Now.Candidates != 1 || of.Summary != `It runs on node "n1".` {
		t.Errorf("of the allocation: %+v %v", of, err)
	}
	b.apply(&fsm.NodeRegister{Node: whyNode(2)})
	if g := ask().Groups[0]; g.Unplaced != 0 || g.Funnel.Nodes != 2 {
		t.Errorf("with two nodes: %+v", g)
	}
	if _, _, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "nobody"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("of a job that is not there: %v", err)
	}
}

func TestWhyWaitsForAChangeOfTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.apply(&fsm.NodeRegister{Node: whyNode(1)})
		b.apply(&fsm.JobRegister{Job: whyJob("web", 100, 1)})
		_, meta, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web"})
		if err != nil {
			t.Fatal(err)
		}
		running := make(chan int, 1)
		go func() {
			got, _, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web", QueryOptions: api.QueryOptions{Index: meta.Index, Wait: api.Duration(time.Minute)}})
			if err != nil {
				t.Error(err)
			}
			running <- got.Groups[0].Running
		}()
		synctest.Wait()
		job, _ := b.Store.View().Job("default", "web")
		b.put(func(tx *state.Tx) { tx.PutAllocation(whyAlloc(1, job, whyNode(1))) })
		begin := time.Now()
		if n := <-running; n != 1 || time.Since(begin) != 0 {
			t.Errorf("%d run, after %v", n, time.Since(begin))
		}
		// The fleet is let go of when nobody asks any more.
		time.Sleep(fleetIdle + time.Second)
		b.dry.mu.Lock()
		defer b.dry.mu.Unlock()
		if b.dry.fleet != nil {
			t.Error("the fleet is kept")
		}
	})
}

func TestFleetIsLoadedAgainAfterAGap(t *testing.T) {
	b := newBench(t)
	b.apply(&fsm.JobRegister{Job: whyJob("web", 100, 1)})
	if _, _, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web"}); err != nil {
		t.Fatal(err)
	}
	for i := range fleetRing + 10 {
		b.put(func(tx *state.Tx) { tx.PutNode(whyNode(i)) })
	}
	got, _, err := call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web"})
	if err != nil || got.Groups[0].Funnel.Nodes != fleetRing+10 {
		t.Errorf("%+v %v", got, err)
	}
	b.dry.forget()
	got, _, err = call(b, api.JobWhyOf, &api.JobReadRequest{ID: "web"})
	if err != nil || got.Groups[0].Funnel.Nodes != fleetRing+10 {
		t.Errorf("after it was forgotten: %+v %v", got, err)
	}
}

func TestJobsPlanSeesWhatCameBefore(t *testing.T) {
	b := newBench(t)
	b.apply(&fsm.NodeRegister{Node: whyNode(1)})
	ask := func(jobs ...*api.Job) (api.JobsPlanResponse, error) {
		resp, _, err := call(b, api.JobsPlan, &api.JobsPlanRequest{Jobs: jobs, Diff: true})
		return resp, err
	}
	for range 2 { // a plan changes nothing
		resp, err := ask(whyJob("a", 10000, 1), whyJob("b", 10000, 1), whyJob("c", 5000, 1))
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, p := range resp.Plans {
			if len(p.FailedTGAllocs) > 0 {
				failed = append(failed, p.ID)
			}
			if p.Diff == nil || p.Diff.Type != api.DiffAdded {
				t.Errorf("diff of %s: %+v", p.ID, p.Diff)
			}
		}
		if fmt.Sprint(failed) != "[b]" || resp.Totals != (api.JobsPlanTotals{Jobs: 3, Place: 3, Unplaced: 1}) {
			t.Errorf("failed: %v, totals %+v", failed, resp.Totals)
		}
	}
	single, _, err := call(b, api.JobPlan, &api.JobPlanRequest{ID: "b", Job: whyJob("b", 10000, 1)})
	if err != nil || len(single.FailedTGAllocs) != 0 {
		t.Errorf("alone: %+v %v", single.FailedTGAllocs, err)
	}
	for _, c := range []struct {
		jobs []*api.Job
		want string
	}{
		{nil, "Jobs must hold a job"},
		{[]*api.Job{nil}, "job 1 of the list"},
		{[]*api.Job{whyJob("a", 1000, 1), whyJob("a", 1000, 1)}, "in the list twice, at 1 and 2"},
		{[]*api.Job{whyJob("a", 1000, 1), whyJob("bad", 1000, -1)}, `job "bad":`},
		{make([]*api.Job, api.MaxJobsPlan+1), "too many"},
	} {
		if _, err := ask(c.jobs...); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// full fills a store with nodes and allocations, and one job that does not fit.
func full(tb testing.TB, nodes, allocs int) *bench {
	b := newBench(&testing.T{})
	b.Limits.JobMaxCount = 1 << 20
	var all []*api.Node
	b.put(func(tx *state.Tx) {
		for i := range nodes {
			all = append(all, whyNode(i))
			tx.PutNode(all[i])
		}
	})
	for j := range allocs / 1000 {
		b.put(func(tx *state.Tx) {
			job, _ := tx.RegisterJob(whyJob(fmt.Sprint("job-", j), 700, 1000), nil)
			base := fit.Resources(job.TaskGroups[0], false)
			for i := range 1000 {
				a := whyAlloc(j*1000+i, job, all[(j*1000+i)%nodes])
				a.AllocatedResources = base
				tx.PutAllocation(a)
			}
		})
	}
	b.put(func(tx *state.Tx) { tx.RegisterJob(whyJob("big", 15000, 10), nil) })
	return b
}

// BenchmarkDryRuns: 5,000 nodes and 100,000 allocations.
func BenchmarkDryRuns(b *testing.B) {
	x := full(b, 5000, 100_000)
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := x.Handle(b.Context(), api.JobPlan.Endpoint, &api.JobPlanRequest{ID: "new", Job: whyJob("new", 700, 10)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan-after-a-change", func(b *testing.B) {
		for b.Loop() {
			x.put(func(tx *state.Tx) { tx.PutNode(whyNode(1)) })
			if _, _, err := x.Handle(b.Context(), api.JobPlan.Endpoint, &api.JobPlanRequest{ID: "new", Job: whyJob("new", 700, 10)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			x.dry.forget()
			if _, _, err := x.Handle(b.Context(), api.JobPlan.Endpoint, &api.JobPlanRequest{ID: "new", Job: whyJob("new", 700, 10)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("why", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := x.Handle(b.Context(), api.JobWhyOf.Endpoint, &api.JobReadRequest{ID: "big"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
