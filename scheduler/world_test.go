package scheduler_test

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// world is a small cluster: the state that a plan is made on, and the fleet that
// is told of every change as the planner would.
type world struct {
	jobs        map[api.NamespacedID]*api.Job
	versions    map[api.NamespacedID][]*api.Job
	deployments map[string]*api.Deployment
	allocs      map[string]*api.Allocation
	byJob       map[api.NamespacedID][]string // IDs of allocations, sorted
	evals       map[string]*api.Evaluation
	nodes       map[string]*api.Node
	pools       map[string]*api.NodePool
	config      api.SchedulerConfiguration
	fleet       *fleet.Fleet
	now         time.Time
	index       uint64
	ids         int
}

func newWorld() *world {
	return &world{
		jobs:        map[api.NamespacedID]*api.Job{},
		versions:    map[api.NamespacedID][]*api.Job{},
		deployments: map[string]*api.Deployment{},
		allocs:      map[string]*api.Allocation{},
		byJob:       map[api.NamespacedID][]string{},
		evals:       map[string]*api.Evaluation{},
		nodes:       map[string]*api.Node{},
		pools:       map[string]*api.NodePool{},
		config:      *api.DefaultSchedulerConfiguration(),
		fleet:       fleet.New(),
		now:         time.Unix(1700000000, 0).UTC(),
	}
}

func (w *world) Job(namespace, id string) (*api.Job, bool) {
	j, ok := w.jobs[api.NamespacedID{Namespace: namespace, ID: id}]
	return j, ok
}

func (w *world) AllocationsByJob(namespace, id string) iter.Seq[*api.Allocation] {
	return func(yield func(*api.Allocation) bool) {
		for _, k := range w.byJob[api.NamespacedID{Namespace: namespace, ID: id}] {
			if !yield(w.allocs[k]) {
				return
			}
		}
	}
}

func (w *world) EvaluationsByJob(namespace, id string) iter.Seq[*api.Evaluation] {
	return func(yield func(*api.Evaluation) bool) {
		for _, k := range slices.Sorted(maps.Keys(w.evals)) {
			if e := w.evals[k]; e.Namespace == namespace && e.JobID == id && !yield(e) {
				return
			}
		}
	}
}

func (w *world) JobVersion(namespace, id string, version uint64) (*api.Job, bool) {
	for _, j := range w.versions[api.NamespacedID{Namespace: namespace, ID: id}] {
		if j.Version == version {
			return j, true
		}
	}
	return nil, false
}

func (w *world) DeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment] {
	return func(yield func(*api.Deployment) bool) {
		for _, k := range slices.Sorted(maps.Keys(w.deployments)) {
			if d := w.deployments[k]; d.Namespace == namespace && d.JobID == id && !yield(d) {
				return
			}
		}
	}
}

func (w *world) Allocation(id string) (*api.Allocation, bool) { a, ok := w.allocs[id]; return a, ok }

func (w *world) Node(id string) (*api.Node, bool) { n, ok := w.nodes[id]; return n, ok }

func (w *world) NodePool(name string) (*api.NodePool, bool) { p, ok := w.pools[name]; return p, ok }

func (w *world) SchedulerConfig() *api.SchedulerConfiguration { return &w.config }

func (w *world) putNode(n *api.Node) {
	if old := w.nodes[n.ID]; old != nil && old.Status == n.Status {
		n.StatusUpdatedAt = old.StatusUpdatedAt
	} else {
		n.StatusUpdatedAt = w.now.Unix()
	}
	w.nodes[n.ID] = n
	w.fleet.NodeUpsert(n)
}

func (w *world) removeNode(id string) {
	delete(w.nodes, id)
	w.fleet.NodeRemove(id)
}

// putJob stores a job as its next version.
func (w *world) putJob(j *api.Job) {
	w.index++
	old, ok := w.Job(j.Namespace, j.ID)
	j.CreateIndex, j.JobModifyIndex, j.ModifyIndex = w.index, w.index, w.index
	if ok {
		j.Version, j.CreateIndex = old.Version+1, old.CreateIndex
	}
	w.jobs[j.NamespacedID()] = j
	w.versions[j.NamespacedID()] = append(w.versions[j.NamespacedID()], j)
}

