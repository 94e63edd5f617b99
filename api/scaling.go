package api

// ScalingEvent tells of one change of a group's count, or of a finding that
// an autoscaler recorded.
type ScalingEvent struct {
	Count         *int64
	PreviousCount int64
	Error         bool
	Message       string
	Meta          map[string]any
	EvalID        *string
	Time          uint64 // Unix nanoseconds
	CreateIndex   uint64
}

// JobScalingEvents are the last scaling events of a job, by group, newest first.
type JobScalingEvents struct {
	Namespace   string
	JobID       string
	Events      map[string][]*ScalingEvent
	ModifyIndex uint64
}

// MaxScalingEvents is how many scaling events a group keeps.
const MaxScalingEvents = 20

// JobScaleStatus is a job's counts, as wanted and as they are.
type JobScaleStatus struct {
	JobID          string
	Namespace      string
	JobCreateIndex uint64
	JobModifyIndex uint64
	JobStopped     bool
	TaskGroups     map[string]TaskGroupScaleStatus
}

// TaskGroupScaleStatus is a group's counts, as wanted and as they are.
type TaskGroupScaleStatus struct {
	Desired   int
	Placed    int
	Running   int
	Healthy   int
	Unhealthy int
	Events    []*ScalingEvent
}

// ScalingPolicyListStub is a scaling policy in a list.
type ScalingPolicyListStub struct {
	ID          string
	Enabled     bool
	Type        string
	Target      map[string]string
	CreateIndex uint64
	ModifyIndex uint64
}
