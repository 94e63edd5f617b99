package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Plan is what an evaluation comes to. Objects that it points to are shared
// with the state and must not be changed.
type Plan struct {
	// Eval is the evaluation as it shall be stored: complete, or blocked again
	// when it was a blocked one and still cannot be placed.
	Eval *api.Evaluation

	// Job is the version that Placements and InPlace are of; nil when the job
	// is gone.
	Job *api.Job

	Placements []Placement
	Stops      []Stop
	InPlace    []*api.Allocation // as they are; each becomes one of Job, with its ports kept

	// NewEvals are evaluations to create: one that is blocked when something
	// was not placed.
	NewEvals []*api.Evaluation

	// Cancelled are blocked evaluations of the job that this one replaces, as
	// they shall be stored.
	Cancelled []*api.Evaluation

	// Oversubscribe says that memory_max holds for what is placed and updated
	// (see fit.Resources).
	Oversubscribe bool

	// Annotations are filled for dry runs.
	Annotations *api.PlanAnnotations

	// Hold is the room taken in the fleet for Placements. The caller gives it
	// to Fleet.Drop when the plan has been applied and the fleet has been told
	// of the allocations, or when the plan was refused. Nil for dry runs.
	Hold *fleet.Hold
}

// Placement is a new allocation of Plan.Job.
type Placement struct {
	ID       string
	Group    *api.TaskGroup
	Index    int
	Node     *api.Node
	Ports    []api.PortMapping
	Metrics  *api.AllocationMetric // shared with other placements of the group
	Previous string                // the allocation that it replaces, if any
}

// Stop ends an allocation.
type Stop struct {
	Alloc        *api.Allocation
	Description  string
	ClientStatus string // set when the client cannot say it itself: lost
}
