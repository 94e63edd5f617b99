package scheduler

import (
	"errors"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// Schedule decides what an evaluation comes to. An error means that the input
// is not what it should be; that nothing can be placed is not an error but told
// in the plan.
func Schedule(in Input) (*Plan, error) {
	if in.Eval == nil || in.State == nil || in.Fleet == nil || in.NewID == nil {
		return nil, errors.New("schedule: the input lacks an evaluation, a state, a fleet or a source of IDs")
	}
	r := newRun(in)
	done := false
	defer func() { // also when something panics: the fleet outlives this evaluation
		if !done {
			r.tx.Rollback()
		}
	}()
	switch {
	case r.template(): // only its children run
	case r.perNode():
		r.nodes()
	default:
		r.cluster()
	}
	r.finish()
	done = true
	return r.plan, nil
}

// run is the work on one evaluation.
type run struct {
	in     Input
	job    *api.Job
	allocs []*api.Allocation
	tx     *fleet.Tx
	plan   *Plan

	algorithm string
	preempts  bool // the job may take the room of less important ones
	groups    map[demandKey]*demand
	stopped   map[*api.Allocation]bool // those of plan.Stops

	desired map[string]*api.DesiredUpdates
	failed  map[string]*api.AllocationMetric
	queued  map[string]int
	blocked []*demand // of the groups that wait for capacity
	waits   []wait
	coming  map[string]bool // evaluations of the job that are pending; nil: not looked up yet
}

// demand is what is known of a group of a version of the job for as long as the
// evaluation lasts.
type demand struct {
	job      *api.Job
	group    *api.TaskGroup
	feasible *feasible.Group
	usage    fit.Usage
	single   bool // it is that of one allocation, not of all of its group
	failed   bool // there is no room for it
}

type demandKey struct {
	version uint64
	group   string
	index   int // of the allocation where they differ, else anyIndex
}

// anyIndex stands for all allocations of a group.
const anyIndex = -1

func newRun(in Input) *run {
	e := *in.Eval
	r := &run{
		in: in, tx: in.Fleet.Begin(), plan: &Plan{Eval: &e},
		groups:  map[demandKey]*demand{},
		stopped: map[*api.Allocation]bool{},
		desired: map[string]*api.DesiredUpdates{},
		queued:  map[string]int{},
	}
	if job, ok := in.State.Job(e.Namespace, e.JobID); ok {
		r.job, r.plan.Job = job, job
	}
	r.allocs = slices.Collect(in.State.AllocationsByJob(e.Namespace, e.JobID))
	r.configure()
	if r.preempts {
		r.protectOwn()
	}
	return r
}

// configure takes the cluster's configuration, and the node pool's over it.
func (r *run) configure() {
	config := r.in.State.SchedulerConfig()
	r.algorithm, r.plan.Oversubscribe = config.SchedulerAlgorithm, config.MemoryOversubscriptionEnabled
	if r.job == nil {
		return
	}
	r.preempts = mayPreempt(&config.PreemptionConfig, r.job.Type)
	pool, ok := r.in.State.NodePool(r.job.NodePool)
	if !ok || pool.SchedulerConfiguration == nil {
		return
	}
	if a := pool.SchedulerConfiguration.SchedulerAlgorithm; a != "" {
		r.algorithm = a
	}
	if m := pool.SchedulerConfiguration.MemoryOversubscriptionEnabled; m != nil {
		r.plan.Oversubscribe = *m
	}
	if p := pool.SchedulerConfiguration.PreemptionConfig; p != nil {
		r.preempts = mayPreempt(p, r.job.Type)
	}
}

// template says whether the job only starts children.
func (r *run) template() bool {
	return r.job != nil && !r.job.Stop && (r.job.IsPeriodic() || r.job.IsParameterized())
}

func (r *run) perNode() bool {
	kind := r.in.Eval.Type
	if r.job != nil {
		kind = r.job.Type
	}
	return kind == api.JobTypeSystem || kind == api.JobTypeSysbatch
}

func (r *run) demand(job *api.Job, g *api.TaskGroup) *demand { return r.demandAt(job, g, anyIndex) }

// demandAt is the demand of one allocation, where those of a group differ.
func (r *run) demandAt(job *api.Job, g *api.TaskGroup, index int) *demand {
	if !feasible.PerAlloc(g) {
		index = anyIndex
	}
	key := demandKey{job.Version, g.Name, index}
	d := r.groups[key]
	if d == nil {
		d = &demand{
			job:      job,
			group:    g,
			feasible: feasible.ForIndex(r.in.Fleet, job, g, index),
			single:   index != anyIndex,
			usage:    fit.Of(fit.Resources(g, false)),
		}
		r.groups[key] = d
	}
	return d
}

// compared is what the reconcilers look at.
func (r *run) compared() reconcile.Input {
	e := r.in.Eval
	return reconcile.Input{
		Job: r.job, Allocs: r.allocs, Deployments: slices.Collect(r.in.State.DeploymentsByJob(e.Namespace, e.JobID)),
		Now: r.in.Now, EvalID: e.ID, Node: r.in.State.Node, Stays: r.stays, Pending: r.pending,
		Version: func(v uint64) (*api.Job, bool) { return r.in.State.JobVersion(e.Namespace, e.JobID, v) },
	}
}

// stays says whether an allocation's node still meets what its group demands.
func (r *run) stays(a *api.Allocation) bool {
	row, ok := r.in.Fleet.Row(a.NodeID)
	g := r.job.LookupTaskGroup(a.TaskGroup)
	return ok && g != nil && feasible.InReach(r.in.Fleet, r.job, row) && r.demandAt(r.job, g, reconcile.Index(a.Name)).feasible.Placeable(row)
}

func (r *run) stop(s Stop) {
	r.plan.Stops = append(r.plan.Stops, s)
	r.stopped[s.Alloc] = true
}

// take takes over what does not need a node to be chosen.
func (r *run) take(result *reconcile.Result) {
	r.plan.DeploymentID = result.DeploymentID
	if d := result.Deployment; d != nil {
		d.ModifyTime = r.in.Now.UnixNano()
		if d.ID == "" {
			d.ID, d.CreateTime = r.in.NewID(), d.ModifyTime
		}
		r.plan.Deployment, r.plan.DeploymentID = d, d.ID
	}
	for _, x := range result.Ended {
		r.plan.Ended = append(r.plan.Ended, DeploymentEnd{ID: x.ID, Status: api.DeploymentCancelled, Description: x.Description})
	}
	for _, g := range result.Groups {
		r.takeGroup(g)
	}
}

func (r *run) takeGroup(g *reconcile.Group) {
	for _, s := range g.Stops {
		r.stop(Stop{Alloc: s.Alloc, Description: s.Description, ClientStatus: s.ClientStatus})
	}
	for _, n := range g.Notes {
		if !n.Until.IsZero() {
			r.waits = append(r.waits, wait{n.Until, n.Trigger, len(r.plan.Stops)})
		}
		r.plan.Stops = append(r.plan.Stops, Stop{Alloc: n.Alloc, Description: n.Description, ClientStatus: n.ClientStatus, Keep: true})
	}
	for _, u := range g.InPlace {
		r.plan.InPlace = append(r.plan.InPlace, InPlace{Alloc: u.Alloc, Deployment: u.Member})
	}
	if g.Group != nil {
		r.queued[g.Name] = 0
	}
	if g.Desired != (api.DesiredUpdates{}) || g.Group != nil {
		r.desired[g.Name] = &g.Desired
	}
}
