package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// world is a store with a log in front of it, a job on a node, and a watcher.
type world struct {
	t     *testing.T
	store *state.Store

	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
	count map[string]int // commands by type
	fail  error          // of the next command of the watcher

	cancel context.CancelFunc
	done   chan error
}

func (w *world) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail; err != nil {
		if _, ok := c.(*fsm.DeploymentVerdicts); ok {
			w.fail = nil
			return nil, 0, err
		}
	}
	w.count[fmt.Sprintf("%T", c)]++
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	w.index++
	result, err := w.fsm.Apply(w.index, entry)
	return result, w.index, err
}

func (w *world) must(c fsm.Command) any {
	w.t.Helper()
	result, _, err := w.Apply(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// lead starts a watcher, and ends the one before it.
func (w *world) lead() {
	w.resign()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel, w.done = cancel, make(chan error, 1)
	watcher := New(Config{Store: w.store, Log: w, Logger: slog.New(slog.DiscardHandler)})
	go func() { w.done <- watcher.Run(ctx) }()
	synctest.Wait()
}

func (w *world) resign() {
	if w.cancel != nil {
		w.cancel()
		<-w.done
		w.cancel = nil
	}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: state.New(), index: 10, count: map[string]int{}}
	w.fsm = fsm.New(w.store)
	w.must(&fsm.NodeRegister{Node: &api.Node{
		ID: nodeID, Name: "n", Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
		NodeResources: &api.NodeResources{
			Cpu:    api.NodeCpuResources{CpuShares: 1 << 40},
			Memory: api.NodeMemoryResources{MemoryMB: 1 << 40}, Disk: api.NodeDiskResources{DiskMB: 1 << 40},
		},
	}})
	return w
}

const nodeID = "00000000-0000-0000-0000-000000000001"

func run(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lead()
		test(w)
		w.resign()
	})
}

// register makes a new version of the job.
func (w *world) register(change func(*api.Job)) *api.Job {
	w.t.Helper()
	j := &api.Job{
		ID: "j", Name: "j", Namespace: "default", Type: api.JobTypeService, NodePool: "default", Priority: 50, SubmitTime: time.Now().UnixNano(),
		Meta:       map[string]string{"at": trigger.NewID()},
		TaskGroups: []*api.TaskGroup{{Name: "web", Count: 2, Tasks: []*api.Task{{Name: "t", Driver: "mock", Resources: &api.Resources{CPU: 1, MemoryMB: 1}}}, EphemeralDisk: &api.EphemeralDisk{}}},
	}
	if change != nil {
		change(j)
	}
	return w.must(&fsm.JobRegister{Job: j}).(*fsm.JobRegistered).Job
}

// begin does what a plan for a new version does: it ends the deployment before
// and begins another, with some allocations.
func (w *world) begin(j *api.Job, s api.DeploymentState, n int) *api.Deployment {
	w.t.Helper()
	now := time.Now().UnixNano()
	d := &api.Deployment{
		ID: trigger.NewID(), Namespace: j.Namespace, JobID: j.ID, JobVersion: j.Version, JobModifyIndex: j.JobModifyIndex, JobCreateIndex: j.CreateIndex,
		Status: api.DeploymentRunning, TaskGroups: map[string]*api.DeploymentState{"web": &s}, CreateTime: now, ModifyTime: now,
	}
	p := fsm.Plan{EvalID: trigger.NewID(), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, Deployment: d}
	for old := range w.store.View().ActiveDeploymentsByJob(j.Namespace, j.ID) {
		p.Ended = append(p.Ended, fsm.DeploymentEnd{ID: old.ID, Status: api.DeploymentCancelled, Description: api.DeploymentDescNewerVersion})
	}
	w.plan(j, &p, n, s.DesiredCanaries > 0)
	return w.deployment(d.ID)
}

// more places further allocations of a deployment.
func (w *world) more(j *api.Job, d *api.Deployment, n int, canary bool) {
	w.t.Helper()
	w.plan(j, &fsm.Plan{EvalID: trigger.NewID(), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex, DeploymentID: d.ID}, n, canary)
}

func (w *world) plan(j *api.Job, p *fsm.Plan, n int, canary bool) {
	w.t.Helper()
	for i := range n {
		p.Placements = append(p.Placements, fsm.Placement{
			ID: trigger.NewID(), Version: j.Version, Group: "web", Index: i, NodeID: nodeID, Deployment: true, Canary: canary,
		})
	}
	r := w.must(&fsm.PlanApply{Time: time.Now().UnixNano(), Plans: []fsm.Plan{*p}}).(*fsm.PlanApplied)
	if !r.Plans[0].OK() {
		w.t.Fatalf("plan: %+v", r.Plans[0])
	}
}

