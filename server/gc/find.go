package gc

import (
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Thresholds say for how long something must have been over before it is freed.
type Thresholds struct {
	Eval       time.Duration // evaluations of services and their allocations
	BatchEval  time.Duration // the same of batch jobs
	Job        time.Duration
	Child      time.Duration // jobs that periodic and parameterized jobs started
	Node       time.Duration // since the node went down
	Deployment time.Duration
	Token      time.Duration // since the token expired

	MaxChildren int // finished ones of a job that are kept, the newest; 0: all
}

// DefaultThresholds are those of Nomad, and serai's own for children.
func DefaultThresholds() Thresholds {
	return Thresholds{
		Eval: time.Hour, BatchEval: 24 * time.Hour, Job: 4 * time.Hour, Child: 4 * time.Hour,
		Node: 24 * time.Hour, Deployment: time.Hour, Token: time.Hour, MaxChildren: 1000,
	}
}

// Find gives all that is over for long enough at the time now. The zero
// Thresholds find all that is over at all.
func Find(v *state.View, t Thresholds, now time.Time) *fsm.Reap {
	f := newFinder(v, t, now)
	f.jobs()
	f.excess(parents(v))
	f.evaluations()
	f.deployments()
	f.nodes()
	return &f.found
}

func newFinder(v *state.View, t Thresholds, now time.Time) *finder {
	return &finder{view: v, limits: t, now: now, doomed: map[string]bool{}, jobsFound: map[api.NamespacedID]bool{}}
}

type finder struct {
	view   *state.View
	limits Thresholds
	now    time.Time
	found  fsm.Reap
	doomed map[string]bool // evaluations and allocations that are in found

	jobsFound map[api.NamespacedID]bool
}

func (f *finder) olderThan(unixNano int64, limit time.Duration) bool {
	return f.now.Sub(time.Unix(0, unixNano)) >= limit
}

func (f *finder) addEval(id string) {
	if !f.doomed[id] {
		f.doomed[id] = true
		f.found.Evals = append(f.found.Evals, id)
	}
}

func (f *finder) addAlloc(id string) {
	if !f.doomed[id] {
		f.doomed[id] = true
		f.found.Allocs = append(f.found.Allocs, id)
	}
}

// jobs finds dead jobs, with all that belongs to them.
func (f *finder) jobs() {
	for j := range f.view.Jobs() {
		limit := f.limits.Job
		if j.ParentID != "" {
			limit = f.limits.Child
		}
		if finished(j) && f.olderThan(f.lastTouched(j), limit) {
			f.addJob(j)
		}
	}
}

// finished says whether a job is dead and not wanted any more: a service
// without allocations and a template of jobs are wanted until they are stopped.
func finished(j *api.Job) bool {
	ends := (j.Type == api.JobTypeBatch || j.Type == api.JobTypeSysbatch) && !j.IsPeriodic() && !j.IsParameterized()
	return j.Status == api.JobStatusDead && (ends || j.Stop)
}

// addJob adds a job with all that belongs to it, if nothing of it runs.
func (f *finder) addJob(j *api.Job) {
	if f.jobsFound[j.NamespacedID()] || !f.allOver(j) {
		return
	}
	f.jobsFound[j.NamespacedID()] = true
	for a := range f.view.AllocationsByJob(j.Namespace, j.ID) {
		f.addAlloc(a.ID)
	}
	for e := range f.view.EvaluationsByJob(j.Namespace, j.ID) {
		f.addEval(e.ID)
	}
	f.found.Jobs = append(f.found.Jobs, fsm.JobRef{Namespace: j.Namespace, ID: j.ID, ModifyIndex: j.ModifyIndex})
}

// lastTouched is when a job was submitted, or when something of it last
// changed.
func (f *finder) lastTouched(j *api.Job) int64 {
	last := j.SubmitTime
	for a := range f.view.AllocationsByJob(j.Namespace, j.ID) {
		last = max(last, a.ModifyTime)
	}
	for e := range f.view.EvaluationsByJob(j.Namespace, j.ID) {
		last = max(last, e.ModifyTime)
	}
	return last
}

func (f *finder) allOver(j *api.Job) bool {
	for a := range f.view.AllocationsByJob(j.Namespace, j.ID) {
		if !f.gone(a) {
			return false
		}
	}
	for e := range f.view.EvaluationsByJob(j.Namespace, j.ID) {
		if !e.Terminal() {
			return false
		}
	}
	return true
}

// gone says whether nothing of an allocation runs, or could.
func (f *finder) gone(a *api.Allocation) bool {
	if a.ClientTerminal() {
		return true
	}
	if !a.ServerTerminal() {
		return false
	}
	_, known := f.view.Node(a.NodeID)
	return !known
}

// evaluations finds evaluations that are over together with what they placed, and allocations whose evaluation was freed before them: one pass
// over the allocations, whatever the number of evaluations.
func (f *finder) evaluations() {
	kept := map[string]bool{} // evaluations that are over for long enough; true: something of them is still needed
	for e := range f.view.Evaluations() {
		if !f.doomed[e.ID] && e.Terminal() && f.olderThan(e.ModifyTime, f.limit(e.Type)) {
			kept[e.ID] = false
		}
	}
	for a := range f.view.Allocations() {
		if f.doomed[a.ID] || !f.freed(a, kept) {
			continue
		}
		if f.dispensable(a) {
			f.addAlloc(a.ID)
		} else if _, over := kept[a.EvalID]; over {
			kept[a.EvalID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(kept)) {
		if !kept[id] {
			f.addEval(id)
		}
	}
}

// freed says whether an allocation's evaluation is among those, or there no more.
func (f *finder) freed(a *api.Allocation, over map[string]bool) bool {
	if _, ok := over[a.EvalID]; ok {
		return true
	}
	_, ok := f.view.Evaluation(a.EvalID)
	return !ok
}

func (f *finder) limit(jobType string) time.Duration {
	if jobType == api.JobTypeBatch || jobType == api.JobTypeSysbatch {
		return f.limits.BatchEval
	}
	return f.limits.Eval
}

// dispensable says whether an allocation may be forgotten while its job lives.
func (f *finder) dispensable(a *api.Allocation) bool {
	jobType := api.JobTypeService
	if a.Job != nil {
		jobType = a.Job.Type
	}
	if !f.gone(a) || !f.olderThan(a.ModifyTime, f.limit(jobType)) {
		return false
	}
	job, ok := f.view.Job(a.Namespace, a.JobID)
	if !ok || job.Stop {
		return true
	}
	// The scheduler reads from a finished allocation of a batch job that its
	// work is done, and from a failed one that is still wanted that it failed.
	if a.ServerTerminal() || a.NextAllocation != "" {
		return true
	}
	return a.Job != nil && (a.Job.CreateIndex != job.CreateIndex || a.Job.Version < job.Version)
}

func (f *finder) deployments() {
	for d := range f.view.Deployments() {
		if !d.Active() && f.olderThan(d.ModifyTime, f.limits.Deployment) && !f.lastWord(d) && !f.deploymentUsed(d.ID) {
			f.found.Deployments = append(f.found.Deployments, d.ID)
		}
	}
}

// lastWord says whether a job's current version has failed with the deployment:
// the scheduler reads from it that the version is not to be tried again.
func (f *finder) lastWord(d *api.Deployment) bool {
	j, ok := f.view.Job(d.Namespace, d.JobID)
	return ok && d.Status == api.DeploymentFailed && !j.Stop && j.Version == d.JobVersion && j.CreateIndex == d.JobCreateIndex
}

func (f *finder) deploymentUsed(id string) bool {
	for a := range f.view.AllocationsByDeployment(id) {
		if !f.doomed[a.ID] && !a.Terminal() {
			return true
		}
	}
	return false
}

func (f *finder) nodes() {
	for n := range f.view.Nodes() {
		if n.Status != api.NodeStatusDown || f.now.Sub(time.Unix(n.StatusUpdatedAt, 0)) < f.limits.Node {
			continue
		}
		if f.nodeEmpty(n.ID) {
			f.found.Nodes = append(f.found.Nodes, n.ID)
		}
	}
}

func (f *finder) nodeEmpty(id string) bool {
	for a := range f.view.AllocationsByNode(id) {
		if !a.Terminal() {
			return false
		}
	}
	return true
}
