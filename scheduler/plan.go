package scheduler

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Plan is what an evaluation comes to. Objects that it points to are shared
// with the state and must not be changed.
type Plan struct {
	// Eval is the evaluation as it shall be stored: complete, or blocked again
	// when it was a blocked one and still cannot be placed.
	Eval *api.Evaluation

	// Job is the current version of the job; nil when the job is gone.
	Job *api.Job

	Placements []Placement
	Stops      []Stop
	InPlace    []InPlace

	// NewEvals are evaluations to create: one that is blocked when something
	// was not placed, those that wait for a time, those of preempted jobs.
	NewEvals []*api.Evaluation

	// Cancelled are blocked evaluations of the job that this one replaces, as
	// they shall be stored.
	Cancelled []*api.Evaluation

	// Deployment is a deployment that begins with the plan; DeploymentID names
	// the one that goes on. Placements and InPlace that say so are part of it.
	Deployment   *api.Deployment
	DeploymentID string

	// Ended are deployments that end with the plan.
	Ended []DeploymentEnd

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

// Placement is a new allocation.
type Placement struct {
	ID         string
	Job        *api.Job // the version that it is of
	Group      *api.TaskGroup
	Index      int
	Node       *api.Node
	Ports      []api.PortMapping
	Grants     []fit.Grant
	Metrics    *api.AllocationMetric // shared with other placements of the group
	Previous   string                // the allocation that it replaces, if any
	Deployment bool                  // part of the plan's deployment
	Canary     bool
	Reschedule *api.RescheduleTracker
	Preempted  []string // allocations that are stopped for it
}

// InPlace is an allocation that becomes one of Plan.Job, with its ports, cores
// and devices kept.
type InPlace struct {
	Alloc      *api.Allocation
	Deployment bool // part of the plan's deployment
}

// Stop ends an allocation, or with Keep only notes something of it.
type Stop struct {
	Alloc        *api.Allocation
	Description  string
	ClientStatus string // set when the client cannot say it itself: lost or unknown
	FollowupEval string // the evaluation that will place its replacement
	Evict        bool   // the desired status is "evict"
	Keep         bool   // the desired status stays "run"
	PreemptedBy  string // the allocation that takes the place
}

// DeploymentEnd is a deployment that ends with the plan, and how.
type DeploymentEnd struct {
	ID          string
	Status      string
	Description string
}
