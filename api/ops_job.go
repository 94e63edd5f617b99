package api

import "net/http"

// Operations on jobs.
var (
	JobsList         = read[JobsListRequest, []*JobListStub]("Jobs.List", "/v1/jobs", "list-jobs", NamespaceQuery)
	JobsRegister     = write[JobRegisterRequest, JobRegisterResponse]("Jobs.Register", http.MethodPut, "/v1/jobs", "submit-job | register-job", NamespaceQuery)
	JobsParse        = op[JobsParseRequest, *Job](OnAgent, "Jobs.Parse", http.MethodPut, "/v1/jobs/parse", "parse-job | submit-job", NamespaceQuery)
	JobsStatuses     = search[JobsStatusesRequest, []*JobStatus]("Jobs.Statuses", "/v1/jobs/statuses", "read-job")
	JobValidate      = search[JobValidateRequest, JobValidateResponse]("Job.Validate", "/v1/validate/job", "read-job")
	JobRead          = read[JobReadRequest, *Job]("Job.Read", "/v1/job/{id}", "read-job", NamespaceQuery)
	JobUpdate        = write[JobUpdateRequest, JobRegisterResponse]("Job.Update", http.MethodPut, "/v1/job/{id}", "submit-job | register-job", NamespaceQuery)
	JobDeregister    = write[JobDeregisterRequest, JobDeregisterResponse]("Job.Deregister", http.MethodDelete, "/v1/job/{id}", "submit-job | deregister-job | purge-job", NamespaceQuery)
	JobVersions      = read[JobVersionsRequest, JobVersionsResponse]("Job.Versions", "/v1/job/{id}/versions", "read-job", NamespaceQuery)
	JobSubmissionOf  = read[JobSubmissionRequest, *JobSubmission]("Job.Submission", "/v1/job/{id}/submission", "read-job", NamespaceQuery)
	JobAllocations   = read[JobAllocationsRequest, []*AllocationListStub]("Job.Allocations", "/v1/job/{id}/allocations", "read-job", NamespaceQuery)
	JobEvaluations   = read[JobReadRequest, []*Evaluation]("Job.Evaluations", "/v1/job/{id}/evaluations", "read-job", NamespaceQuery)
	JobDeployments   = read[JobAllocationsRequest, []*Deployment]("Job.Deployments", "/v1/job/{id}/deployments", "read-job", NamespaceQuery)
	JobDeployment    = read[JobReadRequest, *Deployment]("Job.Deployment", "/v1/job/{id}/deployment", "read-job", NamespaceQuery)
	JobSummaryOf     = read[JobReadRequest, *JobSummary]("Job.Summary", "/v1/job/{id}/summary", "read-job", NamespaceQuery)
	JobPlan          = search[JobPlanRequest, JobPlanResponse]("Job.Plan", "/v1/job/{id}/plan", "submit-job | plan-job")
	JobEvaluate      = write[JobEvaluateRequest, JobRegisterResponse]("Job.Evaluate", http.MethodPut, "/v1/job/{id}/evaluate", "submit-job | evaluate-job", NamespaceQuery)
	JobRevert        = write[JobRevertRequest, JobRegisterResponse]("Job.Revert", http.MethodPut, "/v1/job/{id}/revert", "submit-job | revert-job", NamespaceQuery)
	JobStable        = write[JobStableRequest, JobStableResponse]("Job.Stable", http.MethodPut, "/v1/job/{id}/stable", "submit-job | stable-job", NamespaceQuery)
	JobDispatch      = write[JobDispatchRequest, JobDispatchResponse]("Job.Dispatch", http.MethodPut, "/v1/job/{id}/dispatch", "dispatch-job", NamespaceQuery)
	JobDispatchRaw   = write[JobDispatchRawRequest, JobDispatchResponse]("Job.DispatchPayload", http.MethodPut, "/v1/job/{id}/dispatch/payload", "dispatch-job", NamespaceQuery)
	JobPeriodicForce = write[JobPeriodicForceRequest, JobPeriodicForceResponse]("Job.PeriodicForce", http.MethodPut, "/v1/job/{id}/periodic/force", "submit-job | dispatch-job | force-periodic-job", NamespaceQuery)
	JobScaleStatusOf = read[JobReadRequest, *JobScaleStatus]("Job.ScaleStatus", "/v1/job/{id}/scale", "read-job-scaling | read-job", NamespaceQuery)
	JobScale         = write[JobScaleRequest, JobRegisterResponse]("Job.Scale", http.MethodPut, "/v1/job/{id}/scale", "scale-job | submit-job", NamespaceQuery)
	JobServices      = read[JobReadRequest, []*ServiceRegistration]("Job.Services", "/v1/job/{id}/services", "read-job", NamespaceQuery)
	JobActions       = read[JobReadRequest, []*JobAction]("Job.Actions", "/v1/job/{id}/actions", "read-job", NamespaceQuery)
	JobActionRun     = node[JobActionRequest, Raw]("Job.ActionRun", http.MethodGet, "/v1/job/{id}/action", "alloc-exec", NamespaceQuery)
	JobTag           = write[JobTagRequest, JobTagResponse]("Job.Tag", http.MethodPut, "/v1/job/{id}/versions/{tag}/tag", "submit-job | tag-job-version", NamespaceQuery)
	JobUntag         = write[JobUntagRequest, JobTagResponse]("Job.Untag", http.MethodDelete, "/v1/job/{id}/versions/{tag}/tag", "submit-job | tag-job-version", NamespaceQuery)
)

