package endpoint

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/trace"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) jobWrites() {
	write(e, api.JobsRegister, e.jobRegister)
	write(e, api.JobUpdate, e.jobUpdate)
	write(e, api.JobDeregister, jobDeregister)
	write(e, api.JobEvaluate, jobEvaluate)
	write(e, api.JobRevert, e.jobRevert)
	write(e, api.JobStable, jobStable)
	write(e, api.JobScale, e.jobScale)
	write(e, api.JobTag, jobTag)
	write(e, api.JobUntag, jobUntag)
	lookup(e, api.JobPlan, e.jobPlan)
	lookup(e, api.JobValidate, e.jobValidate)
}

func (e *Endpoints) jobUpdate(w *Write, req *api.JobUpdateRequest) (api.JobRegisterResponse, error) {
	if req.Job != nil && req.Job.ID != req.ID {
		return api.JobRegisterResponse{}, api.Errorf(api.ErrInvalid, "Job ID does not match name")
	}
	return e.jobRegister(w, &req.JobRegisterRequest)
}

func (e *Endpoints) jobRegister(w *Write, req *api.JobRegisterRequest) (api.JobRegisterResponse, error) {
	var resp api.JobRegisterResponse
	if w.SchedulerConfig().RejectJobRegistration {
		return resp, api.Errorf(api.ErrDenied, "job registration, dispatch, and scale are disabled by the scheduler configuration")
	}
	job, warnings, err := e.admit(w, req.Job)
	if err != nil {
		return resp, err
	}
	if err := w.mayUse(job, req.PolicyOverride); err != nil {
		return resp, err
	}
	old, _ := w.Job(job.Namespace, job.ID)
	if err := staysTemplate(old, job); err != nil {
		return resp, err
	}
	preserve(job, old, req.PreserveCounts, req.PreserveResources)
	c := &fsm.JobRegister{
		Job: job, Submission: req.Submission,
		EnforceIndex: req.EnforceIndex, JobModifyIndex: req.JobModifyIndex,
	}
	if s := c.Submission; s != nil && int64(len(s.Source)) > e.Limits.JobMaxSourceSize {
		warnings = append(warnings, fmt.Sprintf("job source size of %d B exceeds maximum of %d B and will be discarded", len(s.Source), e.Limits.JobMaxSourceSize))
		c.Submission = nil
	}
	if err := e.priority(req.EvalPriority); err != nil {
		return resp, err
	}
	return e.register(w, c, api.TriggerJobRegister, req.EvalPriority, warnings)
}

// register has a job stored with the evaluation that makes it happen.
func (e *Endpoints) register(w *Write, c *fsm.JobRegister, by string, priority int, warnings []string) (api.JobRegisterResponse, error) {
	if !c.Job.IsPeriodic() && !c.Job.IsParameterized() {
		c.Eval = trigger.ForJob(c.Job, by, w.Now)
		if priority > 0 {
			c.Eval.Priority = priority
		}
		if c.Scaling != nil {
			c.Scaling.Event.EvalID = &c.Eval.ID
		}
	}
	var resp api.JobRegisterResponse
	c.Job.SubmitTime = w.Now.UnixNano()
	result, err := w.apply(c)
	if err != nil {
		return resp, err
	}
	done := result.(*fsm.JobRegistered)
	resp.JobModifyIndex = done.Job.JobModifyIndex
	resp.Warnings = warningText(warnings)
	if done.Eval != nil {
		resp.EvalID, resp.EvalCreateIndex = done.Eval.ID, done.Index
		if trace.Wanted() {
			trace.Step(done.Eval.ID, "register", w.Now, time.Now(), trace.Attr{Key: "job_id", Value: c.Job.ID})
		}
	}
	return resp, nil
}

func (e *Endpoints) priority(p int) error {
	if p < 0 || p > e.Limits.JobMaxPriority {
		return api.Errorf(api.ErrInvalid, "eval priority must be between 1 and %d", e.Limits.JobMaxPriority)
	}
	return nil
}

// warningText puts warnings into the form that Nomad's clients show.
func warningText(warnings []string) string {
	switch len(warnings) {
	case 0:
		return ""
	case 1:
		return "1 warning:\n\n* " + warnings[0]
	}
	return fmt.Sprintf("%d warnings:\n\n* %s", len(warnings), strings.Join(warnings, "\n* "))
}

// preserve takes over counts or resources of the version that runs.
func preserve(job, old *api.Job, counts, resources bool) {
	if old == nil {
		return
	}
	for _, g := range job.TaskGroups {
		was := old.LookupTaskGroup(g.Name)
		if was == nil {
			continue
		}
		if counts {
			g.Count = was.Count
		}
		if !resources {
			continue
		}
		for _, t := range g.Tasks {
			if before := was.LookupTask(t.Name); before != nil {
				t.Resources = before.Resources
			}
		}
	}
}

func jobDeregister(w *Write, req *api.JobDeregisterRequest) (api.JobDeregisterResponse, error) {
	var resp api.JobDeregisterResponse
	if err := w.mayStop(req.Purge); err != nil {
		return resp, err
	}
	job, err := getJob(w.View, w.Namespace, req.ID)
	if err != nil {
		return resp, err
	}
	c := &fsm.JobDeregister{
		Namespace: w.Namespace, ID: req.ID, Purge: req.Purge, Time: w.Now.UnixNano(),
		NoShutdownDelay: req.NoShutdownDelay,
	}
	if !job.IsPeriodic() && !job.IsParameterized() {
		c.Eval = trigger.ForJob(job, api.TriggerJobDeregister, w.Now)
		if req.EvalPriority > 0 {
			c.Eval.Priority = req.EvalPriority
		}
	}
	result, err := w.apply(c)
	if err != nil {
		return resp, err
	}
	done := result.(*fsm.JobRegistered)
	resp.JobModifyIndex = done.Index
	if done.Eval != nil {
		resp.EvalID, resp.EvalCreateIndex = done.Eval.ID, done.Index
	}
	return resp, nil
}

func jobEvaluate(w *Write, req *api.JobEvaluateRequest) (api.JobRegisterResponse, error) {
	var resp api.JobRegisterResponse
	job, err := getJob(w.View, w.Namespace, req.ID)
	if err != nil {
		return resp, err
	}
	if job.IsPeriodic() || job.IsParameterized() {
		return resp, api.Errorf(api.ErrInvalid, "can't evaluate a periodic or parameterized job; evaluate one that it started")
	}
	x := trigger.ForJob(job, api.TriggerJobRegister, w.Now)
	var c fsm.Command = &fsm.EvalUpsert{Evals: []*api.Evaluation{x}}
	if req.EvalOptions.ForceReschedule {
		move := &fsm.AllocDesiredTransition{Time: w.Now.UnixNano(), Evals: []*api.Evaluation{x}}
		yes := true
		for a := range w.AllocationsByJob(w.Namespace, req.ID) {
			if a.ClientStatus == api.AllocClientFailed && a.NextAllocation == "" {
				move.Transitions = append(move.Transitions, fsm.AllocTransition{ID: a.ID, Transition: api.DesiredTransition{ForceReschedule: &yes}})
			}
		}
		c = move
	}
	if _, err := w.apply(c); err != nil {
		return resp, err
	}
	return api.JobRegisterResponse{EvalID: x.ID, EvalCreateIndex: w.Index, JobModifyIndex: job.JobModifyIndex}, nil
}
