package scheduler

import (
	"iter"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// State is what the scheduler reads of the cluster beside the fleet. A view of
// the server's store satisfies it; a dry run puts an edited job in front.
type State interface {
	// Job gives the current version of a job.
	Job(namespace, id string) (*api.Job, bool)

	// AllocationsByJob gives the allocations of all versions of a job.
	AllocationsByJob(namespace, id string) iter.Seq[*api.Allocation]

	// EvaluationsByJob gives the evaluations of a job. The scheduler looks for
	// blocked ones.
	EvaluationsByJob(namespace, id string) iter.Seq[*api.Evaluation]

	// JobVersion gives a version of a job, while it is kept.
	JobVersion(namespace, id string, version uint64) (*api.Job, bool)

	// DeploymentsByJob gives the deployments of a job.
	DeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment]

	// Allocation gives an allocation.
	Allocation(id string) (*api.Allocation, bool)

	// Node gives a node, also one that is down.
	Node(id string) (*api.Node, bool)

	// NodePool gives a node pool.
	NodePool(name string) (*api.NodePool, bool)

	// SchedulerConfig gives the configuration of the cluster, never nil.
	SchedulerConfig() *api.SchedulerConfiguration
}

// Input is everything that a decision depends on.
type Input struct {
	Eval  *api.Evaluation
	State State

	// Fleet is the nodes with what is in use on them, committed and in flight.
	// Schedule takes room in it for what it places (Plan.Hold), unless the
	// evaluation is a dry run; when it returns an error the fleet is unchanged.
	Fleet *fleet.Fleet

	Now   time.Time
	NewID func() string // IDs for allocations and evaluations
	Seed  uint64        // decides which dynamic ports are chosen, nothing else
}