func (w *world) deployment(id string) *api.Deployment {
	w.t.Helper()
	d, ok := w.store.View().Deployment(id)
	if !ok {
		w.t.Fatalf("there is no deployment %s", id)
	}
	return d
}

// settled lets the watcher do its work and gives the deployment.
func (w *world) settled(id string) *api.Deployment {
	w.t.Helper()
	time.Sleep(3 * passEvery)
	synctest.Wait()
	return w.deployment(id)
}

func (w *world) allocs(d *api.Deployment) []*api.Allocation {
	var out []*api.Allocation
	for a := range w.store.View().AllocationsByDeployment(d.ID) {
		out = append(out, a)
	}
	return out
}

// report has a client say something of an allocation.
func (w *world) report(a *api.Allocation, status string, healthy *bool) {
	w.t.Helper()
	u := fsm.ClientUpdate{ID: a.ID, ClientStatus: status}
	if healthy != nil {
		u.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: healthy, Timestamp: time.Now().Add(24 * time.Hour)} // its clock is wrong
	}
	w.must(&fsm.AllocUpdate{Time: time.Now().UnixNano(), Updates: []fsm.ClientUpdate{u}})
}

func (w *world) healthy(d *api.Deployment, n int) {
	w.t.Helper()
	yes := true
	for _, a := range w.allocs(d) {
		if n > 0 && !a.Terminal() && !a.DeploymentStatus.IsHealthy() {
			w.report(a, api.AllocClientRunning, &yes)
			n--
		}
	}
	if n > 0 {
		w.t.Fatal("there are not as many allocations")
	}
}

// evaluations gives how many the watcher has asked for.
func (w *world) evaluations() (n int) {
	for e := range w.store.View().Evaluations() {
		if e.TriggeredBy == api.TriggerDeploymentWatcher {
			n++
		}
	}
	return n
}

func (w *world) expect(id, status, description string) *api.Deployment {
	w.t.Helper()
	d := w.settled(id)
	if d.Status != status || d.StatusDescription != description {
		w.t.Errorf("deployment is %s: %q, want %s: %q", d.Status, d.StatusDescription, status, description)
	}
	return d
}

func rolling(total int) api.DeploymentState {
	return api.DeploymentState{DesiredTotal: total, ProgressDeadline: api.Duration(10 * time.Minute), AutoRevert: true}
}

func TestRollingUpdateSucceeds(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(3), 1)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		if n := w.evaluations(); n != 0 {
			t.Errorf("%d evaluations though nothing has happened", n)
		}
		w.healthy(d, 1)
		w.settled(d.ID)
		if n := w.evaluations(); n != 1 {
			t.Errorf("%d evaluations when one is healthy", n)
		}
		w.more(j, d, 2, false)
		w.healthy(d, 2)
		d = w.expect(d.ID, api.DeploymentSuccessful, api.DeploymentDescSuccessful)
		if s := d.TaskGroups["web"]; s.PlacedAllocs != 3 || s.HealthyAllocs != 3 || s.UnhealthyAllocs != 0 {
			t.Errorf("numbers %+v", s)
		}
		if n := w.evaluations(); n != 1 {
			t.Errorf("%d evaluations though all had its place", n)
		}
		if j, _ := w.store.View().Job("default", "j"); !j.Stable {
			t.Error("the version is not stable")
		}
		// The numbers of what is over stay, whatever becomes of the allocations.
		w.report(w.allocs(d)[0], api.AllocClientFailed, nil)
		if s := w.settled(d.ID).TaskGroups["web"]; s.HealthyAllocs != 3 {
			t.Errorf("numbers afterwards %+v", s)
		}
	})
}

// The deadline is met to the moment, moves with each allocation that becomes
// healthy, and a client's clock has no say in it.
func TestProgressDeadline(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(2), 2)
		time.Sleep(9 * time.Minute)
		w.healthy(d, 1)
		time.Sleep(9 * time.Minute)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		time.Sleep(time.Minute - time.Second)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		time.Sleep(time.Second)
		w.expect(d.ID, api.DeploymentFailed, api.DeploymentDescDeadline+" - no stable job version to auto revert to")
		if w.evaluations() == 0 {
			t.Error("nobody is told")
		}
	})
}

