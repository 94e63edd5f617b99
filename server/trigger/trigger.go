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
	return ForNodes(v, []*api.Node{n}, by, now)
}

// ForNodes makes the evaluations that follow when nodes change together: one for
// each job, however many of the nodes it concerns. It names the first of them.
func ForNodes(v *state.View, nodes []*api.Node, by string, now time.Time) []*api.Evaluation {
	s := set{seen: map[api.NamespacedID]bool{}, by: by, now: now}
	var ready *api.Node
	for _, n := range nodes {
		for a := range v.AllocationsByNode(n.ID) {
			if a.ClientTerminal() || s.seen[jobOf(a)] {
				continue
			}
			if j, ok := v.Job(a.Namespace, a.JobID); ok {
				s.add(j, n)
			} else if a.Job != nil {
				s.add(a.Job, n)
			}
		}
		if ready == nil && n.Ready() {
			ready = n
		}
	}
	if ready != nil {
		s.everywhere(v, ready)
	}
	return s.evals
}

// ForClass makes the evaluations that follow when a ready node has other
// attributes than before: of the jobs that run on every node. What runs on it
// stays, whatever they are.
func ForClass(v *state.View, n *api.Node, by string, now time.Time) []*api.Evaluation {
	s := set{seen: map[api.NamespacedID]bool{}, by: by, now: now}
	s.everywhere(v, n)
	return s.evals
}

// set collects at most one evaluation for each job.
type set struct {
	seen  map[api.NamespacedID]bool
	by    string
	now   time.Time
	evals []*api.Evaluation
}

// everywhere adds the jobs that run on every node.
func (s *set) everywhere(v *state.View, n *api.Node) {
	for j := range v.Jobs() {
		if !j.Stop && (j.Type == api.JobTypeSystem || j.Type == api.JobTypeSysbatch) && !j.IsPeriodic() && !j.IsParameterized() {
			s.add(j, n)
		}
	}
}

func (s *set) add(j *api.Job, n *api.Node) {
	if id := j.NamespacedID(); !s.seen[id] {
		s.seen[id] = true
		x := ForJob(j, s.by, s.now)
		x.NodeID, x.NodeModifyIndex = n.ID, n.ModifyIndex
		s.evals = append(s.evals, x)
	}
}

func jobOf(a *api.Allocation) api.NamespacedID {
	return api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
}

// Cause is an allocation that makes an evaluation of its job necessary, and why.
type Cause struct {
	Alloc *api.Allocation
	By    string
}

// ForAllocs makes one evaluation for each job of which something has happened to
// an allocation, for the first cause that there is.
func ForAllocs(v *state.View, causes []Cause, now time.Time) []*api.Evaluation {
	var out []*api.Evaluation
	seen := map[api.NamespacedID]bool{}
	for _, c := range causes {
		key := jobOf(c.Alloc)
		if seen[key] {
			continue
		}
		seen[key] = true
		j, ok := v.Job(key.Namespace, key.ID)
		if !ok || j.Stop && c.Alloc.ServerTerminal() {
			continue
		}
		out = append(out, ForJob(j, c.By, now))
	}
	return out
}
