package endpoint

import (
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/api/diff"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// edited is a view in which one job is another.
type edited struct {
	*state.View
	job *api.Job
}

func (v edited) Job(namespace, id string) (*api.Job, bool) {
	if namespace == v.job.Namespace && id == v.job.ID {
		return v.job, true
	}
	return v.View.Job(namespace, id)
}

// jobPlan runs the scheduler on a view in which the job has been submitted, and
// changes nothing.
func (e *Endpoints) jobPlan(r *Read, req *api.JobPlanRequest) (api.JobPlanResponse, error) {
	var resp api.JobPlanResponse
	job, warnings, err := e.admit(r, req.Job)
	if err != nil {
		return resp, err
	}
	if err := mayUse(r.token, job, req.PolicyOverride); err != nil {
		return resp, err
	}
	if job.ID != req.ID {
		return resp, api.Errorf(api.ErrInvalid, "Job ID does not match")
	}
	resp.Warnings = warningText(warnings)
	if err := e.planned(r, job, req.Diff, &resp); err != nil {
		return resp, err
	}
	err = e.dry.with(r.View, func(v *state.View, f *fleet.Fleet) error {
		_, err := e.dryRun(edited{v, job}, f, v.Index(), job, &resp)
		return err
	})
	r.hidePreempted(&resp)
	return resp, err
}

// hidePreempted leaves of the allocations that would have to go, and that the
// token may not read, nothing but that there are some.
func (r *Read) hidePreempted(resp *api.JobPlanResponse) {
	if resp.Annotations == nil {
		return
	}
	for i, a := range resp.Annotations.PreemptedAllocs {
		if !r.can(a.Namespace, "read-job") {
			resp.Annotations.PreemptedAllocs[i] = &api.AllocationListStub{}
		}
	}
}

// planned compares an admitted job with the version that runs, and numbers it as
// a register would.
func (e *Endpoints) planned(r *Read, job *api.Job, withDiff bool, resp *api.JobPlanResponse) error {
	old, _ := r.Job(job.Namespace, job.ID)
	if old != nil {
		resp.JobModifyIndex = old.JobModifyIndex
	}
	changes, err := diff.Jobs(old, job, true)
	if err != nil {
		return fmt.Errorf("compare the versions of job %q: %w", job.ID, err)
	}
	if withDiff {
		resp.Diff = changes
	}
	version(r.View, old, job, changes.Type != api.DiffNone)
	return nil
}

// dryRun schedules a job that the state has as submitted, and tells what it
// would come to. There is no plan for a job that only starts children.
func (e *Endpoints) dryRun(s scheduler.State, f *fleet.Fleet, index uint64, job *api.Job, resp *api.JobPlanResponse) (*scheduler.Plan, error) {
	if job.IsPeriodic() || job.IsParameterized() {
		resp.Annotations = &api.PlanAnnotations{DesiredTGUpdates: map[string]*api.DesiredUpdates{}}
		resp.NextPeriodicLaunch = nextLaunch(job, e.Now())
		return nil, nil
	}
	now := e.Now()
	x := trigger.ForJob(job, api.TriggerJobRegister, now)
	x.AnnotatePlan = true
	x.SnapshotIndex = index
	plan, err := scheduler.Schedule(scheduler.Input{Eval: x, State: s, Fleet: f, Now: now, NewID: trigger.NewID, Seed: 1})
	if err != nil {
		return nil, fmt.Errorf("plan job %q: %w", job.ID, err)
	}
	resp.Annotations = plan.Annotations
	scheduler.Annotate(resp.Diff, plan.Annotations)
	resp.FailedTGAllocs = plan.Eval.FailedTGAllocs
	resp.CreatedEvals = append([]*api.Evaluation{plan.Eval}, plan.NewEvals...)
	return plan, nil
}

// version numbers the job as a register would.
func version(v *state.View, old, job *api.Job, changed bool) {
	index := v.Index() + 1
	job.CreateIndex, job.ModifyIndex, job.JobModifyIndex = index, index, index
	if old == nil {
		return
	}
	job.CreateIndex = old.CreateIndex
	if !changed {
		job.Version, job.JobModifyIndex = old.Version, old.JobModifyIndex
		return
	}
	job.Version = old.Version + 1
}

// jobValidate tells what is wrong with a job without refusing the request.
func (e *Endpoints) jobValidate(r *Read, req *api.JobValidateRequest) (api.JobValidateResponse, error) {
	resp := api.JobValidateResponse{DriverConfigValidated: e.Drivers != nil}
	if req.Job == nil {
		return resp, api.Errorf(api.ErrInvalid, "Job must be specified")
	}
	_, warnings, err := e.admit(r, req.Job)
	if err != nil {
		resp.Error = err.Error()
		resp.ValidationErrors = problemTexts(err)
		return resp, nil
	}
	resp.Warnings = warningText(warnings)
	return resp, nil
}

func problemTexts(err error) []string {
	problems, ok := err.(api.Problems) //nolint:errorlint // admit returns them bare
	if !ok {
		return []string{err.Error()}
	}
	out := make([]string, len(problems))
	for i := range problems {
		out[i] = problems[i].Text
	}
	return out
}
