package endpoint

import (
	"github.com/seraihq/serai/api"
)

// jobsStatuses gives jobs with their allocations, as the web UI shows them.
// Without names it lists all that are nobody's child.
func jobsStatuses(r *Read, req *api.JobsStatusesRequest) ([]*api.JobStatus, error) {
	out := []*api.JobStatus{}
	if len(req.Jobs) > 0 {
		for _, id := range req.Jobs {
			namespace := id.Namespace
			if namespace == "" {
				namespace = api.DefaultNamespace
			}
			if j, ok := r.Job(namespace, id.ID); ok && r.in(namespace) {
				out = append(out, jobStatus(r, j, req.IncludeChildren))
			}
		}
		return out, nil
	}
	rows := r.Jobs()
	if r.Namespace != api.AllNamespaces {
		rows = r.JobsIn(r.Namespace)
	}
	l := jobListing(r, rows, req.Prefix, false)
	match := l.match
	return page(r, &req.QueryOptions, listing[*api.Job, *api.JobStatus]{
		rows: l.rows, token: l.token, at: l.at,
		match: func(j *api.Job) bool { return match(j) && (req.IncludeChildren || j.ParentID == "") },
		stub:  func(j *api.Job) *api.JobStatus { return jobStatus(r, j, req.IncludeChildren) },
	})
}

func jobStatus(r *Read, j *api.Job, children bool) *api.JobStatus {
	s := &api.JobStatus{
		NamespacedID: j.NamespacedID(), Name: j.Name, Type: j.Type, NodePool: j.NodePool,
		Datacenters: j.Datacenters, Priority: j.Priority, Version: j.Version, ParentID: j.ParentID,
		Stop: j.Stop, Status: j.Status, Allocs: []api.JobStatusAlloc{}, ChildStatuses: []string{},
		CreateIndex: j.CreateIndex, ModifyIndex: j.ModifyIndex, SubmitTime: j.SubmitTime,
	}
	for _, g := range j.TaskGroups {
		s.GroupCountSum += g.Count
	}
	if j.IsPeriodic() || j.IsParameterized() {
		for c := range r.JobChildren(j.Namespace, j.ID) {
			s.ChildStatuses = append(s.ChildStatuses, c.Status)
		}
	}
	for a := range r.AllocationsByJob(j.Namespace, j.ID) {
		if a.Job != nil && a.Job.CreateIndex != j.CreateIndex {
			continue
		}
		s.Allocs = append(s.Allocs, jobStatusAlloc(a))
	}
	s.LatestDeployment = jobStatusDeployment(r, j)
	return s
}

func jobStatusAlloc(a *api.Allocation) api.JobStatusAlloc {
	s := api.JobStatusAlloc{
		ID: a.ID, Group: a.TaskGroup, ClientStatus: a.ClientStatus, NodeID: a.NodeID,
		FollowupEvalID: a.FollowupEvalID,
	}
	if a.Job != nil {
		s.JobVersion = a.Job.Version
	}
	if d := a.DeploymentStatus; d != nil {
		s.DeploymentStatus = api.JobStatusHealth{Canary: d.Canary, Healthy: d.Healthy}
	}
	return s
}

func jobStatusDeployment(r *Read, j *api.Job) *api.JobStatusDeployment {
	var newest *api.Deployment
	for d := range r.DeploymentsByJob(j.Namespace, j.ID) {
		if newest == nil || d.CreateIndex > newest.CreateIndex {
			newest = d
		}
	}
	if newest == nil {
		return nil
	}
	s := &api.JobStatusDeployment{
		ID: newest.ID, IsActive: newest.Active(), JobVersion: newest.JobVersion,
		Status: newest.Status, StatusDescription: newest.StatusDescription, AllAutoPromote: true,
	}
	for _, g := range newest.TaskGroups {
		s.AllAutoPromote = s.AllAutoPromote && g.AutoPromote
		s.RequiresPromotion = s.RequiresPromotion || g.DesiredCanaries > 0 && !g.Promoted
	}
	return s
}
