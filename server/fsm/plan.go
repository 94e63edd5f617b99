package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/server/state"
)

// PlanApply is a batch of plans: what the scheduler made of a batch of
// evaluations, committed together. The result is a *PlanApplied.
type PlanApply struct {
	Time  int64 // Unix nanoseconds
	Plans []Plan
}

// Plan is what is to become of one job's allocations.
type Plan struct {
	EvalID    string
	Namespace string
	JobID     string

	// JobModifyIndex is that of the job that the scheduler saw, 0 when there
	// was none. A plan for a job that has changed since is refused as a whole:
	// the change has an evaluation of its own.
	JobModifyIndex uint64

	// AllAtOnce refuses every placement when one is refused.
	AllAtOnce bool

	// Oversubscribe says that memory_max holds for what is placed and updated.
	Oversubscribe bool

	Stops      []Stop
	Updates    []InPlace
	Placements []Placement

	// Metrics are shared by the placements that name them.
	Metrics []*api.AllocationMetric

	// Evals are written when nothing of the plan was refused: the evaluation
	// that was processed, as it is afterwards, and those that follow from it.
	Evals []*api.Evaluation

	// Deployment is written with the plan when it is new; of one that goes on the
	// numbers to reach are taken over. DeploymentID names the
	// one that goes on. The placements and updates that ask for it become part
	// of whichever there is.
	Deployment   *api.Deployment
	DeploymentID string

	// Ended are deployments that end with the plan.
	Ended []DeploymentEnd
}

// DeploymentEnd is a deployment that has ended, and how. One that has ended
// already is left alone.
type DeploymentEnd struct {
	ID          string
	Status      string
	Description string
}

// Stop ends an allocation.
type Stop struct {
	AllocID      string
	Description  string // why
	ClientStatus string // when the client cannot say itself: "lost" or "unknown"
	FollowupEval string
	Evict        bool   // the desired status is "evict" instead of "stop"
	Keep         bool   // the desired status stays "run": only ClientStatus or FollowupEval is set
	PreemptedBy  string // the allocation that takes the place
}

// InPlace moves an allocation to another version of its job without a restart.
type InPlace struct {
	AllocID    string
	Version    uint64
	Metric     int // 1 + position in Plan.Metrics; 0 keeps what there is
	Deployment bool
}

// Placement is a new allocation.
type Placement struct {
	ID         string
	Version    uint64 // of the job
	Group      string
	Index      int // in the name: job.group[index]
	NodeID     string
	Ports      []api.PortMapping
	Previous   string // the allocation that it replaces
	Metric     int    // 1 + position in Plan.Metrics; 0 for none
	Deployment bool   // belongs to Plan.Deployment
	Canary     bool

	// For the few that need them.
	Tasks      []fit.Grant
	Reschedule *api.RescheduleTracker
	Preempted  []string // allocations that are stopped for it
}

// PlanApplied tells what became of a PlanApply, plan by plan.
type PlanApplied struct {
	Index uint64
	Plans []PlanResult
}

// PlanResult tells what became of one plan.
type PlanResult struct {
	// Superseded is the reason why the whole plan was refused: the job has
	// changed since. Empty when it was not.
	Superseded string

	// Refused lists the placements and in-place updates that were refused.
	// When there are any, the evaluations were not written: the planner
	// schedules again.
	Refused []Refusal
}

// Refusal says why a placement was refused.
type Refusal struct {
	AllocID string
	NodeID  string
	Reason  string // for example "memory", "node is not ready"
}

// OK says whether everything of the plan was applied.
func (r *PlanResult) OK() bool { return r.Superseded == "" && len(r.Refused) == 0 }

func (c *PlanApply) apply(tx *state.Tx) (any, error) {
	out := &PlanApplied{Index: tx.Index(), Plans: make([]PlanResult, len(c.Plans))}
	groups := groupCache{}
	for i := range c.Plans {
		p := &planner{tx: tx, plan: &c.Plans[i], time: c.Time, groups: groups, result: &out.Plans[i]}
		p.apply()
	}
	return out, nil
}

