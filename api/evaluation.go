package api

import "time"

// States of evaluations.
const (
	EvalBlocked   = "blocked" // waits for capacity
	EvalPending   = "pending"
	EvalComplete  = "complete"
	EvalFailed    = "failed"
	EvalCancelled = "canceled"
)

// What triggers evaluations.
const (
	TriggerJobRegister       = "job-register"
	TriggerJobDeregister     = "job-deregister"
	TriggerPeriodicJob       = "periodic-job"
	TriggerNodeDrain         = "node-drain"
	TriggerNodeUpdate        = "node-update"
	TriggerAllocStop         = "alloc-stop"
	TriggerScheduled         = "scheduled"
	TriggerRollingUpdate     = "rolling-update"
	TriggerDeploymentWatcher = "deployment-watcher"
	TriggerFailedFollowUp    = "failed-follow-up"
	TriggerMaxPlans          = "max-plan-attempts"
	TriggerRetryFailedAlloc  = "alloc-failure"
	TriggerQueuedAllocs      = "queued-allocs"
	TriggerPreemption        = "preemption"
	TriggerJobScaling        = "job-scaling"
	TriggerMaxDisconnect     = "max-disconnect-timeout"
	TriggerReconnect         = "reconnect"
	TriggerAllocReschedule   = "alloc-reschedule"
)

// Evaluation is a request to the scheduler to look at a job again.
type Evaluation struct {
	ID                   string                       `cbor:",omitzero"`
	Priority             int                          `cbor:",omitzero"`
	Type                 string                       `cbor:",omitzero"` // the job's type
	TriggeredBy          string                       `cbor:",omitzero"`
	Namespace            string                       `cbor:",omitzero"`
	JobID                string                       `cbor:",omitzero"`
	JobModifyIndex       uint64                       `cbor:",omitzero"`
	NodeID               string                       `cbor:",omitzero"`
	NodeModifyIndex      uint64                       `cbor:",omitzero"`
	DeploymentID         string                       `cbor:",omitzero"`
	Status               string                       `cbor:",omitzero"`
	StatusDescription    string                       `cbor:",omitzero"`
	Wait                 Duration                     `json:",omitempty"` // deprecated by WaitUntil
	WaitUntil            time.Time                    `cbor:",omitzero"`  // not scheduled before
	NextEval             string                       `cbor:",omitzero"`
	PreviousEval         string                       `cbor:",omitzero"`
	BlockedEval          string                       `cbor:",omitzero"`
	RelatedEvals         []*EvaluationStub            `json:",omitempty"` // filled on request only
	FailedTGAllocs       map[string]*AllocationMetric `cbor:",omitzero"`
	PlanAnnotations      *PlanAnnotations             `json:",omitempty"`
	ClassEligibility     map[string]bool              `cbor:",omitzero"` // by computed node class, for blocked evaluations
	EscapedComputedClass bool                         `cbor:",omitzero"` // the constraints look beyond the node class
	QuotaLimitReached    string                       `cbor:",omitzero"`
	AnnotatePlan         bool                         `cbor:",omitzero"`
	QueuedAllocations    map[string]int               `cbor:",omitzero"` // by group: asked for and not placed
	SnapshotIndex        uint64                       `cbor:",omitzero"` // index of the view that it was scheduled on
	CreateIndex          uint64                       `cbor:",omitzero"`
	ModifyIndex          uint64                       `cbor:",omitzero"`
	CreateTime           int64                        `cbor:",omitzero"` // Unix nanoseconds
	ModifyTime           int64                        `cbor:",omitzero"` // Unix nanoseconds
}

// EvaluationStub is an evaluation beside another.
type EvaluationStub struct {
	ID                string
	Priority          int
	Type              string
	TriggeredBy       string
	Namespace         string
	JobID             string
	NodeID            string
	DeploymentID      string
	Status            string
	StatusDescription string
	WaitUntil         time.Time
	NextEval          string
	PreviousEval      string
	BlockedEval       string
	CreateIndex       uint64
	ModifyIndex       uint64
	CreateTime        int64
	ModifyTime        int64
}

// Terminal says whether the evaluation is over.
func (e *Evaluation) Terminal() bool {
	switch e.Status {
	case EvalComplete, EvalFailed, EvalCancelled:
		return true
	}
	return false
}

// Stub gives the evaluation as it is shown beside others.
func (e *Evaluation) Stub() *EvaluationStub {
	return &EvaluationStub{
		ID: e.ID, Priority: e.Priority, Type: e.Type, TriggeredBy: e.TriggeredBy,
		Namespace: e.Namespace, JobID: e.JobID, NodeID: e.NodeID, DeploymentID: e.DeploymentID,
		Status: e.Status, StatusDescription: e.StatusDescription, WaitUntil: e.WaitUntil,
		NextEval: e.NextEval, PreviousEval: e.PreviousEval, BlockedEval: e.BlockedEval,
		CreateIndex: e.CreateIndex, ModifyIndex: e.ModifyIndex,
		CreateTime: e.CreateTime, ModifyTime: e.ModifyTime,
	}
}