// JobsListRequest asks for jobs.
type JobsListRequest struct {
	QueryOptions
	Meta bool `query:"meta" json:"-"` // with the jobs' meta
}

// JobReadRequest asks for something of one job.
type JobReadRequest struct {
	QueryOptions
	ID string `path:"id" json:"-"`
}

// JobRegisterRequest submits a job.
type JobRegisterRequest struct {
	WriteOptions
	Job               *Job
	Submission        *JobSubmission `json:",omitempty"`
	EnforceIndex      bool           `json:",omitempty"` // refuse unless JobModifyIndex is the job's
	JobModifyIndex    uint64         `json:",omitempty"`
	PolicyOverride    bool           `json:",omitempty"`
	PreserveCounts    bool           `json:",omitempty"` // keep the counts of the running version
	PreserveResources bool           `json:",omitempty"` // keep the resources of the running version
	EvalPriority      int            `json:",omitempty"`
}

// JobUpdateRequest submits a new version of the job in the path.
type JobUpdateRequest struct {
	JobRegisterRequest
	ID string `path:"id" json:"-"`
}

// JobRegisterResponse answers a submission. EvalID is empty where nothing is
// to be scheduled.
type JobRegisterResponse struct {
	EvalID          string
	EvalCreateIndex uint64
	JobModifyIndex  uint64
	Warnings        string
}

// JobsParseRequest asks for a job file to be parsed.
type JobsParseRequest struct {
	WriteOptions
	JobHCL       string
	Variables    string // content of a variable file
	Canonicalize bool
}

// JobsStatusesRequest asks for jobs with their allocations and deployments.
type JobsStatusesRequest struct {
	QueryOptions
	Jobs            []NamespacedID
	IncludeChildren bool
}

// JobStatus is a job with its allocations and latest deployment.
type JobStatus struct {
	NamespacedID
	Name             string
	Type             string
	NodePool         string
	Datacenters      []string
	Priority         int
	Version          uint64
	ParentID         string
	Stop             bool
	Status           string
	Allocs           []JobStatusAlloc
	GroupCountSum    int
	ChildStatuses    []string
	LatestDeployment *JobStatusDeployment
	CreateIndex      uint64
	ModifyIndex      uint64
	SubmitTime       int64
}

// JobStatusAlloc is an allocation in a JobStatus.
type JobStatusAlloc struct {
	ID               string
	Group            string
	ClientStatus     string
	NodeID           string
	DeploymentStatus JobStatusHealth
	JobVersion       uint64
	FollowupEvalID   string
	HasPausedTask    bool
}

