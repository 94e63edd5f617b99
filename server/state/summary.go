package state

import (
	"maps"

	"github.com/seraihq/serai/api"
)

// summaryOf returns a job's summary for changing, nil when the job has none.
func (tx *Tx) summaryOf(id jobID) *api.JobSummary {
	if s, ok := tx.summaries[id]; ok {
		return s
	}
	old, ok := tablesOf(tx.t).summaries.Get(tx.r, id)
	if !ok {
		return nil
	}
	s := *old
	s.Summary = maps.Clone(old.Summary)
	if old.Children != nil {
		c := *old.Children
		s.Children = &c
	}
	s.ModifyIndex = tx.Index()
	tx.summaries[id] = &s
	return &s
}

// ensureSummary makes a job's summary, with every group of the job.
func (tx *Tx) ensureSummary(job *api.Job) {
	id := job.NamespacedID()
	s := tx.summaryOf(id)
	if s == nil {
		s = &api.JobSummary{
			JobID: job.ID, Namespace: job.Namespace, Summary: map[string]api.TaskGroupSummary{},
			Children: &api.JobChildrenSummary{}, CreateIndex: tx.Index(), ModifyIndex: tx.Index(),
		}
		tx.summaries[id] = s
	}
	for _, g := range job.TaskGroups {
		if _, ok := s.Summary[g.Name]; !ok {
			s.Summary[g.Name] = api.TaskGroupSummary{}
		}
	}
}

// countAllocation moves an allocation from one bucket of its job's summary to
// another. Either may be nil. What has ended stays counted as ended.
func (tx *Tx) countAllocation(old, now *api.Allocation) {
	if old != nil && now != nil && old.ClientStatus == now.ClientStatus {
		return
	}
	a := now
	if a == nil {
		a = old
	}
	s := tx.summaryOf(jobID{Namespace: a.Namespace, ID: a.JobID})
	if s == nil || a.Job == nil || a.Job.CreateIndex != s.CreateIndex {
		return // of a job that was purged, and perhaps registered anew
	}
	g := s.Summary[a.TaskGroup]
	if old != nil {
		if n := bucket(&g, old.ClientStatus); n != nil && !ended(old.ClientStatus) && *n > 0 {
			*n--
		}
	} else if g.Queued > 0 {
		g.Queued--
	}
	if now != nil {
		if n := bucket(&g, now.ClientStatus); n != nil {
			*n++
		}
	}
	s.Summary[a.TaskGroup] = g
}

func ended(clientStatus string) bool {
	return clientStatus == api.AllocClientComplete || clientStatus == api.AllocClientFailed
}

func bucket(g *api.TaskGroupSummary, clientStatus string) *int {
	switch clientStatus {
	case api.AllocClientPending:
		return &g.Starting
	case api.AllocClientRunning:
		return &g.Running
	case api.AllocClientComplete:
		return &g.Complete
	case api.AllocClientFailed:
		return &g.Failed
	case api.AllocClientLost:
		return &g.Lost
	case api.AllocClientUnknown:
		return &g.Unknown
	}
	return nil
}

// countQueued takes over what an evaluation could not place.
func (tx *Tx) countQueued(e *api.Evaluation) {
	if len(e.QueuedAllocations) == 0 {
		return
	}
	s := tx.summaryOf(jobID{Namespace: e.Namespace, ID: e.JobID})
	if s == nil {
		return
	}
	for name, n := range e.QueuedAllocations {
		if g, ok := s.Summary[name]; ok && g.Queued != n {
			g.Queued = n
			s.Summary[name] = g
		}
	}
}

// countChild moves a job between the buckets of its parent's summary. A status
// of "" means that there is no child yet, or no longer: then it counts as dead.
func (tx *Tx) countChild(job *api.Job, from, to string) {
	if job.ParentID == "" || from == to {
		return
	}
	s := tx.summaryOf(jobID{Namespace: job.Namespace, ID: job.ParentID})
	if s == nil {
		return
	}
	if s.Children == nil {
		s.Children = &api.JobChildrenSummary{}
	}
	if n := childBucket(s.Children, from); n != nil && *n > 0 {
		*n--
	}
	if n := childBucket(s.Children, to); n != nil {
		*n++
	}
}

func childBucket(c *api.JobChildrenSummary, status string) *int64 {
	switch status {
	case api.JobStatusPending:
		return &c.Pending
	case api.JobStatusRunning:
		return &c.Running
	case api.JobStatusDead:
		return &c.Dead
	}
	return nil
}