func TestAutoRevert(t *testing.T) {
	run(t, func(w *world) {
		good := w.register(func(j *api.Job) { j.Meta["v"] = "good" })
		d := w.begin(good, rolling(1), 1)
		w.healthy(d, 1)
		w.expect(d.ID, api.DeploymentSuccessful, api.DeploymentDescSuccessful)

		bad := w.register(func(j *api.Job) { j.Meta["v"] = "bad" })
		s := rolling(1)
		s.ProgressDeadline = 0
		d = w.begin(bad, s, 1)
		no := false
		w.report(w.allocs(d)[0], api.AllocClientFailed, &no)
		w.expect(d.ID, api.DeploymentFailed, api.DeploymentDescUnhealthy+" - rolling back to job version 0")
		j, _ := w.store.View().Job("default", "j")
		if j.Version != 2 || j.Meta["v"] != "good" || j.Stable || j.Stop {
			t.Errorf("the job is version %d %v", j.Version, j.Meta)
		}
		var e *api.Evaluation
		for x := range w.store.View().Evaluations() {
			e = x
		}
		if e == nil || e.JobModifyIndex != j.JobModifyIndex || e.DeploymentID != d.ID || e.Status != api.EvalPending {
			t.Errorf("evaluation %+v", e)
		}

		// The version that was gone back to fails too: there is nothing better.
		d = w.begin(j, s, 1)
		w.report(w.allocs(d)[0], api.AllocClientFailed, &no)
		w.expect(d.ID, api.DeploymentFailed, api.DeploymentDescUnhealthy+" - not rolling back to stable job version 0 as current job has same specification")
		if j, _ := w.store.View().Job("default", "j"); j.Version != 2 {
			t.Errorf("the job is version %d", j.Version)
		}
	})
}

func TestFailedAllocationIsRescheduled(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(2), 2)
		no := false
		first := w.allocs(d)[0]
		w.report(first, api.AllocClientFailed, &no)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		a, _ := w.store.View().Allocation(first.ID)
		if r := a.DesiredTransition.Reschedule; r == nil || !*r {
			t.Error("the failed allocation may not be placed anew")
		}
		if w.count["*fsm.DeploymentVerdicts"] != 1 || w.evaluations() != 1 {
			t.Errorf("commands %v, %d evaluations", w.count, w.evaluations())
		}
		second := w.allocs(d)[1]
		w.report(second, api.AllocClientFailed, nil) // nothing is said of its health
		w.settled(d.ID)
		if a, _ := w.store.View().Allocation(second.ID); a.DesiredTransition.Reschedule == nil {
			t.Error("the second failed allocation may not be placed anew")
		}
	})
}

func TestCanaries(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		s := rolling(3)
		s.DesiredCanaries = 1
		d := w.begin(j, s, 1)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescNeedsPromote)
		if _, _, err := w.Apply(w.t.Context(), &fsm.DeploymentPromote{ID: d.ID, Time: time.Now().UnixNano()}); err == nil ||
			err.Error() != fmt.Sprintf(`deployment %s cannot be promoted: group "web" has 0/1 healthy allocations`, d.ID) {
			t.Errorf("promoted too early: %v", err)
		}
		w.healthy(d, 1)
		time.Sleep(48 * time.Hour) // until somebody says so
		d = w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescNeedsPromote)
		canary := w.allocs(d)[0]
		if got := d.TaskGroups["web"].PlacedCanaries; len(got) != 1 || got[0] != canary.ID || !canary.DeploymentStatus.Canary {
			t.Errorf("canaries %v", got)
		}
		w.must(&fsm.DeploymentPromote{ID: d.ID, Time: time.Now().UnixNano()})
		d = w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		canary = w.allocs(d)[0]
		if got := d.TaskGroups["web"]; len(got.PlacedCanaries) != 1 || !got.Promoted || canary.DeploymentStatus.Canary || !canary.DeploymentStatus.IsHealthy() {
			t.Errorf("after the promotion %+v, %+v", got, canary.DeploymentStatus)
		}
		time.Sleep(9 * time.Minute) // the deadline counts from the promotion
		w.more(j, d, 2, false)
		w.healthy(d, 2)
		w.expect(d.ID, api.DeploymentSuccessful, api.DeploymentDescSuccessful)
	})
}