// JobStatusHealth is an allocation's health in its deployment.
type JobStatusHealth struct {
	Canary  bool
	Healthy *bool
}

// JobStatusDeployment is the deployment in a JobStatus.
type JobStatusDeployment struct {
	ID                string
	IsActive          bool
	JobVersion        uint64
	Status            string
	StatusDescription string
	AllAutoPromote    bool
	RequiresPromotion bool
}

// JobValidateRequest asks whether a job would be accepted.
type JobValidateRequest struct {
	QueryOptions
	Job *Job
}

// JobValidateResponse tells whether a job would be accepted.
type JobValidateResponse struct {
	DriverConfigValidated bool
	ValidationErrors      []string
	Error                 string
	Warnings              string
}

// JobDeregisterRequest stops a job.
type JobDeregisterRequest struct {
	WriteOptions
	ID              string `path:"id" json:"-"`
	Purge           bool   `query:"purge" json:"-"`
	Global          bool   `query:"global" json:"-"`
	EvalPriority    int    `query:"eval_priority" json:"-"`
	NoShutdownDelay bool   `query:"no_shutdown_delay" json:"-"`
}

// JobDeregisterResponse answers the stopping of a job.
type JobDeregisterResponse struct {
	EvalID          string
	EvalCreateIndex uint64
	JobModifyIndex  uint64
}

// JobVersionsRequest asks for a job's versions.
type JobVersionsRequest struct {
	QueryOptions
	ID          string `path:"id" json:"-"`
	Diffs       bool   `query:"diffs" json:"-"`
	DiffVersion string `query:"diff_version" json:"-"` // number of the version to compare with; the predecessor when empty
	DiffTag     string `query:"diff_tag" json:"-"`
}

// JobVersionsResponse are a job's versions, newest first.
type JobVersionsResponse struct {
	Versions []*Job
	Diffs    []*JobDiff
}

// JobSubmissionRequest asks for the source of a job's version.
type JobSubmissionRequest struct {
	QueryOptions
	ID      string `path:"id" json:"-"`
	Version uint64 `query:"version" json:"-"`
}

// JobAllocationsRequest asks for a job's allocations.
type JobAllocationsRequest struct {
	QueryOptions
	ID  string `path:"id" json:"-"`
	All bool   `query:"all" json:"-"` // also of an earlier job of the same name
}

// JobPlanRequest asks for a dry run.
type JobPlanRequest struct {
	QueryOptions
	ID             string `path:"id" json:"-"`
	Job            *Job
	Diff           bool
	PolicyOverride bool `json:",omitempty"`
}

// JobEvaluateRequest asks for a job to be looked at again.
type JobEvaluateRequest struct {
	WriteOptions
	ID          string `path:"id" json:"-"`
	JobID       string
	EvalOptions EvalOptions
}

// EvalOptions changes what an evaluation does.
type EvalOptions struct {
	ForceReschedule bool
}

// JobRevertRequest makes an old version of a job the newest.
type JobRevertRequest struct {
	WriteOptions
	ID                  string `path:"id" json:"-"`
	JobID               string
	JobVersion          uint64
	EnforcePriorVersion *uint64
}

// JobStableRequest marks a version as stable, or not.
type JobStableRequest struct {
	WriteOptions
	ID         string `path:"id" json:"-"`
	JobID      string
	JobVersion uint64
	Stable     bool
}

// JobStableResponse answers a JobStableRequest.
type JobStableResponse struct {
	JobModifyIndex uint64
}

// JobDispatchRequest starts a child of a parameterized job.
type JobDispatchRequest struct {
	WriteOptions
	ID               string `path:"id" json:"-"`
	JobID            string
	Payload          []byte // base64 in JSON; up to 16 KiB
	Meta             map[string]string
	IdPrefixTemplate string //nolint:revive,staticcheck // the name on the wire
	Priority         int    // of the child; 0 = the parent's
}

// MaxDispatchPayload is how many bytes a child may be dispatched with. The tag
// of JobDispatchRawRequest says the same.
const MaxDispatchPayload = 16 << 10

