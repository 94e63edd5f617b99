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
	jobs   map[api.NamespacedID]*api.Job
	allocs map[string]*api.Allocation
	evals  map[string]*api.Evaluation
	nodes  map[string]*api.Node
	pools  map[string]*api.NodePool
	config api.SchedulerConfiguration
	fleet  *fleet.Fleet
	index  uint64
	ids    int
}

func newWorld() *world {
	return &world{
		jobs:   map[api.NamespacedID]*api.Job{},
		allocs: map[string]*api.Allocation{},
		evals:  map[string]*api.Evaluation{},
		nodes:  map[string]*api.Node{},
		pools:  map[string]*api.NodePool{},
		config: *api.DefaultSchedulerConfiguration(),
		fleet:  fleet.New(),
	}
}

func (w *world) Job(namespace, id string) (*api.Job, bool) {
	j, ok := w.jobs[api.NamespacedID{Namespace: namespace, ID: id}]
	return j, ok
}

func (w *world) AllocationsByJob(namespace, id string) iter.Seq[*api.Allocation] {
	return func(yield func(*api.Allocation) bool) {
		for _, k := range slices.Sorted(maps.Keys(w.allocs)) {
			if a := w.allocs[k]; a.Namespace == namespace && a.JobID == id && !yield(a) {
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

func (w *world) Node(id string) (*api.Node, bool) { n, ok := w.nodes[id]; return n, ok }

func (w *world) NodePool(name string) (*api.NodePool, bool) { p, ok := w.pools[name]; return p, ok }

func (w *world) SchedulerConfig() *api.SchedulerConfiguration { return &w.config }

func (w *world) putNode(n *api.Node) {
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
}

func (w *world) putAlloc(a *api.Allocation) {
	w.fleet.AllocChange(w.allocs[a.ID], a)
	w.allocs[a.ID] = a
}

// change writes a changed copy of an allocation.
func (w *world) change(id string, f func(*api.Allocation)) {
	c := *w.allocs[id]
	f(&c)
	w.putAlloc(&c)
}

func (w *world) newID(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s%04d", prefix, w.ids)
}

// evaluate schedules an evaluation of a job without applying the plan.
func (w *world) evaluate(e *api.Evaluation) (*scheduler.Plan, error) {
	return scheduler.Schedule(scheduler.Input{
		Eval: e, State: w, Fleet: w.fleet, Now: time.Unix(1700000000, 0),
		NewID: func() string { return w.newID("id") }, Seed: uint64(w.ids),
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
	for _, s := range p.Stops {
		w.change(s.Alloc.ID, func(a *api.Allocation) {
			a.DesiredStatus, a.DesiredDescription = api.AllocDesiredStop, s.Description
			if s.ClientStatus != "" {
				a.ClientStatus = s.ClientStatus
			}
		})
	}
	for _, a := range p.InPlace {
		w.change(a.ID, func(a *api.Allocation) { a.Job = p.Job })
	}
	for _, x := range p.Placements {
		a := &api.Allocation{
			ID: x.ID, Namespace: p.Job.Namespace, JobID: p.Job.ID, Job: p.Job, TaskGroup: x.Group.Name,
			Name: reconcile.Name(p.Job.ID, x.Group.Name, x.Index), NodeID: x.Node.ID, NodeName: x.Node.Name,
			EvalID: p.Eval.ID, PreviousAllocation: x.Previous, Metrics: x.Metrics,
			DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientPending,
			AllocatedResources: fit.WithPorts(fit.Resources(x.Group, p.Oversubscribe), x.Group, x.Ports),
			CreateIndex:        w.index,
		}
		w.putAlloc(a)
		if x.Previous != "" {
			w.change(x.Previous, func(p *api.Allocation) { p.NextAllocation = x.ID })
		}
	}
	w.evals[p.Eval.ID] = p.Eval
	for _, e := range slices.Concat(p.NewEvals, p.Cancelled) {
		w.evals[e.ID] = e
	}
	w.fleet.Drop(p.Hold)
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
