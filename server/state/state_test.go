package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
	"github.com/seraihq/serai/scheduler/fit"
)

func uuid(n int) string {
	return fmt.Sprintf("%08x-1111-4222-8333-%012x", uint32(n)*2654435761, n)
}

func testJob(id string, count int) *api.Job {
	return &api.Job{
		Region: "global", Namespace: "default", ID: id, Name: id, Type: api.JobTypeService, Priority: 50, NodePool: "default",
		Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: "web", Count: count, EphemeralDisk: &api.EphemeralDisk{SizeMB: 300},
			Networks: []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}},
			Tasks: []*api.Task{{
				Name: "server", Driver: "raw_exec", Config: map[string]any{"command": "/bin/sleep", "args": []any{"60"}, "n": int64(3)},
				Env: map[string]string{"A": "b"}, Resources: &api.Resources{CPU: 100, MemoryMB: 64},
			}},
		}},
	}
}

func testNode(n int) *api.Node {
	return &api.Node{
		ID: uuid(1000000 + n), SecretID: api.Sensitive(uuid(2000000 + n)), Name: fmt.Sprint("node-", n), Datacenter: "dc1", NodePool: "default",
		Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 8192}, Disk: api.NodeDiskResources{DiskMB: 100000},
		},
		Attributes: map[string]string{"kernel.name": "linux"},
	}
}

func testEval(n int, job *api.Job, status string) *api.Evaluation {
	return &api.Evaluation{ID: uuid(3000000 + n), Namespace: job.Namespace, JobID: job.ID, Type: job.Type, Priority: 50, Status: status, TriggeredBy: api.TriggerJobRegister}
}

// testAllocation is as PlanApply makes one: what can be shared is shared.
func testAllocation(n int, job *api.Job, node *api.Node, base *api.AllocatedResources, evalID string) *api.Allocation {
	g := job.TaskGroups[0]
	return &api.Allocation{
		ID: uuid(n), Namespace: job.Namespace, EvalID: evalID, Name: fmt.Sprintf("%s.%s[%d]", job.ID, g.Name, n),
		NodeID: node.ID, NodeName: node.Name, JobID: job.ID, Job: job, TaskGroup: g.Name,
		AllocatedResources: fit.WithPorts(base, g, []api.PortMapping{{Label: "http", Value: 20000 + n%10000, HostIP: "10.0.0.1"}}),
		DesiredStatus:      api.AllocDesiredRun, ClientStatus: api.AllocClientPending, CreateTime: 1, ModifyTime: 1,
	}
}

func commit(s *Store, index uint64, do func(tx *Tx)) *View {
	tx := s.Begin(index)
	do(tx)
	return tx.Commit()
}

func TestBuiltins(t *testing.T) {
	v := New().View()
	for _, pool := range []string{"all", "default"} {
		if _, ok := v.NodePool(pool); !ok {
			t.Errorf("node pool %q is missing", pool)
		}
	}
	if _, ok := v.Namespace("default"); !ok {
		t.Error("namespace default is missing")
	}
	if v.SchedulerConfig().SchedulerAlgorithm != api.SchedulerBinpack {
		t.Error("scheduler configuration is missing")
	}
}