func (w *world) putAlloc(a *api.Allocation) {
	if _, known := w.allocs[a.ID]; !known {
		key := api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
		at, _ := slices.BinarySearch(w.byJob[key], a.ID)
		w.byJob[key] = slices.Insert(w.byJob[key], at, a.ID)
	}
	w.fleet.AllocChange(w.allocs[a.ID], a)
	w.allocs[a.ID] = a
}

// change writes a changed copy of an allocation.
func (w *world) change(id string, f func(*api.Allocation)) {
	c := *w.allocs[id]
	c.ModifyTime = w.now.UnixNano()
	f(&c)
	w.putAlloc(&c)
}

func (w *world) newID(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s%04d", prefix, w.ids)
}

// evaluate schedules an evaluation of a job without applying the plan.
func (w *world) evaluate(e *api.Evaluation) (*scheduler.Plan, error) {
	seed := uint64(w.ids)
	if e.AnnotatePlan {
		seed = 1 // dry runs are compared
	}
	return scheduler.Schedule(scheduler.Input{
		Eval: e, State: w, Fleet: w.fleet, Now: w.now,
		NewID: func() string { return w.newID("id") }, Seed: seed,
	})
}

func (w *world) eval(j *api.Job) *api.Evaluation {
	e := &api.Evaluation{
		ID: w.newID("eval"), Namespace: j.Namespace, JobID: j.ID, Type: j.Type, Priority: j.Priority,
		TriggeredBy: api.TriggerJobRegister, Status: api.EvalPending,
	}
	w.evals[e.ID] = e
	return e
}

// apply writes a plan as the FSM does.
func (w *world) apply(p *scheduler.Plan) {
	w.index++
	w.applyDeployments(p)
	for _, s := range p.Stops {
		w.change(s.Alloc.ID, func(a *api.Allocation) {
			switch {
			case s.Evict:
				a.DesiredStatus = api.AllocDesiredEvict
			case !s.Keep:
				a.DesiredStatus = api.AllocDesiredStop
			}
			if s.Description != "" {
				a.DesiredDescription = s.Description
			}
			if s.ClientStatus != "" {
				a.ClientStatus = s.ClientStatus
			}
			if s.FollowupEval != "" {
				a.FollowupEvalID = s.FollowupEval
			}
			a.PreemptedByAllocation = s.PreemptedBy
		})
	}
	for _, u := range p.InPlace {
		w.change(u.Alloc.ID, func(a *api.Allocation) {
			a.Job = p.Job
			if id := deploymentOf(p); u.Deployment && id != "" {
				a.DeploymentID, a.DeploymentStatus = id, nil
			}
		})
	}
	for i := range p.Placements {
		w.applyPlacement(p, &p.Placements[i])
	}
	w.evals[p.Eval.ID] = p.Eval
	for _, e := range slices.Concat(p.NewEvals, p.Cancelled) {
		w.evals[e.ID] = e
	}
	w.fleet.Drop(p.Hold)
}

func deploymentOf(p *scheduler.Plan) string {
	if p.Deployment != nil {
		return p.Deployment.ID
	}
	return p.DeploymentID
}

func (w *world) applyDeployments(p *scheduler.Plan) {
	for _, x := range p.Ended {
		if d := *w.deployments[x.ID]; d.Active() {
			d.Status, d.StatusDescription = x.Status, x.Description
			w.deployments[d.ID] = &d
		}
	}
	d := p.Deployment
	if d == nil {
		return
	}
	old := w.deployments[d.ID]
	if old == nil {
		d.CreateIndex = w.index
		w.deployments[d.ID] = d
		return
	}
	w.changeDeployment(old.ID, func(name string, s *api.DeploymentState) {
		s.DesiredTotal, s.DesiredCanaries = d.TaskGroups[name].DesiredTotal, d.TaskGroups[name].DesiredCanaries
	})
}

// changeDeployment writes a copy of a deployment with its groups changed.
func (w *world) changeDeployment(id string, f func(name string, s *api.DeploymentState)) {
	d := *w.deployments[id]
	d.TaskGroups = maps.Clone(d.TaskGroups)
	for name, s := range d.TaskGroups {
		c := *s
		f(name, &c)
		d.TaskGroups[name] = &c
	}
	w.deployments[id] = &d
}

// endDeployment ends, pauses or resumes a deployment.
func (w *world) endDeployment(id, status string) {
	d := *w.deployments[id]
	d.Status = status
	w.deployments[id] = &d
}

