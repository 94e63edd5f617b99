package sim

import (
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/fleet"
)

// World is a cluster in memory: a state that changes, over one that does not.
// Mark and Undo go back. It is not safe for concurrent use.
type World struct {
	base   scheduler.State // what is not changed; nil: nothing
	fleet  *fleet.Fleet
	now    time.Time
	config *api.SchedulerConfiguration // nil: that of base

	jobs   map[api.NamespacedID]*api.Job
	byJob  map[api.NamespacedID]*tenure
	allocs map[string]*api.Allocation // those that were changed or added

	shared map[sharedKey]*api.AllocatedResources // by allocations that have nothing of their own

	undo []func()
	ids  int
}

// tenure is the allocations of a job: a copy of what base has, with the changes.
type tenure struct {
	list []*api.Allocation
	at   map[string]int // place in list, by ID; nil: nothing was changed yet
}

type sharedKey struct {
	group         *api.TaskGroup
	oversubscribe bool
}

// NewWorld makes a world over a state and the fleet of its nodes and
// allocations. The fleet is edited, and as it was after Undo(0).
func NewWorld(base scheduler.State, f *fleet.Fleet, now time.Time) *World {
	return &World{
		base: base, fleet: f, now: now,
		jobs:   map[api.NamespacedID]*api.Job{},
		byJob:  map[api.NamespacedID]*tenure{},
		allocs: map[string]*api.Allocation{},
		shared: map[sharedKey]*api.AllocatedResources{},
	}
}

// Fleet gives the world's fleet.
func (w *World) Fleet() *fleet.Fleet { return w.fleet }

// Now gives the time that it is in the world.
func (w *World) Now() time.Time { return w.now }

// Mark gives a point to go back to.
func (w *World) Mark() int { return len(w.undo) }

// Undo goes back to a point given by Mark.
func (w *World) Undo(mark int) {
	for i := len(w.undo) - 1; i >= mark; i-- {
		w.undo[i]()
	}
	w.undo = w.undo[:mark]
}

// set writes into a map so that Undo takes it back.
func set[K comparable, V any](w *World, m map[K]V, key K, v V) {
	old, had := m[key]
	m[key] = v
	w.undo = append(w.undo, func() {
		if had {
			m[key] = old
		} else {
			delete(m, key)
		}
	})
}

// Job gives the current version of a job.
func (w *World) Job(namespace, id string) (*api.Job, bool) {
	if j, ok := w.jobs[api.NamespacedID{Namespace: namespace, ID: id}]; ok {
		return j, true
	}
	if w.base == nil {
		return nil, false
	}
	return w.base.Job(namespace, id)
}

// AllocationsByJob gives the allocations of a job: those of the base first.
func (w *World) AllocationsByJob(namespace, id string) iter.Seq[*api.Allocation] {
	return slices.Values(w.tenure(namespace, id).list)
}

func (w *World) tenure(namespace, id string) *tenure {
	key := api.NamespacedID{Namespace: namespace, ID: id}
	t := w.byJob[key]
	if t == nil {
		t = &tenure{}
		if w.base != nil {
			t.list = slices.Collect(w.base.AllocationsByJob(namespace, id))
		}
		w.byJob[key] = t
	}
	return t
}

// EvaluationsByJob gives none: in the world nothing waits.
func (w *World) EvaluationsByJob(string, string) iter.Seq[*api.Evaluation] {
	return func(func(*api.Evaluation) bool) {}
}

// JobVersion gives a version of a job.
func (w *World) JobVersion(namespace, id string, version uint64) (*api.Job, bool) {
	if j, ok := w.jobs[api.NamespacedID{Namespace: namespace, ID: id}]; ok && j.Version == version {
		return j, true
	}
	if w.base == nil {
		return nil, false
	}
	return w.base.JobVersion(namespace, id, version)
}

// DeploymentsByJob gives none: what is placed is healthy at once.
func (w *World) DeploymentsByJob(string, string) iter.Seq[*api.Deployment] {
	return func(func(*api.Deployment) bool) {}
}

// Allocation gives an allocation.
func (w *World) Allocation(id string) (*api.Allocation, bool) {
	if a, ok := w.allocs[id]; ok {
		return a, true
	}
	if w.base == nil {
		return nil, false
	}
	return w.base.Allocation(id)
}

// Node gives a node, also one that is lost.
func (w *World) Node(id string) (*api.Node, bool) {
	row, ok := w.fleet.Row(id)
	if !ok {
		return nil, false
	}
	return w.fleet.Node(row), true
}

// NodePool gives a node pool.
func (w *World) NodePool(name string) (*api.NodePool, bool) {
	if w.base == nil {
		return nil, false
	}
	return w.base.NodePool(name)
}

// SchedulerConfig gives the scheduler's configuration.
func (w *World) SchedulerConfig() *api.SchedulerConfiguration {
	switch {
	case w.config != nil:
		return w.config
	case w.base != nil:
		return w.base.SchedulerConfig()
	}
	return api.DefaultSchedulerConfiguration()
}

// Configure replaces the scheduler's configuration.
func (w *World) Configure(c *api.SchedulerConfiguration) {
	old := w.config
	w.config = c
	w.undo = append(w.undo, func() { w.config = old })
}

// PutNode adds a node, or changes one.
func (w *World) PutNode(n *api.Node) {
	row, known := w.fleet.Row(n.ID)
	var old *api.Node
	if known {
		old = w.fleet.Node(row)
	}
	w.fleet.NodeUpsert(n)
	w.undo = append(w.undo, func() {
		if old != nil {
			w.fleet.NodeUpsert(old)
		} else {
			w.fleet.NodeRemove(n.ID)
		}
	})
}

// PutJob makes a job the current version of itself.
func (w *World) PutJob(j *api.Job) { set(w, w.jobs, j.NamespacedID(), j) }

// PutAllocation adds an allocation, or changes one.
func (w *World) PutAllocation(a *api.Allocation) {
	t := w.tenure(a.Namespace, a.JobID)
	if t.at == nil {
		t.at = make(map[string]int, len(t.list))
		for i, b := range t.list {
			t.at[b.ID] = i
		}
	}
	var old *api.Allocation
	if i, ok := t.at[a.ID]; ok {
		old, t.list[i] = t.list[i], a
	} else {
		t.at[a.ID] = len(t.list)
		t.list = append(t.list, a)
	}
	w.undo = append(w.undo, func() {
		if old != nil {
			t.list[t.at[a.ID]] = old
		} else {
			t.list = t.list[:len(t.list)-1]
			delete(t.at, a.ID)
		}
	})
	set(w, w.allocs, a.ID, a)
	w.fleet.AllocChange(old, a)
	w.undo = append(w.undo, func() { w.fleet.AllocChange(a, old) })
}

func (w *World) newID() string {
	w.ids++
	return "sim-" + strconv.Itoa(w.ids)
}