func TestJobVersions(t *testing.T) {
	s := New()
	commit(s, 10, func(tx *Tx) { tx.RegisterJob(testJob("j", 1), &api.JobSubmission{Source: "v0"}) })
	v := commit(s, 11, func(tx *Tx) {
		if _, changed := tx.RegisterJob(testJob("j", 1), nil); changed {
			t.Error("the same specification made a new version")
		}
	})
	j, _ := v.Job("default", "j")
	if j.Version != 0 || j.JobModifyIndex != 10 || j.CreateIndex != 10 || j.Status != api.JobStatusPending {
		t.Fatalf("job is %+v", j)
	}
	commit(s, 12, func(tx *Tx) { tx.TagJobVersion("default", "j", 0, &api.JobVersionTag{Name: "first"}) })
	commit(s, 13, func(tx *Tx) { tx.RegisterJob(testJob("j", 2), nil); tx.SetJobStable("default", "j", 1, true) })
	for i := range uint64(10) {
		v = commit(s, 14+i, func(tx *Tx) { tx.RegisterJob(testJob("j", 10+int(i)), nil) })
	}
	var got []uint64
	for _, j := range v.JobVersions("default", "j") {
		got = append(got, j.Version)
	}
	if want := []uint64{11, 10, 9, 8, 7, 6, 1, 0}; !slices.Equal(got, want) { // newest, stable, tagged
		t.Errorf("kept versions %v, want %v", got, want)
	}
	if sub, ok := v.JobSubmission("default", "j", 0); !ok || sub.Source != "v0" || sub.JobIndex != 10 {
		t.Errorf("submission is %+v", sub)
	}
	v = commit(s, 30, func(tx *Tx) { tx.StopJob("default", "j", 5) })
	j, _ = v.Job("default", "j")
	if !j.Stop || j.Version != 12 || j.Status != api.JobStatusDead || j.CreateIndex != 10 || j.JobModifyIndex != 30 {
		t.Errorf("stopped job is %+v", j)
	}
	v = commit(s, 31, func(tx *Tx) { tx.DeleteJob("default", "j") })
	if n := len(v.JobVersions("default", "j")); n != 0 {
		t.Errorf("%d versions are left of a purged job", n)
	}
	if _, ok := v.JobSummary("default", "j"); ok {
		t.Error("a summary is left of a purged job")
	}
}

// TestJobLife follows status and summary from the register to the end.
func TestJobLife(t *testing.T) {
	s := New()
	job, node := testJob("j", 2), testNode(1)
	base := fit.Resources(job.TaskGroups[0], false)
	index := uint64(10)
	step := func(want string, summary api.TaskGroupSummary, do func(tx *Tx)) {
		t.Helper()
		index++
		v := commit(s, index, do)
		j, _ := v.Job("default", "j")
		sum, _ := v.JobSummary("default", "j")
		if j.Status != want || sum.Summary["web"] != summary {
			t.Fatalf("at %d: status %q, summary %+v; want %q, %+v", index, j.Status, sum.Summary["web"], want, summary)
		}
	}
	set := func(n int, status string) func(tx *Tx) {
		return func(tx *Tx) {
			old, _ := tx.Allocation(uuid(n))
			a := *old
			a.ClientStatus = status
			tx.UpdateAllocation(&a)
		}
	}
	step("pending", api.TaskGroupSummary{}, func(tx *Tx) {
		tx.PutNode(node)
		tx.RegisterJob(job, nil)
		tx.PutEvaluation(testEval(1, job, api.EvalPending))
	})
	step("pending", api.TaskGroupSummary{Queued: 2}, func(tx *Tx) {
		e := testEval(1, job, api.EvalPending)
		e.QueuedAllocations = map[string]int{"web": 2}
		tx.PutEvaluation(e)
	})
	step("running", api.TaskGroupSummary{Starting: 2}, func(tx *Tx) {
		tx.PutAllocation(testAllocation(1, job, node, base, uuid(1)))
		tx.PutAllocation(testAllocation(2, job, node, base, uuid(1)))
		tx.PutEvaluation(testEval(1, job, api.EvalComplete))
	})
	step("running", api.TaskGroupSummary{Starting: 1, Running: 1}, set(1, "running"))
	step("running", api.TaskGroupSummary{Running: 2}, set(2, "running"))
	if u, ok := s.View().NodeUsage(node.ID); !ok || u.CPU != 200 || u.Memory != 128 || u.Allocs != 2 || len(u.Ports) != 2 {
		t.Errorf("usage is %+v", u)
	}
	step("running", api.TaskGroupSummary{Running: 1, Failed: 1}, set(1, "failed"))
	step("running", api.TaskGroupSummary{Failed: 1, Unknown: 1}, set(2, "unknown"))
	step("dead", api.TaskGroupSummary{Failed: 1, Complete: 1}, set(2, "complete"))
	if _, ok := s.View().NodeUsage(node.ID); ok {
		t.Error("usage is left when everything is over")
	}
	step("dead", api.TaskGroupSummary{Failed: 1, Complete: 1}, func(tx *Tx) {
		tx.DeleteAllocation(uuid(1))
		tx.DeleteAllocation(uuid(2))
		tx.DeleteEvaluation(uuid(3000001))
	})
	step("pending", api.TaskGroupSummary{Failed: 1, Complete: 1}, func(tx *Tx) { tx.PutEvaluation(testEval(2, job, api.EvalPending)) })
}

