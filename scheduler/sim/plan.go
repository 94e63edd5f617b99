package sim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// Schedule has the scheduler look at a job, and applies nothing. With dry the
// plan has annotations; without, its room is held until Apply.
func (w *World) Schedule(j *api.Job, dry bool) (*scheduler.Plan, error) {
	return w.evaluate(&api.Evaluation{
		ID: w.newID(), Namespace: j.Namespace, JobID: j.ID, Type: j.Type, Priority: j.Priority,
		TriggeredBy: api.TriggerJobRegister, Status: api.EvalPending, AnnotatePlan: dry,
	})
}

func (w *World) evaluate(e *api.Evaluation) (*scheduler.Plan, error) {
	return scheduler.Schedule(scheduler.Input{Eval: e, State: w, Fleet: w.fleet, Now: w.now, NewID: w.newID, Seed: 1})
}

// Apply takes over a plan and settles: what it stops has ended, what it places
// runs. Room that the plan holds is dropped.
func (w *World) Apply(p *scheduler.Plan) {
	w.fleet.Drop(p.Hold)
	p.Hold = nil
	for i := range p.Stops {
		w.stop(&p.Stops[i])
	}
	for i := range p.InPlace {
		if a, ok := w.Allocation(p.InPlace[i].Alloc.ID); ok {
			c := *a
			c.Job = p.Job
			w.PutAllocation(&c)
		}
	}
	for i := range p.Placements {
		w.place(p, &p.Placements[i])
	}
}

func (w *World) stop(s *scheduler.Stop) {
	a, ok := w.Allocation(s.Alloc.ID)
	if !ok {
		return
	}
	c := *a
	switch {
	case s.Keep:
		c.ClientStatus = cmp.Or(s.ClientStatus, c.ClientStatus)
	case s.Evict:
		c.DesiredStatus, c.ClientStatus = api.AllocDesiredEvict, api.AllocClientComplete
	default:
		c.DesiredStatus, c.ClientStatus = api.AllocDesiredStop, cmp.Or(s.ClientStatus, api.AllocClientComplete)
	}
	c.DesiredDescription, c.PreemptedByAllocation = s.Description, s.PreemptedBy
	w.PutAllocation(&c)
}

func (w *World) place(p *scheduler.Plan, x *scheduler.Placement) {
	base := fit.WithPorts(w.resources(x.Group, p.Oversubscribe), x.Group, x.Ports)
	healthy := true
	w.PutAllocation(&api.Allocation{
		ID: x.ID, Namespace: x.Job.Namespace, JobID: x.Job.ID, Job: x.Job, TaskGroup: x.Group.Name,
		Name: reconcile.Name(x.Job.ID, x.Group.Name, x.Index), NodeID: x.Node.ID, NodeName: x.Node.Name,
		EvalID: p.Eval.ID, PreviousAllocation: x.Previous, Metrics: x.Metrics,
		DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientRunning,
		DeploymentStatus:   &api.AllocDeploymentStatus{Healthy: &healthy},
		AllocatedResources: fit.WithGrants(base, x.Grants), PreemptedAllocations: x.Preempted, RescheduleTracker: x.Reschedule,
		CreateTime: w.now.UnixNano(), ModifyTime: w.now.UnixNano(),
	})
	if a, ok := w.Allocation(x.Previous); ok {
		c := *a
		c.NextAllocation = x.ID
		w.PutAllocation(&c)
	}
}

// resources gives what a group is given, one object for all of its allocations.
func (w *World) resources(g *api.TaskGroup, oversubscribe bool) *api.AllocatedResources {
	key := sharedKey{g, oversubscribe}
	r := w.shared[key]
	if r == nil {
		r = fit.Resources(g, oversubscribe)
		w.shared[key] = r
	}
	return r
}

// byPriority sorts jobs: the most important first, then by name.
func byPriority(jobs []*api.Job) []*api.Job {
	slices.SortFunc(jobs, func(a, b *api.Job) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.ID, b.ID))
	})
	return jobs
}

// Unlimited gives a job without its update strategies: all of it changes at
// once, so that a plan shows where it ends.
func Unlimited(j *api.Job) *api.Job {
	c := *j
	c.Update, c.TaskGroups = nil, slices.Clone(j.TaskGroups)
	for i, g := range c.TaskGroups {
		if g.Update != nil {
			x := *g
			x.Update = nil
			c.TaskGroups[i] = &x
		}
	}
	return &c
}