// planner applies one plan.
type planner struct {
	tx     *state.Tx
	plan   *Plan
	time   int64
	groups groupCache
	result *PlanResult

	edits   map[string]*api.Allocation // changed copies of stored allocations
	order   []string                   // of the edits
	refused map[string]bool
	lost    map[string]bool   // stopped because the client is gone
	victims map[string]string // placements that preempt, by what they preempt
}

func (p *planner) apply() {
	job, exists := p.tx.Job(p.plan.Namespace, p.plan.JobID)
	if reason := p.superseded(job, exists); reason != "" {
		p.result.Superseded = reason
		return
	}
	p.edits, p.refused, p.lost = map[string]*api.Allocation{}, map[string]bool{}, map[string]bool{}
	p.victims = map[string]string{}
	places := p.verify()
	p.stops()
	p.updates()
	p.deployments()
	// In the order of their keys they go into the trees side by side.
	slices.SortFunc(places, func(a, b verified) int { return strings.Compare(a.ID, b.ID) })
	for i := range places {
		p.place(&places[i])
	}
	for _, id := range p.order {
		p.tx.PutAllocation(p.edits[id])
	}
	if len(p.result.Refused) == 0 {
		putEvals(p.tx, p.plan.Evals)
	}
}

// superseded says why a plan is for a job that is no longer as it was seen.
func (p *planner) superseded(job *api.Job, exists bool) string {
	var index uint64
	if exists {
		index = job.JobModifyIndex
	}
	switch {
	case index != p.plan.JobModifyIndex && !exists:
		return fmt.Sprintf("job %q was purged", p.plan.JobID)
	case index != p.plan.JobModifyIndex:
		return fmt.Sprintf("job %q changed at index %d, the plan was made for %d", p.plan.JobID, index, p.plan.JobModifyIndex)
	case len(p.plan.Placements) > 0 && job.Stopped():
		return fmt.Sprintf("job %q is stopped", p.plan.JobID)
	}
	return ""
}

// edit returns a copy of a stored allocation for changing; it is written at
// the end of the plan.
func (p *planner) edit(id string) (*api.Allocation, bool) {
	if a, ok := p.edits[id]; ok {
		return a, true
	}
	old, ok := p.tx.Allocation(id)
	if !ok {
		return nil, false
	}
	a := *old
	a.ModifyTime = p.time
	p.edits[id] = &a
	p.order = append(p.order, id)
	return &a, true
}

func (p *planner) stops() {
	for i := range p.plan.Stops {
		s := &p.plan.Stops[i]
		if p.refused[s.AllocID] {
			continue // what was to replace it was refused: it goes on
		}
		a, ok := p.edit(s.AllocID)
		if !ok {
			continue // collected since
		}
		if s.Evict && a.Terminal() {
			continue // ended or stopped by itself meanwhile
		}
		switch {
		case s.Evict:
			a.DesiredStatus = api.AllocDesiredEvict
		case !s.Keep:
			a.DesiredStatus = api.AllocDesiredStop
		}
		if s.Description != "" {
			a.DesiredDescription = s.Description
		}
		if s.ClientStatus != "" && !a.ClientTerminal() {
			a.ClientStatus = s.ClientStatus
		}
		if s.FollowupEval != "" {
			a.FollowupEvalID = s.FollowupEval
		}
		a.PreemptedByAllocation = s.PreemptedBy
	}
}

func (p *planner) updates() {
	for i := range p.plan.Updates {
		u := &p.plan.Updates[i]
		if p.refused[u.AllocID] {
			continue
		}
		a, ok := p.edit(u.AllocID)
		if !ok {
			continue
		}
		job, base := p.group(u.Version, a.TaskGroup)
		a.EvalID, a.Job = p.plan.EvalID, job
		a.AllocatedResources = fit.KeepGrants(base, a.AllocatedResources)
		if m := p.metric(u.Metric); m != nil {
			a.Metrics = m
		}
		if id := p.plan.deployment(); u.Deployment && id != "" {
			a.DeploymentID, a.DeploymentStatus = id, nil
		}
	}
}