func TestChildrenAreCounted(t *testing.T) {
	s := New()
	parent := testJob("p", 1)
	parent.Type, parent.Periodic = api.JobTypeBatch, &api.PeriodicConfig{Enabled: true, Spec: "@daily"}
	child := testJob("p/1", 1)
	child.Type, child.ParentID = api.JobTypeBatch, "p"
	children := func() api.JobChildrenSummary {
		sum, _ := s.View().JobSummary("default", "p")
		return *sum.Children
	}
	commit(s, 10, func(tx *Tx) {
		tx.RegisterJob(parent, nil)
		tx.RegisterJob(child, nil)
		tx.PutEvaluation(testEval(1, child, api.EvalPending))
	})
	if got := children(); got != (api.JobChildrenSummary{Pending: 1}) {
		t.Errorf("children %+v", got)
	}
	if p, _ := s.View().Job("default", "p"); p.Status != api.JobStatusRunning {
		t.Errorf("a periodic job is %s", p.Status)
	}
	commit(s, 11, func(tx *Tx) { tx.PutEvaluation(testEval(1, child, api.EvalComplete)) })
	if got := children(); got != (api.JobChildrenSummary{Dead: 1}) {
		t.Errorf("children %+v", got)
	}
	commit(s, 12, func(tx *Tx) { tx.DeleteJob("default", "p/1") })
	if got := children(); got != (api.JobChildrenSummary{Dead: 1}) {
		t.Errorf("children %+v", got)
	}
}

func TestCompleteEvaluationCancelsBlocked(t *testing.T) {
	s := New()
	job := testJob("j", 1)
	commit(s, 10, func(tx *Tx) {
		tx.RegisterJob(job, nil)
		tx.PutEvaluation(testEval(1, job, api.EvalBlocked))
	})
	v := commit(s, 11, func(tx *Tx) { tx.PutEvaluation(testEval(2, job, api.EvalComplete)) })
	if e, _ := v.Evaluation(uuid(3000001)); e.Status != api.EvalCancelled || e.StatusDescription == "" {
		t.Errorf("blocked evaluation is %+v", e)
	}
}

func TestPrefix(t *testing.T) {
	s := New()
	v := commit(s, 10, func(tx *Tx) {
		for i := range 50 {
			tx.PutNode(testNode(i))
		}
	})
	id := testNode(7).ID
	for _, n := range []int{1, 8, 9, 13, 36} {
		found := 0
		for x := range v.NodesByPrefix(id[:n]) {
			if x.ID[:n] != id[:n] {
				t.Errorf("prefix %q gave %s", id[:n], x.ID)
			}
			found++
		}
		if found == 0 {
			t.Errorf("prefix %q of %s finds nothing", id[:n], id)
		}
	}
	if n, ok := v.NodeBySecret(string(testNode(7).SecretID)); !ok || n.ID != id {
		t.Error("a node is not found by its secret")
	}
}

