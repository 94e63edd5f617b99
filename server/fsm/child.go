package fsm

import (
	"maps"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// PeriodicStart starts the runs of periodic jobs that are due. A run is
// recorded under the time at which it was due in the same entry that makes its
// child, so it happens once however often it is asked for. The result is a
// []PeriodicStarted with an element for each run.
type PeriodicStart struct {
	Time int64 // Unix nanoseconds
	Runs []PeriodicRun
}

// PeriodicRun is one run of a periodic job.
type PeriodicRun struct {
	Namespace string
	JobID     string
	Due       int64  // Unix nanoseconds, whole seconds
	Force     bool   // asked for by hand: neither recorded nor held back by another that runs
	EvalID    string // of the evaluation that makes it happen
}

// PeriodicStarted tells what became of a run. Job is nil and Refused says why
// when there was nothing to start.
type PeriodicStarted struct {
	Job     *api.Job
	Eval    *api.Evaluation
	Refused error
}

func (c *PeriodicStart) apply(tx *state.Tx) (any, error) {
	out := make([]PeriodicStarted, len(c.Runs))
	for i := range c.Runs {
		out[i] = c.Runs[i].start(tx, c.Time)
	}
	return out, nil
}

func (r *PeriodicRun) start(tx *state.Tx, now int64) PeriodicStarted {
	parent, ok := tx.Job(r.Namespace, r.JobID)
	if !ok {
		return PeriodicStarted{Refused: api.Errorf(api.ErrNotFound, "job not found")}
	}
	if err := runnable(parent); err != nil {
		return PeriodicStarted{Refused: err}
	}
	if !r.Force {
		if last, ok := tx.PeriodicLaunch(r.Namespace, r.JobID); ok && last.Launch >= r.Due {
			return PeriodicStarted{Refused: api.Errorf(api.ErrConflict, "job %q: this run has been started already", r.JobID)}
		}
		tx.PutPeriodicLaunch(&state.PeriodicLaunch{Namespace: r.Namespace, JobID: r.JobID, Launch: r.Due})
		if parent.Periodic.ProhibitOverlap && hasLiveChild(tx, parent) {
			return PeriodicStarted{Refused: api.Errorf(api.ErrConflict, "job %q: an earlier run goes on, and prohibit_overlap is set", r.JobID)}
		}
	}
	id, ok := freeChildID(tx, parent, r.Due)
	if !ok {
		return PeriodicStarted{Refused: api.Errorf(api.ErrConflict, "job %q: too many runs at once", r.JobID)}
	}
	child := childOf(parent, id, now)
	child.Periodic, child.DispatchIdempotencyToken = nil, ""
	return startChild(tx, child, api.TriggerPeriodicJob, r.EvalID, now)
}

// runnable says whether runs of a job may be started.
func runnable(j *api.Job) error {
	switch {
	case !j.IsPeriodic():
		return api.Errorf(api.ErrInvalid, "job %q is not periodic", j.ID)
	case j.IsParameterized():
		return api.Errorf(api.ErrInvalid, "job %q is parameterized: dispatch it, and what was dispatched runs by the clock", j.ID)
	case j.Stop:
		return api.Errorf(api.ErrInvalid, "job %q is stopped; start it before its runs", j.ID)
	case !j.Periodic.Enabled:
		return api.Errorf(api.ErrInvalid, "job %q is disabled (periodic { enabled = false }), so it has no runs", j.ID)
	}
	return nil
}

func hasLiveChild(tx *state.Tx, parent *api.Job) bool {
	for c := range tx.JobChildren(parent.Namespace, parent.ID) {
		if c.Status != api.JobStatusDead {
			return true
		}
	}
	return false
}

// freeChildID names a run by its second; runs that were forced may have taken
// the names of a few seconds.
func freeChildID(tx *state.Tx, parent *api.Job, due int64) (string, bool) {
	second := due / int64(time.Second)
	for n := range int64(1000) {
		id := parent.ID + PeriodicInfix + strconv.FormatInt(second+n, 10)
		if _, taken := tx.Job(parent.Namespace, id); !taken {
			return id, true
		}
	}
	return "", false
}

// What stands between the ID of a job and what tells its children apart.
const (
	PeriodicInfix = "/periodic-"
	DispatchInfix = "/dispatch-"
)

// childOf makes a job from its template. They share what neither changes.
func childOf(parent *api.Job, id string, now int64) *api.Job {
	c := *parent
	c.ID, c.Name, c.ParentID = id, id, parent.ID
	c.StatusDescription, c.NomadTokenID = "", ""
	c.SubmitTime = now
	return &c
}

// startChild stores a child with the evaluation that makes it happen; one that
// is periodic itself has none.
func startChild(tx *state.Tx, child *api.Job, by, evalID string, now int64) PeriodicStarted {
	job, _ := tx.RegisterJob(child, nil)
	out := PeriodicStarted{Job: job}
	if job.IsPeriodic() {
		return out
	}
	out.Eval = &api.Evaluation{
		ID: evalID, Namespace: job.Namespace, JobID: job.ID, JobModifyIndex: job.JobModifyIndex,
		Priority: job.Priority, Type: job.Type, TriggeredBy: by, Status: api.EvalPending,
		CreateTime: now, ModifyTime: now,
	}
	tx.PutEvaluation(out.Eval)
	return out
}

// JobDispatch starts a child of a parameterized job. With a token that a child
// of the job has already, that one is the answer. The result is a
// *JobDispatched.
type JobDispatch struct {
	Namespace      string
	JobID          string
	JobModifyIndex uint64 // of the job that the payload and meta were checked against
	ChildID        string
	Token          string
	Payload        []byte
	Meta           map[string]string
	Priority       int // 0: the job's
	Time           int64
	EvalID         string
}

// JobDispatched tells what became of a JobDispatch.
type JobDispatched struct {
	Job     *api.Job
	EvalID  string // empty when the child is periodic
	EvalAt  uint64 // index at which the evaluation was made
	Already bool   // the child was there
}

func (c *JobDispatch) apply(tx *state.Tx) (any, error) {
	parent, ok := tx.Job(c.Namespace, c.JobID)
	switch {
	case !ok:
		return nil, api.Errorf(api.ErrNotFound, "parameterized job not found")
	case !parent.IsParameterized():
		return nil, api.Errorf(api.ErrInvalid, "specified job %q is not a parameterized job", c.JobID)
	case parent.Stop:
		return nil, api.Errorf(api.ErrInvalid, "specified job %q is stopped", c.JobID)
	}
	if found := dispatchedBefore(tx, parent, c.Token); found != nil {
		return found, nil
	}
	if parent.JobModifyIndex != c.JobModifyIndex {
		return nil, api.Errorf(api.ErrConflict, "job %q has changed meanwhile; dispatch it again", c.JobID)
	}
	if _, taken := tx.Job(c.Namespace, c.ChildID); taken {
		return nil, api.Errorf(api.ErrConflict, "job %q exists already; dispatch again", c.ChildID)
	}
	child := childOf(parent, c.ChildID, c.Time)
	child.Dispatched, child.DispatchIdempotencyToken = true, c.Token
	if len(c.Payload) > 0 {
		child.Payload = c.Payload
	}
	if len(c.Meta) > 0 {
		child.Meta = maps.Clone(parent.Meta)
		if child.Meta == nil {
			child.Meta = map[string]string{}
		}
		maps.Copy(child.Meta, c.Meta)
	}
	if c.Priority > 0 {
		child.Priority = c.Priority
	}
	started := startChild(tx, child, api.TriggerJobRegister, c.EvalID, c.Time)
	out := &JobDispatched{Job: started.Job}
	if started.Eval != nil {
		out.EvalID, out.EvalAt = started.Eval.ID, tx.Index()
	}
	return out, nil
}

// dispatchedBefore finds the child that has a token.
func dispatchedBefore(tx *state.Tx, parent *api.Job, token string) *JobDispatched {
	if token == "" {
		return nil
	}
	child, ok := tx.JobByDispatchToken(parent.Namespace, parent.ID, token)
	if !ok {
		return nil
	}
	out := &JobDispatched{Job: child, Already: true}
	for e := range tx.EvaluationsByJob(child.Namespace, child.ID) {
		if out.EvalID == "" || e.CreateIndex < out.EvalAt {
			out.EvalID, out.EvalAt = e.ID, e.CreateIndex
		}
	}
	return out
}
