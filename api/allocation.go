package api

import "time"

// What the servers want of an allocation.
const (
	AllocDesiredRun   = "run"
	AllocDesiredStop  = "stop"
	AllocDesiredEvict = "evict"
)

// What an allocation's client says of it.
const (
	AllocClientPending  = "pending"
	AllocClientRunning  = "running"
	AllocClientComplete = "complete"
	AllocClientFailed   = "failed"
	AllocClientLost     = "lost"
	AllocClientUnknown  = "unknown"
)

// Allocation is a task group placed on a node. Job, AllocatedResources and
// Metrics are shared between the allocations of one plan.
type Allocation struct {
	ID                    string
	Namespace             string
	EvalID                string
	Name                  string // job.group[index]
	NodeID                string
	NodeName              string
	JobID                 string
	Job                   *Job // of the version that the allocation was made from
	TaskGroup             string
	AllocatedResources    *AllocatedResources
	Metrics               *AllocationMetric
	DesiredStatus         string
	DesiredDescription    string
	DesiredTransition     DesiredTransition
	ClientStatus          string
	ClientDescription     string
	TaskStates            map[string]*TaskState // nil in stored allocations: see States
	Packed                PackedTaskStates      `json:"-" cbor:"-"`
	DeploymentID          string
	DeploymentStatus      *AllocDeploymentStatus
	FollowupEvalID        string
	PreviousAllocation    string
	NextAllocation        string
	RescheduleTracker     *RescheduleTracker
	NetworkStatus         *AllocNetworkStatus
	PreemptedAllocations  []string
	PreemptedByAllocation string
	CreateIndex           uint64
	ModifyIndex           uint64 // of any change
	AllocModifyIndex      uint64 // of the last change made by the servers
	CreateTime            int64  // Unix nanoseconds
	ModifyTime            int64  // Unix nanoseconds
}

// DesiredTransition asks the scheduler to move an allocation.
type DesiredTransition struct {
	Migrate                 *bool
	Reschedule              *bool
	ForceReschedule         *bool
	NoShutdownDelay         *bool
	MigrateDisablePlacement *bool
}

// AllocDeploymentStatus is an allocation's part in a deployment.
type AllocDeploymentStatus struct {
	Healthy     *bool // nil until it is known
	Timestamp   time.Time
	Canary      bool
	ModifyIndex uint64
}

// IsHealthy says whether the allocation is known to be healthy.
func (s *AllocDeploymentStatus) IsHealthy() bool { return s != nil && s.Healthy != nil && *s.Healthy }

// IsUnhealthy says whether the allocation is known not to be healthy.
func (s *AllocDeploymentStatus) IsUnhealthy() bool {
	return s != nil && s.Healthy != nil && !*s.Healthy
}

// AllocNetworkStatus is the address of an allocation that has a network of its own.
type AllocNetworkStatus struct {
	InterfaceName string
	Address       string
	AddressIPv6   string
	DNS           *DNSConfig
}

// RescheduleTracker is the history of an allocation's predecessors.
type RescheduleTracker struct {
	Events         []*RescheduleEvent
	LastReschedule string // ok, or why it could not be
}

// RescheduleEvent is one move.
type RescheduleEvent struct {
	RescheduleTime int64 // Unix nanoseconds
	PrevAllocID    string
	PrevNodeID     string
	Delay          Duration
}

// AllocationMetric tells how an allocation was placed, or why it was not.
type AllocationMetric struct {
	NodesEvaluated     int                   `cbor:",omitzero"`
	NodesFiltered      int                   `cbor:",omitzero"`
	NodesInPool        int                   `cbor:",omitzero"`
	NodePool           string                `cbor:",omitzero"`
	NodesAvailable     map[string]int        `cbor:",omitzero"` // by datacenter
	ClassFiltered      map[string]int        `cbor:",omitzero"`
	ConstraintFiltered map[string]int        `cbor:",omitzero"`
	NodesExhausted     int                   `cbor:",omitzero"`
	ClassExhausted     map[string]int        `cbor:",omitzero"`
	DimensionExhausted map[string]int        `cbor:",omitzero"`
	QuotaExhausted     []string              `cbor:",omitzero"`
	ResourcesExhausted map[string]*Resources `cbor:",omitzero"` // by task
	Scores             map[string]float64    `cbor:",omitzero"` // deprecated by ScoreMetaData, always empty
	ScoreMetaData      []*NodeScoreMeta      `cbor:",omitzero"` // best first
	AllocationTime     Duration              `cbor:",omitzero"`
	CoalescedFailures  int                   `cbor:",omitzero"` // further allocations of the group that failed alike
}

// NodeScoreMeta are one node's scores.
type NodeScoreMeta struct {
	NodeID    string
	Scores    map[string]float64
	NormScore float64
}

// States of tasks.
const (
	TaskStatePending = "pending"
	TaskStateRunning = "running"
	TaskStateDead    = "dead"
)

// TaskState is what the client says of a task.
type TaskState struct {
	State       string
	Failed      bool
	Restarts    uint64
	LastRestart time.Time
	StartedAt   time.Time
	FinishedAt  time.Time
	Events      []*TaskEvent // the last 10, oldest first
	// Suspended: it runs, and gets no processor time until it is resumed.
	Suspended bool `json:",omitempty"`
}