// populated is a store with something in every table.
func populated(t testing.TB, jobs, allocs int) *Store {
	s := New()
	var nodes []*api.Node
	commit(s, 10, func(tx *Tx) {
		for i := range 20 {
			nodes = append(nodes, testNode(i))
			tx.PutNode(nodes[i])
		}
		tx.PutNamespace(&api.Namespace{Name: "team", Meta: map[string]string{"a": "b"}})
		tx.PutClusterMeta(&ClusterMeta{ClusterID: uuid(1), CreateTime: 7})
		tx.PutDeployment(&api.Deployment{ID: uuid(2), Namespace: "default", JobID: "j0", Status: api.DeploymentRunning})
		tx.PutPeriodicLaunch(&PeriodicLaunch{Namespace: "default", JobID: "j0", Launch: 5})
		tx.AddScalingEvent("default", "j0", "web", &api.ScalingEvent{Message: "up", Time: 3})
	})
	random := rand.New(rand.NewPCG(1, 1))
	n := 0
	for j := range jobs {
		commit(s, uint64(100+j), func(tx *Tx) {
			job, _ := tx.RegisterJob(testJob(fmt.Sprint("j", j), 5), &api.JobSubmission{Source: "source", Format: "hcl2"})
			base := fit.Resources(job.TaskGroups[0], false)
			metrics := &api.AllocationMetric{NodesEvaluated: 3, ScoreMetaData: []*api.NodeScoreMeta{{NodeID: nodes[0].ID, NormScore: 0.5}}}
			e := testEval(j, job, api.EvalComplete)
			tx.PutEvaluation(e)
			for range allocs / jobs {
				a := testAllocation(n, job, nodes[random.IntN(len(nodes))], base, e.ID)
				a.Metrics = metrics
				if n%3 == 0 {
					at := time.Unix(1700000000, 5).UTC()
					a.ClientStatus, a.TaskStates = "running", map[string]*api.TaskState{"server": {State: "running", StartedAt: at,
						Events: []*api.TaskEvent{{Type: api.TaskReceived, Time: 1, DisplayMessage: "Task received by client"}, {Type: api.TaskStarted, Time: 2, Details: map[string]string{"pid": "7"}}}}}
				}
				if n%50 == 0 {
					yes := true
					a.DesiredTransition.Migrate, a.PreviousAllocation = &yes, uuid(9)
					a.DeploymentID, a.DeploymentStatus = uuid(2), &api.AllocDeploymentStatus{Healthy: &yes}
				}
				tx.PutAllocation(a)
				n++
			}
		})
	}
	return s
}