// deployments writes what the plan says of deployments.
func (p *planner) deployments() {
	for _, x := range p.plan.Ended {
		old, ok := p.tx.Deployment(x.ID)
		if !ok || !old.Active() {
			continue
		}
		d := *old
		d.Status, d.StatusDescription, d.ModifyTime = x.Status, x.Description, p.time
		p.tx.PutDeployment(&d)
	}
	d := p.plan.Deployment
	if d == nil {
		return
	}
	if old, ok := p.tx.Deployment(d.ID); !ok {
		p.tx.PutDeployment(d)
	} else if old.Active() {
		p.resize(old, d)
	}
}

// resize takes over how many allocations a deployment that goes on has to reach.
// What else became of it since the plan was made stays.
func (p *planner) resize(old, d *api.Deployment) {
	c := *old
	c.ModifyTime, c.TaskGroups = p.time, maps.Clone(old.TaskGroups)
	for name, s := range d.TaskGroups {
		if was := c.TaskGroups[name]; was != nil && s != nil {
			x := *was
			x.DesiredTotal, x.DesiredCanaries = s.DesiredTotal, s.DesiredCanaries
			c.TaskGroups[name] = &x
		}
	}
	p.tx.PutDeployment(&c)
}

// deployment gives the ID of the deployment that the plan is part of.
func (p *Plan) deployment() string {
	if p.Deployment != nil {
		return p.Deployment.ID
	}
	return p.DeploymentID
}

// metric returns a metric of the plan by its number from 1.
func (p *planner) metric(n int) *api.AllocationMetric {
	if n < 1 || n > len(p.plan.Metrics) {
		return nil
	}
	return p.plan.Metrics[n-1]
}

// verified is a placement that fits.
type verified struct {
	*Placement
	job       *api.Job
	group     *api.TaskGroup
	node      *api.Node
	resources *api.AllocatedResources
}

func (p *planner) place(v *verified) {
	job := v.job
	a := &api.Allocation{
		ID: v.ID, Namespace: job.Namespace, EvalID: p.plan.EvalID,
		Name:   fmt.Sprintf("%s.%s[%d]", job.ID, v.group.Name, v.Index),
		NodeID: v.node.ID, NodeName: v.node.Name, JobID: job.ID, Job: job, TaskGroup: v.group.Name,
		AllocatedResources: v.resources, Metrics: p.metric(v.Metric),
		DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientPending,
		PreviousAllocation: v.Previous, RescheduleTracker: v.Reschedule, PreemptedAllocations: v.Preempted,
		CreateTime: p.time, ModifyTime: p.time,
	}
	if id := p.plan.deployment(); v.Deployment && id != "" {
		a.DeploymentID = id
		if v.Canary {
			a.DeploymentStatus = &api.AllocDeploymentStatus{Canary: true, ModifyIndex: p.tx.Index()}
		}
	}
	p.tx.PutAllocation(a)
	if v.Previous != "" {
		if prev, ok := p.edit(v.Previous); ok {
			prev.NextAllocation = v.ID
		}
	}
}

// groupCache holds what a group of a job version gets on a node, so that the
// allocations of one batch share it.
type groupCache map[groupKey]*api.AllocatedResources

type groupKey struct {
	job           *api.Job
	group         string
	oversubscribe bool
}

// group returns a version of the plan's job and what its group is given.
func (p *planner) group(version uint64, name string) (*api.Job, *api.AllocatedResources) {
	job, ok := p.tx.JobVersion(p.plan.Namespace, p.plan.JobID, version)
	if !ok {
		return nil, nil
	}
	key := groupKey{job, name, p.plan.Oversubscribe}
	if r, ok := p.groups[key]; ok {
		return job, r
	}
	g := job.LookupTaskGroup(name)
	if g == nil {
		return job, nil
	}
	r := fit.Resources(g, p.plan.Oversubscribe)
	p.groups[key] = r
	return job, r
}
