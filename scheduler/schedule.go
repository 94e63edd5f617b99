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
	groups    map[string]*demand
	stopped   map[*api.Allocation]bool // those of plan.Stops

	desired map[string]*api.DesiredUpdates
	failed  map[string]*api.AllocationMetric
	queued  map[string]int
	blocked []*demand // of the groups that wait for capacity
}

// demand is what is known of a group for as long as the evaluation lasts.
type demand struct {
	group    *api.TaskGroup
	feasible *feasible.Group
	usage    fit.Usage
}

func newRun(in Input) *run {
	e := *in.Eval
	r := &run{
		in: in, tx: in.Fleet.Begin(), plan: &Plan{Eval: &e},
		groups:  map[string]*demand{},
		stopped: map[*api.Allocation]bool{},
		desired: map[string]*api.DesiredUpdates{},
		queued:  map[string]int{},
	}
	if job, ok := in.State.Job(e.Namespace, e.JobID); ok {
		r.job, r.plan.Job = job, job
	}
	r.allocs = slices.Collect(in.State.AllocationsByJob(e.Namespace, e.JobID))
	r.configure()
	return r
}

// configure takes the cluster's configuration, and the node pool's over it.
func (r *run) configure() {
	config := r.in.State.SchedulerConfig()
	r.algorithm, r.plan.Oversubscribe = config.SchedulerAlgorithm, config.MemoryOversubscriptionEnabled
	if r.job == nil {
		return
	}
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

func (r *run) demand(g *api.TaskGroup) *demand {
	d := r.groups[g.Name]
	if d == nil {
		d = &demand{
			group:    g,
			feasible: feasible.For(r.in.Fleet, r.job, g),
			usage:    fit.Of(fit.Resources(g, false)),
		}
		r.groups[g.Name] = d
	}
	return d
}

// compared is what the reconcilers look at.
func (r *run) compared() reconcile.Input {
	return reconcile.Input{Job: r.job, Allocs: r.allocs, Node: r.in.State.Node, Stays: r.stays}
}

// stays says whether an allocation's node still meets what its group demands.
func (r *run) stays(a *api.Allocation) bool {
	row, ok := r.in.Fleet.Row(a.NodeID)
	g := r.job.LookupTaskGroup(a.TaskGroup)
	return ok && g != nil && feasible.InReach(r.in.Fleet, r.job, row) && r.demand(g).feasible.Placeable(row)
}

func (r *run) stop(s Stop) {
	r.plan.Stops = append(r.plan.Stops, s)
	r.stopped[s.Alloc] = true
}

// take takes over what does not need a node to be chosen.
func (r *run) take(g *reconcile.Group) {
	for _, s := range g.Stops {
		r.stop(Stop{Alloc: s.Alloc, Description: s.Description, ClientStatus: s.ClientStatus})
	}
	r.plan.InPlace = append(r.plan.InPlace, g.InPlace...)
	if g.Group != nil {
		r.queued[g.Name] = 0
	}
	if g.Desired != (api.DesiredUpdates{}) || g.Group != nil {
		r.desired[g.Name] = &g.Desired
	}
}