// JobDispatchRawRequest starts a child of a parameterized job; the body of the
// request is the payload.
type JobDispatchRawRequest struct {
	WriteOptions
	ID      string `path:"id" json:"-"`
	Payload []byte `body:"raw" limit:"16384" json:"-"`
}

// JobDispatchResponse answers a JobDispatchRequest. EvalID is empty where the
// child is periodic.
type JobDispatchResponse struct {
	DispatchedJobID string
	EvalID          string
	EvalCreateIndex uint64
	JobCreateIndex  uint64
}

// JobPeriodicForceRequest starts a child of a periodic job now.
type JobPeriodicForceRequest struct {
	WriteOptions
	ID string `path:"id" json:"-"`
}

// JobPeriodicForceResponse answers a JobPeriodicForceRequest.
type JobPeriodicForceResponse struct {
	EvalID          string
	EvalCreateIndex uint64
}

// JobScaleRequest changes a group's count, or records what an autoscaler found.
type JobScaleRequest struct {
	WriteOptions
	ID             string `path:"id" json:"-"`
	Count          *int64
	Target         map[string]string // Group
	Message        string
	Error          bool
	Meta           map[string]any
	PolicyOverride bool   `json:",omitempty"`
	JobModifyIndex uint64 `json:",omitempty"` // refuse unless it is the job's; 0 = any
}

// JobAction is an action of a task.
type JobAction struct {
	Name          string
	Command       string
	Args          []string
	TaskName      string
	TaskGroupName string
}

// JobActionRequest runs an action in a task of an allocation of the job; the
// session is the WebSocket of AllocExecRequest. An empty Task is the only one that
// has the action.
type JobActionRequest struct {
	QueryOptions
	ID          string `path:"id" json:"-"`
	Action      string `query:"action" json:"-"`
	AllocID     string `query:"allocID" json:"-"`
	Group       string `query:"group" json:"-"`
	Task        string `query:"task" json:"-"`
	TTY         bool   `query:"tty" json:"-"`
	WSHandshake bool   `query:"ws_handshake" json:"-"`
}

// JobTagRequest names a version of a job.
type JobTagRequest struct {
	WriteOptions
	ID          string `path:"id" json:"-"`
	Tag         string `path:"tag" json:"-"`
	Version     uint64
	Latest      bool
	Description string
}

// JobUntagRequest takes a name from a version of a job.
type JobUntagRequest struct {
	WriteOptions
	ID  string `path:"id" json:"-"`
	Tag string `path:"tag" json:"-"`
}

// JobTagResponse answers the naming of a version.
type JobTagResponse struct {
	Name        string
	Description string
	TaggedTime  int64
}

// ServiceRegistration is an instance of a service.
type ServiceRegistration struct {
	ID          string
	ServiceName string
	Namespace   string
	NodeID      string
	Datacenter  string
	JobID       string
	AllocID     string
	Tags        []string
	Address     string
	Port        int
	CreateIndex uint64
	ModifyIndex uint64
}

// namespaceOf gives the namespace that a job which is sent is in: the one of the
// query where the job leaves it open.
func namespaceOf(j *Job, asked string) string {
	if j == nil || j.Namespace == "" || j.Namespace == DefaultNamespace {
		return asked
	}
	return j.Namespace
}

// Namespaces gives the namespace of the job.
func (r *JobRegisterRequest) Namespaces(asked string) []string {
	return []string{namespaceOf(r.Job, asked)}
}

// Namespaces gives the namespace of the job.
func (r *JobPlanRequest) Namespaces(asked string) []string {
	return []string{namespaceOf(r.Job, asked)}
}

// Namespaces gives the namespace of the job.
func (r *JobValidateRequest) Namespaces(asked string) []string {
	return []string{namespaceOf(r.Job, asked)}
}

// Namespaces gives the namespaces of the jobs.
func (r *JobsPlanRequest) Namespaces(asked string) []string {
	out := []string{}
	for _, j := range r.Jobs {
		out = append(out, namespaceOf(j, asked))
	}
	if len(out) == 0 {
		out = append(out, asked)
	}
	return out
}
