package api

import "time"

// States of deployments.
const (
	DeploymentRunning    = "running"
	DeploymentPaused     = "paused"
	DeploymentFailed     = "failed"
	DeploymentSuccessful = "successful"
	DeploymentCancelled  = "cancelled"
	DeploymentPending    = "pending"
	DeploymentBlocked    = "blocked"
	DeploymentUnblocking = "unblocking"
)

// Descriptions of deployments. Those of one that runs follow from what it waits
// for; those of one that failed are followed by what became of the job.
const (
	DeploymentDescRunning      = "Deployment is running"
	DeploymentDescNeedsPromote = "Deployment is running but requires manual promotion"
	DeploymentDescAutoPromote  = "Deployment is running pending automatic promotion"
	DeploymentDescPaused       = "Deployment is paused"
	DeploymentDescSuccessful   = "Deployment completed successfully"
	DeploymentDescStopped      = "Cancelled because job is stopped"
	DeploymentDescNewerVersion = "Cancelled due to newer version of job"
	DeploymentDescUnhealthy    = "Failed due to unhealthy allocations"
	DeploymentDescDeadline     = "Failed due to progress deadline"
	DeploymentDescByUser       = "Deployment marked as failed"
)

// Deployment is the replacement of one version of a job by another.
type Deployment struct {
	ID                 string
	Namespace          string
	JobID              string
	JobVersion         uint64
	JobModifyIndex     uint64
	JobSpecModifyIndex uint64
	JobCreateIndex     uint64
	IsMultiregion      bool
	TaskGroups         map[string]*DeploymentState
	Status             string
	StatusDescription  string
	EvalPriority       int
	CreateIndex        uint64
	ModifyIndex        uint64
	CreateTime         int64
	ModifyTime         int64
}

// DeploymentState is a deployment's state in one group.
type DeploymentState struct {
	PlacedCanaries    []string
	AutoRevert        bool
	AutoPromote       bool
	ProgressDeadline  Duration
	RequireProgressBy time.Time
	Promoted          bool
	DesiredCanaries   int
	DesiredTotal      int
	PlacedAllocs      int
	HealthyAllocs     int
	UnhealthyAllocs   int

	// LiveAllocs are those that are neither over nor asked to stop;
	// HealthyCanaries are those of them that wait to be promoted.
	LiveAllocs      int `json:"-" cbor:"LiveAllocs"`
	HealthyCanaries int `json:"-" cbor:"HealthyCanaries"`

	// ProgressFrom is when somebody last promoted or resumed the deployment: the
	// progress deadline counts from then at the earliest.
	ProgressFrom time.Time `json:"-" cbor:"ProgressFrom"`
}

// Active says whether the deployment still goes on.
func (d *Deployment) Active() bool {
	switch d.Status {
	case DeploymentFailed, DeploymentSuccessful, DeploymentCancelled:
		return false
	}
	return true
}
