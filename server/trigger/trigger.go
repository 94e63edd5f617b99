// Package trigger makes the evaluations that follow from what happens in a
// cluster: a job or a node has changed, an allocation has ended.
//
// It is pure but for the IDs that it draws; the endpoints and the leader's
// loops put what it returns into their commands.
package trigger

import (
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// NewID draws the ID of an object.
func NewID() string { return uuid.NewString() }

// ForJob makes an evaluation of a job.
func ForJob(j *api.Job, by string, now time.Time) *api.Evaluation {
	return &api.Evaluation{
		ID: NewID(), Namespace: j.Namespace, JobID: j.ID, JobModifyIndex: j.JobModifyIndex,
		Priority: j.Priority, Type: j.Type, TriggeredBy: by, Status: api.EvalPending,
		CreateTime: now.UnixNano(), ModifyTime: now.UnixNano(),
	}
}

// ForNode makes the evaluations that follow when a node changes: of the jobs
// that have allocations on it and, when it can take new ones, of the jobs that
// run on every node.
func ForNode(v *state.View, n *api.Node, by string, now time.Time) []*api.Evaluation {
	var out []*api.Evaluation
	seen := map[api.NamespacedID]bool{}
	add := func(j *api.Job) {
		if seen[j.NamespacedID()] {
			return
		}
		seen[j.NamespacedID()] = true
		x := ForJob(j, by, now)
		x.NodeID, x.NodeModifyIndex = n.ID, n.ModifyIndex
		out = append(out, x)
	}
	for a := range v.AllocationsByNode(n.ID) {
		if a.ClientTerminal() {
			continue
		}
		if j, ok := v.Job(a.Namespace, a.JobID); ok {
			add(j)
		} else if a.Job != nil {
			add(a.Job)
		}
	}
	if !n.Ready() {
		return out
	}
	for j := range v.Jobs() {
		if !j.Stop && (j.Type == api.JobTypeSystem || j.Type == api.JobTypeSysbatch) && !j.IsPeriodic() && !j.IsParameterized() {
			add(j)
		}
	}
	return out
}

// ForAllocs makes one evaluation for each job that has an allocation among
// those that have just ended and is to run on.
func ForAllocs(v *state.View, ended []*api.Allocation, by string, now time.Time) []*api.Evaluation {
	var out []*api.Evaluation
	seen := map[api.NamespacedID]bool{}
	for _, a := range ended {
		key := api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
		if seen[key] {
			continue
		}
		seen[key] = true
		j, ok := v.Job(a.Namespace, a.JobID)
		if !ok || j.Stop && a.ServerTerminal() {
			continue
		}
		out = append(out, ForJob(j, by, now))
	}
	return out
}