func TestSnapshotRoundTrip(t *testing.T) {
	s := populated(t, 5, 700)
	commit(s, 500, func(tx *Tx) { tx.StopJob("default", "j1", 9); tx.DeleteJob("default", "j2") }) // allocations of j2 stay
	var b bytes.Buffer
	if err := s.View().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	again := New()
	if err := again.Restore(bytes.NewReader(b.Bytes())); err != nil {
		t.Fatal(err)
	}
	_, sizes, err := MeasureSnapshot(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	rows, size := 0, int64(0)
	for _, x := range sizes {
		rows, size = rows+x.Rows, size+x.Bytes
	}
	if rows < 700 || size < int64(b.Len())*9/10 || size > int64(b.Len()) {
		t.Errorf("the tables have %d rows and %d bytes of %d", rows, size, b.Len())
	}
	was, is := s.View(), again.View()
	if was.Index() != is.Index() {
		t.Errorf("index %d, was %d", is.Index(), was.Index())
	}
	if a, b := hash(t, was), hash(t, is); a != b {
		t.Errorf("hash %x, was %x", b, a)
	}
	for a := range was.Allocations() {
		r, ok := is.Allocation(a.ID)
		x, y := *a, *r
		x.Job, y.Job = nil, nil
		if !ok || !wire.Same(&x, &y) || r.Job.Version != a.Job.Version || r.Job.ID != a.Job.ID {
			t.Fatalf("allocation is %+v, was %+v", r, a)
		}
	}
	for n := range was.Nodes() {
		if r, ok := is.Node(n.ID); !ok || !wire.Same(n, r) {
			t.Fatalf("node is %+v, was %+v", r, n)
		}
		a, _ := was.NodeUsage(n.ID)
		b, _ := is.NodeUsage(n.ID)
		if (a == nil) != (b == nil) || (a != nil && !wire.Same(&a.Usage, &b.Usage)) {
			t.Fatalf("usage is %+v, was %+v", b, a)
		}
	}
	for j := range was.Jobs() {
		if r, ok := is.Job(j.Namespace, j.ID); !ok || !wire.Same(j, r) {
			t.Fatalf("job is %+v, was %+v", r, j)
		}
	}
	// Both go on alike.
	for _, st := range []*Store{s, again} {
		commit(st, 501, func(tx *Tx) {
			for a := range tx.AllocationsByJob("default", "j0") {
				_ = a
			}
			tx.DeleteJob("default", "j3")
			tx.DeleteAllocation(uuid(3))
		})
	}
	if a, b := hash(t, s.View()), hash(t, again.View()); a != b {
		t.Errorf("hash %x after the next command, %x without the restore", b, a)
	}
}

func hash(t testing.TB, v *View) uint64 {
	t.Helper()
	h, err := v.Hash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestDamagedSnapshotIsRefused flips and cuts everywhere: a store that refuses
// a snapshot is as it was.
func TestDamagedSnapshotIsRefused(t *testing.T) {
	var b bytes.Buffer
	if err := populated(t, 2, 20).View().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	good := b.Bytes()
	s := New()
	before := hash(t, s.View())
	for at := 0; at < len(good); at += 1 + at%41 {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		for name, r := range map[string]io.Reader{"flip": bytes.NewReader(bad), "cut": bytes.NewReader(good[:at])} {
			if err := s.Restore(r); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("%s at %d of %d: %v", name, at, len(good), err)
			}
		}
	}
	if err := s.Restore(bytes.NewReader(append(bytes.Clone(good), 1))); !errors.Is(err, ErrSnapshot) {
		t.Errorf("more after the end: %v", err)
	}
	if hash(t, s.View()) != before {
		t.Error("a refused snapshot changed the state")
	}
}

func TestNewerSnapshotIsRefused(t *testing.T) {
	for name, write := range map[string]func(w *snapshotWriter){
		"format":  func(w *snapshotWriter) { w.raw([]byte(snapshotMagic)); w.number(99); w.number(1) },
		"table":   func(w *snapshotWriter) { w.header(1); w.begin("from_the_future", 1); _ = w.end(0) },
		"version": func(w *snapshotWriter) { w.header(1); w.begin(TableJobs, 99); _ = w.end(0) },
		"missing": func(w *snapshotWriter) { w.header(1); _ = w.footer(0) },
	} {
		var b bytes.Buffer
		w := newSnapshotWriter(&b)
		write(w)
		_ = w.flush()
		if _, err := ReadSnapshot(&b); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	var b bytes.Buffer
	if err := populated(f, 2, 20).View().WriteSnapshot(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ReadSnapshot(bytes.NewReader(b)); err != nil && !errors.Is(err, ErrSnapshot) {
			t.Fatal(err)
		}
	})
}

// FuzzSnapshotBlock puts any bytes where the checksums are right.
func FuzzSnapshotBlock(f *testing.F) {
	list := sections()
	s := populated(f, 2, 20)
	for i, x := range list {
		w := newSnapshotWriter(io.Discard)
		w.begin(x.name, x.version)
		for a := range s.View().Allocations() { // some rows, without their checksums
			if x.name == TableAllocations {
				_ = writeAllocation(w.Writer, a, newShared())
				break
			}
		}
		f.Add(uint8(i), uint64(1), w.Bytes())
	}
	var job bytes.Buffer
	enc := wire.NewWriter(nil)
	_ = enc.Object(testJob("j", 1))
	job.Write(enc.Bytes())
	f.Add(uint8(5), uint64(1), job.Bytes())
	f.Fuzz(func(t *testing.T, which uint8, rows uint64, b []byte) {
		var out bytes.Buffer
		w := newSnapshotWriter(&out)
		w.header(7)
		for i, x := range list {
			w.begin(x.name, x.version)
			if i == int(which)%len(list) {
				w.Writer = wire.NewWriter(b)
				w.inBlock, w.rows = rows, rows
			}
			_ = w.end(3)
		}
		if err := w.footer(len(list)); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSnapshot(&out)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		if _, err := got.View().Hash(); err != nil {
			t.Fatal(err)
		}
	})
}
