package endpoint

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// jobScale changes a group's count, or only records an event of an autoscaler.
func (e *Endpoints) jobScale(w *Write, req *api.JobScaleRequest) (api.JobRegisterResponse, error) {
	var resp api.JobRegisterResponse
	job, group, err := scaleTarget(w, req)
	if err != nil {
		return resp, err
	}
	event := &api.ScalingEvent{
		PreviousCount: int64(group.Count), Count: req.Count, Error: req.Error,
		Message: req.Message, Meta: req.Meta, Time: uint64(w.Now.UnixNano()),
	}
	scale := &fsm.ScaleEvent{Namespace: w.Namespace, JobID: job.ID, Group: group.Name, Event: event}
	if req.Count == nil {
		_, err := w.apply(scale)
		return api.JobRegisterResponse{JobModifyIndex: job.JobModifyIndex}, err
	}
	if err := e.scaleBounds(w, req, job, group); err != nil {
		return resp, err
	}
	if err := w.mayUse(job, req.PolicyOverride); err != nil {
		return resp, err
	}
	changed := *job
	changed.TaskGroups = slices.Clone(job.TaskGroups)
	for i, g := range changed.TaskGroups {
		if g.Name == group.Name {
			copied := *g
			copied.Count = int(*req.Count)
			changed.TaskGroups[i] = &copied
		}
	}
	source, _ := w.JobSubmission(w.Namespace, job.ID, job.Version)
	c := &fsm.JobRegister{Job: &changed, Submission: source, Scaling: scale, EnforceIndex: true, JobModifyIndex: job.JobModifyIndex}
	return e.register(w, c, api.TriggerJobScaling, 0, nil)
}

func scaleTarget(w *Write, req *api.JobScaleRequest) (*api.Job, *api.TaskGroup, error) {
	if req.Error && req.Count != nil {
		return nil, nil, api.Errorf(api.ErrInvalid, "scaling action should not contain count if error is true")
	}
	if req.Count != nil && (*req.Count < 0 || *req.Count > 1<<30) {
		return nil, nil, api.Errorf(api.ErrInvalid, "scaling action count can't be negative or larger than %d", 1<<30)
	}
	if ns, job := req.Target["Namespace"], req.Target["Job"]; ns != "" && ns != w.Namespace || job != "" && job != req.ID {
		return nil, nil, api.Errorf(api.ErrInvalid, "the target is job %q in namespace %q and the request is for job %q in namespace %q; let them agree", job, ns, req.ID, w.Namespace)
	}
	name := req.Target["Group"]
	if name == "" {
		return nil, nil, api.Errorf(api.ErrInvalid, "missing task group name for scaling action")
	}
	job, err := getJob(w.View, w.Namespace, req.ID)
	if err != nil {
		return nil, nil, err
	}
	group := job.LookupTaskGroup(name)
	if group == nil {
		return nil, nil, api.Errorf(api.ErrInvalid, "task group %q specified for scaling does not exist in job", name)
	}
	if req.JobModifyIndex != 0 && req.JobModifyIndex != job.JobModifyIndex {
		return nil, nil, api.Errorf(api.ErrConflict, "Enforcing job modify index %d: job exists with conflicting job modify index: %d", req.JobModifyIndex, job.JobModifyIndex)
	}
	return job, group, nil
}

// scaleBounds checks a new count against the policy of the group and the
// limits of the server.
func (e *Endpoints) scaleBounds(w *Write, req *api.JobScaleRequest, job *api.Job, group *api.TaskGroup) error {
	if w.SchedulerConfig().RejectJobRegistration {
		return api.Errorf(api.ErrDenied, "job registration, dispatch, and scale are disabled by the scheduler configuration")
	}
	if job.Stop {
		return api.Errorf(api.ErrInvalid, "job %q is stopped; start it before scaling it", job.ID)
	}
	if job.Type == api.JobTypeSystem || job.Type == api.JobTypeSysbatch {
		return api.Errorf(api.ErrInvalid, "can't scale a job of type %q: it runs once on each node", job.Type)
	}
	n := *req.Count
	if p := group.Scaling; p != nil {
		if p.Min != nil && n < *p.Min {
			return api.Errorf(api.ErrInvalid, "group count was less than scaling policy minimum: %d < %d", n, *p.Min)
		}
		if p.Max != nil && n > *p.Max {
			return api.Errorf(api.ErrInvalid, "group count was greater than scaling policy maximum: %d > %d", n, *p.Max)
		}
	}
	total := int(n) - group.Count
	for _, g := range job.TaskGroups {
		total += g.Count
	}
	if e.Limits.JobMaxCount > 0 && total > e.Limits.JobMaxCount {
		return api.Errorf(api.ErrInvalid, "total count of %d is greater than the maximum of %d", total, e.Limits.JobMaxCount)
	}
	return nil
}
