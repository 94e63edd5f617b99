package gc

import (
	"slices"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

var start = time.Unix(1_700_000_000, 0)

// world is a store with one job of each kind that matters here.
type world struct {
	store *state.Store
	index uint64
}

func (w *world) write(f func(tx *state.Tx)) {
	w.index++
	tx := w.store.Begin(w.index)
	f(tx)
	tx.Commit()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{store: state.New(), index: 10}
}

func (w *world) job(id, kind string, stop bool) *api.Job {
	var stored *api.Job
	w.write(func(tx *state.Tx) {
		stored, _ = tx.RegisterJob(&api.Job{
			Namespace: api.DefaultNamespace, ID: id, Name: id, Type: kind, Stop: stop, SubmitTime: start.UnixNano(),
			TaskGroups: []*api.TaskGroup{{Name: "g", Count: 1, Tasks: []*api.Task{{Name: "t", Driver: "mock_driver"}}}},
		}, nil)
	})
	return stored
}

func (w *world) eval(id string, j *api.Job, status string) {
	w.write(func(tx *state.Tx) {
		tx.PutEvaluation(&api.Evaluation{ID: id, Namespace: j.Namespace, JobID: j.ID, Type: j.Type, Status: status, ModifyTime: start.UnixNano()})
	})
}

func (w *world) alloc(id, eval string, j *api.Job, desired, client string) {
	w.write(func(tx *state.Tx) {
		tx.PutNode(&api.Node{ID: "n1", Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible})
		tx.PutAllocation(&api.Allocation{
			ID: id, EvalID: eval, Namespace: j.Namespace, JobID: j.ID, Job: j, TaskGroup: "g", NodeID: "n1",
			DesiredStatus: desired, ClientStatus: client, ModifyTime: start.UnixNano(),
		})
	})
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	service := w.job("service", api.JobTypeService, false)
	w.eval("e-live", service, api.EvalComplete)
	w.alloc("a-live", "e-live", service, api.AllocDesiredRun, api.AllocClientRunning)
	w.eval("e-old", service, api.EvalComplete)
	w.alloc("a-old", "e-old", service, api.AllocDesiredStop, api.AllocClientComplete)
	w.eval("e-failed", service, api.EvalComplete)
	w.alloc("a-failed", "e-failed", service, api.AllocDesiredRun, api.AllocClientFailed)
	w.eval("e-stopping", service, api.EvalComplete)
	w.alloc("a-stopping", "e-stopping", service, api.AllocDesiredStop, api.AllocClientRunning)
	w.eval("e-blocked", service, api.EvalBlocked)

	batch := w.job("batch", api.JobTypeBatch, false)
	w.eval("e-batch", batch, api.EvalComplete)
	w.alloc("a-batch", "e-batch", batch, api.AllocDesiredRun, api.AllocClientComplete)

	w.write(func(tx *state.Tx) {
		tx.PutNode(&api.Node{ID: "down", Status: api.NodeStatusDown, StatusUpdatedAt: start.Unix()})
		tx.PutNode(&api.Node{ID: "idle", Status: api.NodeStatusReady, StatusUpdatedAt: start.Unix()})
		tx.PutDeployment(&api.Deployment{ID: "d-over", Namespace: "default", JobID: "service", Status: api.DeploymentSuccessful, ModifyTime: start.UnixNano()})
		service, _ := tx.Job("default", "service")
		tx.PutDeployment(&api.Deployment{ID: "d-failed", Namespace: "default", JobID: "service", JobVersion: service.Version, JobCreateIndex: service.CreateIndex, Status: api.DeploymentFailed, ModifyTime: start.UnixNano()})
		tx.PutDeployment(&api.Deployment{ID: "d-live", Namespace: "default", JobID: "service", Status: api.DeploymentRunning, ModifyTime: start.UnixNano()})
	})

	check := func(name string, after time.Duration, limits Thresholds, evals, allocs, jobs, nodes, deployments []string) {
		t.Helper()
		found := Find(w.store.View(), limits, start.Add(after))
		var names []string
		for _, j := range found.Jobs {
			names = append(names, j.ID)
		}
		for _, c := range []struct {
			what      string
			got, want []string
		}{{"evaluations", found.Evals, evals}, {"allocations", found.Allocs, allocs}, {"jobs", names, jobs}, {"nodes", found.Nodes, nodes}, {"deployments", found.Deployments, deployments}} {
			slices.Sort(c.got)
			if !slices.Equal(c.got, c.want) {
				t.Errorf("%s: %s: found %v, want %v", name, c.what, c.got, c.want)
			}
		}
	}
	check("too early", time.Minute, DefaultThresholds(), nil, nil, nil, nil, nil)
	check("an hour later", time.Hour, DefaultThresholds(),
		[]string{"e-old"}, []string{"a-old"}, nil, nil, []string{"d-over"})
	check("four hours later", 4*time.Hour, DefaultThresholds(),
		[]string{"e-batch", "e-old"}, []string{"a-batch", "a-old"}, []string{"batch"}, nil, []string{"d-over"})
	check("forced", 0, Thresholds{},
		[]string{"e-batch", "e-old"}, []string{"a-batch", "a-old"}, []string{"batch"}, []string{"down"}, []string{"d-over"})
}

// TestFindLeavesBatchWorkOfLivingJobs: while a batch job has work left, what it
// has finished must not be done again.
func TestFindLeavesBatchWorkOfLivingJobs(t *testing.T) {
	w := newWorld(t)
	batch := w.job("batch", api.JobTypeBatch, false)
	w.eval("e1", batch, api.EvalComplete)
	w.alloc("done", "e1", batch, api.AllocDesiredRun, api.AllocClientComplete)
	w.alloc("running", "e1", batch, api.AllocDesiredRun, api.AllocClientRunning)
	if found := Find(w.store.View(), Thresholds{}, start.Add(1000*time.Hour)); len(found.Allocs)+len(found.Evals)+len(found.Jobs) != 0 {
		t.Errorf("found %+v", found)
	}
}

// TestFindLeavesServicesThatAreWanted: a service of count 0 shows as dead and
// must not vanish.
func TestFindLeavesServicesThatAreWanted(t *testing.T) {
	w := newWorld(t)
	idle := w.job("idle", api.JobTypeService, false)
	w.eval("e1", idle, api.EvalComplete)
	w.eval("e2", w.job("stopped", api.JobTypeService, true), api.EvalComplete)
	found := Find(w.store.View(), Thresholds{}, start.Add(1000*time.Hour))
	if len(found.Jobs) != 1 || found.Jobs[0].ID != "stopped" {
		t.Errorf("found %+v", found.Jobs)
	}
}

func TestSplitKeepsAllInBatches(t *testing.T) {
	all := &fsm.Reap{}
	for range 2*batch + 1 {
		all.Allocs = append(all.Allocs, "a")
	}
	all.Evals = []string{"e"}
	parts := split(all)
	total := 0
	for _, p := range parts {
		if n := len(p.Allocs); n > batch {
			t.Errorf("a command of %d allocations", n)
		}
		total += len(p.Allocs)
	}
	if total != len(all.Allocs) || len(parts) != 4 || len(parts[3].Evals) != 1 {
		t.Errorf("%d parts with %d allocations", len(parts), total)
	}
}
