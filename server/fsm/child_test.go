package fsm

import (
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

func periodicJob() *api.Job {
	j := job("p", 1)
	j.Type = api.JobTypeBatch
	j.Periodic = &api.PeriodicConfig{Enabled: true, Spec: "* * * * *", TimeZone: "UTC"}
	return j
}

func second(n int64) int64 { return n * int64(time.Second) }

func (r *replica) run(t *testing.T, due int64, force bool) PeriodicStarted {
	t.Helper()
	return r.must(t, &PeriodicStart{Time: second(due) + 5, Runs: []PeriodicRun{{Namespace: "default", JobID: "p", Due: second(due), Force: force, EvalID: uuid(int(due))}}}).([]PeriodicStarted)[0]
}

func TestRunHappensOnce(t *testing.T) {
	r := newReplica()
	r.must(t, &JobRegister{Job: periodicJob()})
	first := r.run(t, 60, false)
	if first.Refused != nil || first.Job.ID != "p/periodic-60" || first.Job.ParentID != "p" || first.Job.IsPeriodic() || first.Job.Name != first.Job.ID {
		t.Fatalf("first run: %+v", first)
	}
	if e, ok := r.Store().View().Evaluation(uuid(60)); !ok || e.TriggeredBy != api.TriggerPeriodicJob || e.JobID != "p/periodic-60" || e.JobModifyIndex != first.Job.JobModifyIndex {
		t.Errorf("its evaluation: %+v", e)
	}
	for _, due := range []int64{60, 59} {
		if again := r.run(t, due, false); !errors.Is(again.Refused, api.ErrConflict) || again.Job != nil {
			t.Errorf("run %d again: %+v", due, again)
		}
	}
	forced := r.run(t, 60, true)
	if forced.Refused != nil || forced.Job.ID != "p/periodic-61" {
		t.Errorf("forced in the same second: %+v", forced)
	}
	if next := r.run(t, 61, false); next.Refused != nil || next.Job.ID != "p/periodic-62" {
		t.Errorf("the run whose name is taken: %+v", next)
	}
	if sum, _ := r.Store().View().JobSummary("default", "p"); sum.Children.Pending != 3 {
		t.Errorf("children: %+v", sum.Children)
	}
}

func TestRunsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(j *api.Job){
		"not periodic":  func(j *api.Job) { j.Periodic = nil },
		"disabled":      func(j *api.Job) { j.Periodic.Enabled = false },
		"parameterized": func(j *api.Job) { j.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "optional"} },
	} {
		r := newReplica()
		j := periodicJob()
		change(j)
		r.must(t, &JobRegister{Job: j})
		if x := r.run(t, 60, true); !errors.Is(x.Refused, api.ErrInvalid) {
			t.Errorf("%s: %+v", name, x)
		}
	}
	r := newReplica()
	r.must(t, &JobRegister{Job: periodicJob()})
	r.run(t, 60, false)
	r.must(t, &JobDeregister{Namespace: "default", ID: "p"})
	if x := r.run(t, 120, false); !errors.Is(x.Refused, api.ErrInvalid) {
		t.Errorf("stopped: %+v", x)
	}
	if c, ok := r.Store().View().Job("default", "p/periodic-60"); !ok || c.Stop {
		t.Error("a run ends with its parent")
	}
	r.must(t, &JobDeregister{Namespace: "default", ID: "p", Purge: true})
	if x := r.run(t, 180, false); !errors.Is(x.Refused, api.ErrNotFound) {
		t.Errorf("purged: %+v", x)
	}
}

func TestRunsThatMayNotOverlap(t *testing.T) {
	r := newReplica()
	j := periodicJob()
	j.Periodic.ProhibitOverlap = true
	r.must(t, &JobRegister{Job: j})
	r.run(t, 60, false)
	if x := r.run(t, 120, false); !errors.Is(x.Refused, api.ErrConflict) {
		t.Errorf("while the first goes on: %+v", x)
	}
	if x := r.run(t, 125, true); x.Refused != nil {
		t.Errorf("forced: %+v", x)
	}
	for _, n := range []int{60, 125} {
		e, _ := r.Store().View().Evaluation(uuid(n))
		done := *e
		done.Status = api.EvalComplete
		r.must(t, &EvalUpsert{Evals: []*api.Evaluation{&done}})
	}
	if x := r.run(t, 120, false); x.Refused == nil {
		t.Error("a run that was left out is made up for")
	}
	if x := r.run(t, 180, false); x.Refused != nil {
		t.Errorf("when nothing goes on: %+v", x)
	}
}

