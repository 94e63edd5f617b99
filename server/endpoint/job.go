package endpoint

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

func (e *Endpoints) jobs() {
	read(e, api.JobsList, jobsList)
	read(e, api.JobRead, jobRead)
	read(e, api.JobVersions, jobVersions)
	read(e, api.JobSubmissionOf, jobSubmission)
	read(e, api.JobAllocations, jobAllocations)
	read(e, api.JobEvaluations, jobEvaluations)
	read(e, api.JobDeployments, jobDeployments)
	read(e, api.JobDeployment, jobDeployment)
	read(e, api.JobSummaryOf, jobSummary)
	read(e, api.JobServices, jobServices)
	read(e, api.JobActions, jobActions)
	read(e, api.JobScaleStatusOf, jobScaleStatus)
	lookup(e, api.JobsStatuses, jobsStatuses)
	e.jobWrites()
}

func jobsList(r *Read, req *api.JobsListRequest) ([]*api.JobListStub, error) {
	rows := r.Jobs()
	if r.Namespace != api.AllNamespaces {
		rows = r.JobsIn(r.Namespace)
	}
	return page(r, &req.QueryOptions, jobListing(r, rows, req.Prefix, req.Meta))
}

// jobListing lists jobs by namespace and ID. Its tokens are "namespace.id".
func jobListing(r *Read, rows iter.Seq[*api.Job], prefix string, meta bool) listing[*api.Job, *api.JobListStub] {
	return listing[*api.Job, *api.JobListStub]{
		rows:  rows,
		token: func(j *api.Job) string { return j.Namespace + "." + j.ID },
		at: func(token string, j *api.Job) int {
			namespace, id, _ := strings.Cut(token, ".")
			return cmp.Or(strings.Compare(namespace, j.Namespace), strings.Compare(id, j.ID))
		},
		match: func(j *api.Job) bool { return strings.HasPrefix(j.ID, prefix) && r.in(j.Namespace) },
		stub:  func(j *api.Job) *api.JobListStub { return jobStub(r.View, j, meta) },
	}
}

func jobStub(v *state.View, j *api.Job, meta bool) *api.JobListStub {
	s := &api.JobListStub{
		ID: j.ID, ParentID: j.ParentID, Name: j.Name, Namespace: j.Namespace,
		Datacenters: j.Datacenters, NodePool: j.NodePool, Type: j.Type, Priority: j.Priority,
		Periodic: j.IsPeriodic(), ParameterizedJob: j.IsParameterized(), Stop: j.Stop,
		Status: j.Status, StatusDescription: j.StatusDescription,
		CreateIndex: j.CreateIndex, ModifyIndex: j.ModifyIndex, JobModifyIndex: j.JobModifyIndex,
		SubmitTime: j.SubmitTime, Version: j.Version,
	}
	s.JobSummary, _ = v.JobSummary(j.Namespace, j.ID)
	if meta {
		s.Meta = j.Meta
	}
	return s
}

func jobRead(r *Read, req *api.JobReadRequest) (*api.Job, error) {
	return getJob(r.View, r.Namespace, req.ID)
}

func jobSubmission(r *Read, req *api.JobSubmissionRequest) (*api.JobSubmission, error) {
	s, ok := r.JobSubmission(r.Namespace, req.ID, req.Version)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "job source not found")
	}
	return s, nil
}

func jobSummary(r *Read, req *api.JobReadRequest) (*api.JobSummary, error) {
	s, ok := r.JobSummary(r.Namespace, req.ID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "job not found")
	}
	return s, nil
}

func jobAllocations(r *Read, req *api.JobAllocationsRequest) ([]*api.AllocationListStub, error) {
	l := allocationListing(r.AllocationsByJob(r.Namespace, req.ID), false, true)
	if j, ok := r.Job(r.Namespace, req.ID); ok && !req.All {
		// A job of the same name that was purged before is another job.
		l.match = func(a *api.Allocation) bool { return a.Job == nil || a.Job.CreateIndex == j.CreateIndex }
	}
	return page(r, &req.QueryOptions, l)
}

func jobEvaluations(r *Read, req *api.JobReadRequest) ([]*api.Evaluation, error) {
	l := evaluationListing(r.EvaluationsByJob(r.Namespace, req.ID))
	l.order = func(a, b *api.Evaluation) int { // newest first, as people look for it
		return cmp.Or(cmp.Compare(b.CreateIndex, a.CreateIndex), strings.Compare(a.ID, b.ID))
	}
	return page(r, &req.QueryOptions, l)
}

func jobDeployments(r *Read, req *api.JobAllocationsRequest) ([]*api.Deployment, error) {
	j, ok := r.Job(r.Namespace, req.ID)
	out := []*api.Deployment{}
	for d := range r.DeploymentsByJob(r.Namespace, req.ID) {
		if req.All || ok && d.JobCreateIndex == j.CreateIndex {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *api.Deployment) int { return cmp.Compare(b.CreateIndex, a.CreateIndex) })
	return out, nil
}

// jobDeployment gives the newest deployment of a job; null when it has none.
func jobDeployment(r *Read, req *api.JobReadRequest) (*api.Deployment, error) {
	var newest *api.Deployment
	for d := range r.DeploymentsByJob(r.Namespace, req.ID) {
		if newest == nil || d.CreateIndex > newest.CreateIndex {
			newest = d
		}
	}
	return newest, nil
}

// jobServices lists no service: registrations come with service discovery.
func jobServices(r *Read, req *api.JobReadRequest) ([]*api.ServiceRegistration, error) {
	_, err := getJob(r.View, r.Namespace, req.ID)
	return []*api.ServiceRegistration{}, err
}

func jobActions(r *Read, req *api.JobReadRequest) ([]*api.JobAction, error) {
	j, err := getJob(r.View, r.Namespace, req.ID)
	if err != nil {
		return nil, err
	}
	out := []*api.JobAction{}
	for _, g := range j.TaskGroups {
		for _, t := range g.Tasks {
			for _, a := range t.Actions {
				out = append(out, &api.JobAction{Name: a.Name, Command: a.Command, Args: a.Args, TaskName: t.Name, TaskGroupName: g.Name})
			}
		}
	}
	return out, nil
}