// promote makes the canaries of a deployment ordinary allocations.
func (w *world) promote(id string) {
	w.changeDeployment(id, func(_ string, s *api.DeploymentState) { s.Promoted = s.DesiredCanaries > 0 })
	for _, a := range w.allocs {
		if a.DeploymentID == id && a.DeploymentStatus != nil && a.DeploymentStatus.Canary {
			w.change(a.ID, func(a *api.Allocation) {
				c := *a.DeploymentStatus
				c.Canary = false
				a.DeploymentStatus = &c
			})
		}
	}
}

// health notes what the client says of an allocation's health.
func (w *world) health(id string, healthy bool) {
	w.change(id, func(a *api.Allocation) {
		c := api.AllocDeploymentStatus{Healthy: &healthy, Timestamp: w.now}
		if a.DeploymentStatus != nil {
			c.Canary = a.DeploymentStatus.Canary
		}
		a.DeploymentStatus = &c
	})
}

// active gives the deployment of a job that goes on.
func (w *world) active(jobID string) *api.Deployment {
	for d := range w.DeploymentsByJob(api.DefaultNamespace, jobID) {
		if d.Active() {
			return d
		}
	}
	return nil
}

func (w *world) applyPlacement(p *scheduler.Plan, x *scheduler.Placement) {
	base := fit.WithPorts(fit.Resources(x.Group, p.Oversubscribe), x.Group, x.Ports)
	a := &api.Allocation{
		ID: x.ID, Namespace: x.Job.Namespace, JobID: x.Job.ID, Job: x.Job, TaskGroup: x.Group.Name,
		Name: reconcile.Name(x.Job.ID, x.Group.Name, x.Index), NodeID: x.Node.ID, NodeName: x.Node.Name,
		EvalID: p.Eval.ID, PreviousAllocation: x.Previous, Metrics: x.Metrics,
		DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientPending,
		AllocatedResources: fit.WithGrants(base, x.Grants), RescheduleTracker: x.Reschedule,
		PreemptedAllocations: x.Preempted, CreateIndex: w.index, CreateTime: w.now.UnixNano(),
	}
	if x.Deployment {
		a.DeploymentID = deploymentOf(p)
		if x.Canary {
			a.DeploymentStatus = &api.AllocDeploymentStatus{Canary: true}
		}
	}
	w.putAlloc(a)
	if x.Previous != "" {
		w.change(x.Previous, func(p *api.Allocation) { p.NextAllocation = x.ID })
	}
}

// node makes a node with 4000 MHz, 8000 MB and 100000 MB of disk.
func node(id string) *api.Node {
	return &api.Node{
		ID: id, Name: id, Datacenter: "dc1", NodePool: api.NodePoolDefault,
		Status: api.NodeStatusReady, SchedulingEligibility: api.NodeEligible,
		Attributes: map[string]string{"kernel.name": "linux", "cpu.arch": "amd64"},
		Meta:       map[string]string{},
		Drivers:    map[string]*api.DriverInfo{"mock": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu:      api.NodeCpuResources{CpuShares: 4000},
			Memory:   api.NodeMemoryResources{MemoryMB: 8000},
			Disk:     api.NodeDiskResources{DiskMB: 100000},
			Networks: []*api.NetworkResource{{Mode: "host", Device: "eth0", IP: "10.0.0.1"}},
		},
	}
}

// job makes a service job of one group "g" with one task of 500 MHz and 256 MB.
func job(id string, count int) *api.Job {
	return &api.Job{
		ID: id, Name: id, Namespace: api.DefaultNamespace, Region: api.DefaultRegion, Type: api.JobTypeService,
		Priority: 50, Datacenters: []string{"*"}, NodePool: api.NodePoolDefault,
		TaskGroups: []*api.TaskGroup{group("g", count)},
	}
}

func group(name string, count int) *api.TaskGroup {
	return &api.TaskGroup{
		Name: name, Count: count,
		EphemeralDisk: &api.EphemeralDisk{SizeMB: 300},
		Tasks: []*api.Task{{
			Name: "t", Driver: "mock", Config: map[string]any{"run_for": "1h"},
			Resources: &api.Resources{CPU: 500, MemoryMB: 256},
		}},
	}
}

func indexed(prefix string, i int) string {
	return prefix + strings.Repeat("0", max(0, 5-len(fmt.Sprint(i)))) + fmt.Sprint(i)
}