func TestDispatch(t *testing.T) {
	r := newReplica()
	p := job("p", 1)
	p.Type, p.Meta = api.JobTypeBatch, map[string]string{"a": "1", "b": "1"}
	p.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "optional"}
	r.must(t, &JobRegister{Job: p})
	parent, _ := r.Store().View().Job("default", "p")
	c := JobDispatch{Namespace: "default", JobID: "p", JobModifyIndex: parent.JobModifyIndex, ChildID: "p/dispatch-1-a", Token: "once",
		Payload: []byte("hello"), Meta: map[string]string{"b": "2"}, Priority: 70, Time: second(9), EvalID: uuid(1)}
	first := r.must(t, &c).(*JobDispatched)
	got := first.Job
	if got.ID != c.ChildID || !got.Dispatched || got.IsParameterized() || got.Priority != 70 || string(got.Payload) != "hello" ||
		got.Meta["a"] != "1" || got.Meta["b"] != "2" || got.Status != api.JobStatusPending || first.EvalID != uuid(1) {
		t.Errorf("child: %+v", got)
	}
	if parent.Meta["b"] != "1" || parent.Priority != 50 {
		t.Error("the parent is changed")
	}
	again := c
	again.ChildID, again.EvalID, again.JobModifyIndex = "p/dispatch-2-b", uuid(2), 7
	if x := r.must(t, &again).(*JobDispatched); !x.Already || x.Job.ID != c.ChildID || x.EvalID != uuid(1) || x.EvalAt != first.EvalAt {
		t.Errorf("the same token: %+v", x)
	}
	for name, change := range map[string]func(*JobDispatch){
		"older parent": func(c *JobDispatch) { c.JobModifyIndex-- },
		"taken name":   func(c *JobDispatch) { c.ChildID = "p/dispatch-1-a" },
	} {
		x := c
		x.Token, x.ChildID = "", "p/dispatch-3-c"
		change(&x)
		if _, err := r.do(t, &x); !errors.Is(err, api.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.must(t, &JobDeregister{Namespace: "default", ID: c.ChildID, Purge: true})
	again.JobModifyIndex = parent.JobModifyIndex
	if x := r.must(t, &again).(*JobDispatched); x.Already || x.Job.ID != again.ChildID {
		t.Errorf("the token of a child that is gone: %+v", x)
	}
}

func TestDispatchOfAPeriodicChild(t *testing.T) {
	r := newReplica()
	p := periodicJob()
	p.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "optional"}
	r.must(t, &JobRegister{Job: p})
	parent, _ := r.Store().View().Job("default", "p")
	x := r.must(t, &JobDispatch{Namespace: "default", JobID: "p", JobModifyIndex: parent.JobModifyIndex, ChildID: "p/dispatch-1-a", Payload: []byte("x"), Token: "t", Time: 1, EvalID: uuid(1)}).(*JobDispatched)
	if x.EvalID != "" || !x.Job.IsPeriodic() || x.Job.IsParameterized() || x.Job.Status != api.JobStatusRunning {
		t.Fatalf("child: %+v", x.Job)
	}
	run := r.must(t, &PeriodicStart{Time: 2, Runs: []PeriodicRun{{Namespace: "default", JobID: "p/dispatch-1-a", Due: second(60), EvalID: uuid(2)}}}).([]PeriodicStarted)[0]
	if run.Refused != nil || run.Job.ID != "p/dispatch-1-a/periodic-60" || string(run.Job.Payload) != "x" || run.Job.DispatchIdempotencyToken != "" {
		t.Errorf("its run: %+v", run)
	}
}