// Types of task events.
const (
	TaskReceived               = "Received"
	TaskSetup                  = "Task Setup"
	TaskSetupFailure           = "Setup Failure"
	TaskDriverMessage          = "Driver"
	TaskDriverFailure          = "Driver Failure"
	TaskFailedValidation       = "Failed Validation"
	TaskStarted                = "Started"
	TaskTerminated             = "Terminated"
	TaskKilling                = "Killing"
	TaskKilled                 = "Killed"
	TaskRestarting             = "Restarting"
	TaskNotRestarting          = "Not Restarting"
	TaskRestartSignal          = "Restart Signaled"
	TaskSignaling              = "Signaling"
	TaskSuspended              = "Suspended"
	TaskResumed                = "Resumed"
	TaskCheckpointed           = "Checkpointed"
	TaskDownloadingArtifacts   = "Downloading Artifacts"
	TaskArtifactDownloadFailed = "Failed Artifact Download"
	TaskBuildingTaskDir        = "Building Task Directory"
	TaskSiblingFailed          = "Sibling Task Failed"
	TaskLeaderDead             = "Leader Task Dead"
	TaskMainDead               = "Main Tasks Dead"
	TaskHookFailed             = "Task hook failed"
	TaskHookMessage            = "Task hook message"
	TaskRestoreFailed          = "Failed Restoring Task"
	TaskClientReconnected      = "Reconnected"
	TaskWaitingShutdownDelay   = "Waiting for shutdown delay"
	TaskSkippingShutdownDelay  = "Skipping shutdown delay"
	TaskDiskExceeded           = "Disk Resources Exceeded"
	TaskRunning                = "Running"
	TaskPluginHealthy          = "Plugin became healthy"
	TaskPluginUnhealthy        = "Plugin became unhealthy"
	TaskAllocUnhealthy         = "Alloc Unhealthy"
)

// MaxTaskEvents is how many events a task's state keeps.
const MaxTaskEvents = 10

// TaskEvent is something that happened to a task. DisplayMessage is for
// people; Details holds the facts as strings.
type TaskEvent struct {
	Type             string
	Time             int64 // Unix nanoseconds
	DisplayMessage   string
	Details          map[string]string
	Message          string
	FailsTask        bool
	RestartReason    string
	SetupError       string
	DriverError      string
	DriverMessage    string
	ExitCode         int
	Signal           int
	KillReason       string
	KillTimeout      Duration
	KillError        string
	StartDelay       int64 // nanoseconds
	DownloadError    string
	ValidationError  string
	DiskLimit        int64
	DiskSize         int64
	FailedSibling    string
	VaultError       string
	TaskSignalReason string
	TaskSignal       string
	GenericSource    string
}

// AllocationListStub is an allocation in a list.
type AllocationListStub struct {
	ID                    string
	EvalID                string
	Name                  string
	Namespace             string
	NodeID                string
	NodeName              string
	JobID                 string
	JobType               string
	JobVersion            uint64
	TaskGroup             string
	AllocatedResources    *AllocatedResources `json:",omitempty"`
	DesiredStatus         string
	DesiredDescription    string
	ClientStatus          string
	ClientDescription     string
	TaskStates            map[string]*TaskState
	DeploymentStatus      *AllocDeploymentStatus
	FollowupEvalID        string
	NextAllocation        string
	RescheduleTracker     *RescheduleTracker
	PreemptedAllocations  []string
	PreemptedByAllocation string
	CreateIndex           uint64
	ModifyIndex           uint64
	CreateTime            int64
	ModifyTime            int64
}

// ServerTerminal says whether the servers want the allocation gone.
func (a *Allocation) ServerTerminal() bool {
	return a.DesiredStatus == AllocDesiredStop || a.DesiredStatus == AllocDesiredEvict
}

// ClientTerminal says whether nothing of the allocation runs any more.
func (a *Allocation) ClientTerminal() bool {
	switch a.ClientStatus {
	case AllocClientComplete, AllocClientFailed, AllocClientLost:
		return true
	}
	return false
}

// Terminal says whether the allocation is over, or should be.
func (a *Allocation) Terminal() bool { return a.ServerTerminal() || a.ClientTerminal() }

// Stub gives the allocation as it is shown in lists. The resources and the
// task states are left out unless asked for.
func (a *Allocation) Stub(resources, taskStates bool) *AllocationListStub {
	s := &AllocationListStub{
		ID: a.ID, EvalID: a.EvalID, Name: a.Name, Namespace: a.Namespace,
		NodeID: a.NodeID, NodeName: a.NodeName, JobID: a.JobID, TaskGroup: a.TaskGroup,
		DesiredStatus: a.DesiredStatus, DesiredDescription: a.DesiredDescription,
		ClientStatus: a.ClientStatus, ClientDescription: a.ClientDescription,
		DeploymentStatus: a.DeploymentStatus, FollowupEvalID: a.FollowupEvalID,
		NextAllocation: a.NextAllocation, RescheduleTracker: a.RescheduleTracker,
		PreemptedAllocations: a.PreemptedAllocations, PreemptedByAllocation: a.PreemptedByAllocation,
		CreateIndex: a.CreateIndex, ModifyIndex: a.ModifyIndex,
		CreateTime: a.CreateTime, ModifyTime: a.ModifyTime,
	}
	if a.Job != nil {
		s.JobType, s.JobVersion = a.Job.Type, a.Job.Version
	}
	if resources {
		s.AllocatedResources = a.AllocatedResources
	}
	if taskStates {
		s.TaskStates = a.States()
	}
	return s
}