func TestAutoPromote(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		s := rolling(3)
		s.DesiredCanaries, s.AutoPromote = 2, true
		d := w.begin(j, s, 2)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescAutoPromote)
		w.healthy(d, 1)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescAutoPromote)
		w.healthy(d, 1)
		if d = w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning); !d.TaskGroups["web"].Promoted {
			t.Error("not promoted")
		}
		if w.evaluations() == 0 {
			t.Error("nobody is told")
		}
	})
}

func TestPaused(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(2), 2)
		w.must(&fsm.DeploymentPause{ID: d.ID, Pause: true, Time: time.Now().UnixNano()})
		no := false
		w.report(w.allocs(d)[0], api.AllocClientRunning, &no)
		time.Sleep(time.Hour)
		if d = w.expect(d.ID, api.DeploymentPaused, api.DeploymentDescPaused); d.TaskGroups["web"].UnhealthyAllocs != 1 {
			t.Error("it is not counted while paused")
		}
		w.must(&fsm.DeploymentPause{ID: d.ID, Time: time.Now().UnixNano()})
		time.Sleep(9 * time.Minute)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		time.Sleep(time.Minute)
		w.expect(d.ID, api.DeploymentFailed, api.DeploymentDescDeadline+" - no stable job version to auto revert to")
		if _, _, err := w.Apply(w.t.Context(), &fsm.DeploymentPause{ID: d.ID, Pause: true}); err == nil {
			t.Error("what is over was paused")
		}
	})
}

// A new leader does what the one before it has not done.
func TestNewLeader(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(2), 1)
		w.resign()
		w.healthy(d, 1)
		time.Sleep(5 * time.Minute)
		w.lead()
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		if n := w.evaluations(); n != 1 {
			t.Errorf("%d evaluations", n)
		}
		w.resign()
		time.Sleep(time.Hour)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		w.lead()
		w.expect(d.ID, api.DeploymentFailed, api.DeploymentDescDeadline+" - no stable job version to auto revert to")
	})
}

func TestWriteIsTriedAgain(t *testing.T) {
	run(t, func(w *world) {
		j := w.register(nil)
		d := w.begin(j, rolling(1), 1)
		w.mu.Lock()
		w.fail = errors.New("no leader")
		w.mu.Unlock()
		w.healthy(d, 1)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		time.Sleep(retryAfter)
		w.expect(d.ID, api.DeploymentSuccessful, api.DeploymentDescSuccessful)
	})
}

// Somebody deploys all the time: nothing piles up and the last one ends well.
func TestSupersededAllTheTime(t *testing.T) {
	run(t, func(w *world) {
		w.resign()
		watcher := New(Config{Store: w.store, Log: w, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(w.t.Context())
		done := make(chan error, 1)
		go func() { done <- watcher.Run(ctx) }()
		var d *api.Deployment
		for range 600 {
			d = w.begin(w.register(nil), rolling(2), 2)
			time.Sleep(100 * time.Millisecond)
			w.healthy(d, 1)
		}
		w.healthy(d, 1)
		w.expect(d.ID, api.DeploymentSuccessful, api.DeploymentDescSuccessful)
		cancel()
		<-done
		if n := len(watcher.queue.byID) + len(watcher.queue.heap); n != 0 {
			t.Errorf("%d deployments are remembered", n)
		}
		if n := w.count["*fsm.DeploymentVerdicts"]; n != 1 {
			t.Errorf("%d commands for one that went well", n)
		}
	})
}

// The scheduler would end it with its next plan, but there is none.
func TestOrphanEnds(t *testing.T) {
	run(t, func(w *world) {
		d := w.begin(w.register(nil), rolling(2), 1)
		w.register(nil)
		time.Sleep(orphaned - time.Second)
		w.expect(d.ID, api.DeploymentRunning, api.DeploymentDescRunning)
		time.Sleep(time.Second)
		w.expect(d.ID, api.DeploymentCancelled, api.DeploymentDescNewerVersion)
	})
}

func TestPurgeEnds(t *testing.T) {
	run(t, func(w *world) {
		d := w.begin(w.register(nil), rolling(2), 1)
		w.must(&fsm.JobDeregister{Namespace: "default", ID: "j", Purge: true, Time: time.Now().UnixNano()})
		if d = w.deployment(d.ID); d.Status != api.DeploymentCancelled || d.StatusDescription != api.DeploymentDescStopped {
			t.Errorf("deployment is %s: %s", d.Status, d.StatusDescription)
		}
	})
}
