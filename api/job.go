package api

// Types of jobs.
const (
	JobTypeService  = "service"
	JobTypeBatch    = "batch"
	JobTypeSystem   = "system"
	JobTypeSysbatch = "sysbatch"
)

// States of jobs.
const (
	JobStatusPending = "pending" // nothing of it runs yet
	JobStatusRunning = "running" // it has evaluations or allocations that are not over
	JobStatusDead    = "dead"    // all of it is over
)

// Names that always exist.
const (
	DefaultNamespace = "default"
	DefaultRegion    = "global"
	NodePoolDefault  = "default"
	NodePoolAll      = "all" // stands for the nodes of every pool

	// AllNamespaces stands for every namespace in a query.
	AllNamespaces = "*"
)

// Job is what a user submits: groups of tasks, and where and how they run.
type Job struct {
	Region      string   `hcl:"region" cbor:",omitzero"`
	Namespace   string   `hcl:"namespace" cbor:",omitzero"`
	ID          string   `hcl:"id" cbor:",omitzero"` // the job block's label when absent
	Name        string   `hcl:"name" cbor:",omitzero"`
	Type        string   `hcl:"type" cbor:",omitzero"`
	Priority    int      `hcl:"priority" cbor:",omitzero"`    // 1 (low) to 100 (high)
	AllAtOnce   bool     `hcl:"all_at_once" cbor:",omitzero"` // place all allocations or none
	Datacenters []string `hcl:"datacenters" cbor:",omitzero"` // globs
	NodePool    string   `hcl:"node_pool" cbor:",omitzero"`

	Constraints      []*Constraint           `hcl:"constraint,block" cbor:",omitzero"`
	Affinities       []*Affinity             `hcl:"affinity,block" cbor:",omitzero"`
	Spreads          []*Spread               `hcl:"spread,block" cbor:",omitzero"`
	TaskGroups       []*TaskGroup            `hcl:"group,block" cbor:",omitzero"`
	Update           *UpdateStrategy         `hcl:"update,block" cbor:",omitzero"`
	Multiregion      *Multiregion            `hcl:"multiregion,block" cbor:",omitzero"`
	Periodic         *PeriodicConfig         `hcl:"periodic,block" cbor:",omitzero"`
	ParameterizedJob *ParameterizedJobConfig `hcl:"parameterized,block" cbor:",omitzero"`
	Reschedule       *ReschedulePolicy       `hcl:"reschedule,block" cbor:",omitzero"`
	Migrate          *MigrateStrategy        `hcl:"migrate,block" cbor:",omitzero"`
	Meta             map[string]string       `hcl:"meta,block" cbor:",omitzero"`
	UI               *JobUIConfig            `hcl:"ui,block" cbor:",omitzero"`

	ConsulNamespace string `hcl:"consul_namespace" cbor:",omitzero"`
	VaultNamespace  string `hcl:"vault_namespace" cbor:",omitzero"`

	// Set by the server.
	Stop                     bool           `hcl:"-" cbor:",omitzero"`
	ParentID                 string         `hcl:"-" cbor:",omitzero"` // the periodic or parameterized job that this is a child of
	Dispatched               bool           `hcl:"-" cbor:",omitzero"`
	DispatchIdempotencyToken string         `hcl:"-" cbor:",omitzero"`
	Payload                  []byte         `hcl:"-" cbor:",omitzero"`
	NomadTokenID             string         `hcl:"-" cbor:",omitzero"`
	Status                   string         `hcl:"-" cbor:",omitzero"`
	StatusDescription        string         `hcl:"-" cbor:",omitzero"`
	Stable                   bool           `hcl:"-" cbor:",omitzero"`
	Version                  uint64         `hcl:"-" cbor:",omitzero"`
	VersionTag               *JobVersionTag `hcl:"-" cbor:",omitzero"`
	SubmitTime               int64          `hcl:"-" cbor:",omitzero"` // Unix nanoseconds
	CreateIndex              uint64         `hcl:"-" cbor:",omitzero"`
	ModifyIndex              uint64         `hcl:"-" cbor:",omitzero"` // of any change, also of status
	JobModifyIndex           uint64         `hcl:"-" cbor:",omitzero"` // of the last change of what the user submitted
}

// JobVersionTag names a version of a job and keeps it from being collected.
type JobVersionTag struct {
	Name        string
	Description string
	TaggedTime  int64 // Unix nanoseconds
}

// JobUIConfig is what the web UI shows of a job beside its status.
type JobUIConfig struct {
	Description string       `hcl:"description"` // Markdown, up to 1000 characters
	Links       []*JobUILink `hcl:"link,block"`
}

// JobUILink is a link on a job's page.
type JobUILink struct {
	Label string `hcl:"label"`
	URL   string `hcl:"url"`
}

// UpdateStrategy says how a new version of a job replaces the old one.
type UpdateStrategy struct {
	Stagger          Duration `hcl:"stagger" cbor:",omitzero"`
	MaxParallel      int      `hcl:"max_parallel" cbor:",omitzero"`
	HealthCheck      string   `hcl:"health_check" cbor:",omitzero"` // checks, task_states or manual
	MinHealthyTime   Duration `hcl:"min_healthy_time" cbor:",omitzero"`
	HealthyDeadline  Duration `hcl:"healthy_deadline" cbor:",omitzero"`
	ProgressDeadline Duration `hcl:"progress_deadline" cbor:",omitzero"`
	Canary           int      `hcl:"canary" cbor:",omitzero"`
	AutoRevert       bool     `hcl:"auto_revert" cbor:",omitzero"`
	AutoPromote      bool     `hcl:"auto_promote" cbor:",omitzero"`
}

// MigrateStrategy says how allocations leave a node that is drained.
type MigrateStrategy struct {
	MaxParallel     int      `hcl:"max_parallel" cbor:",omitzero"`
	HealthCheck     string   `hcl:"health_check" cbor:",omitzero"`
	MinHealthyTime  Duration `hcl:"min_healthy_time" cbor:",omitzero"`
	HealthyDeadline Duration `hcl:"healthy_deadline" cbor:",omitzero"`
}

// ReschedulePolicy says when and how a failed allocation is placed anew.
type ReschedulePolicy struct {
	Attempts      int      `hcl:"attempts" cbor:",omitzero"`
	Interval      Duration `hcl:"interval" cbor:",omitzero"`
	Delay         Duration `hcl:"delay" cbor:",omitzero"`
	DelayFunction string   `hcl:"delay_function" cbor:",omitzero"` // constant, exponential or fibonacci
	MaxDelay      Duration `hcl:"max_delay" cbor:",omitzero"`
	Unlimited     bool     `hcl:"unlimited" cbor:",omitzero"`
}

// PeriodicConfig makes a job the template of jobs that start by the clock.
type PeriodicConfig struct {
	Enabled         bool     `hcl:"enabled" cbor:",omitzero"`
	Spec            string   `hcl:"cron" cbor:",omitzero"`
	Specs           []string `hcl:"crons" cbor:",omitzero"`
	SpecType        string   `hcl:"-" cbor:",omitzero"` // always "cron"
	ProhibitOverlap bool     `hcl:"prohibit_overlap" cbor:",omitzero"`
	TimeZone        string   `hcl:"time_zone" cbor:",omitzero"`
}

// ParameterizedJobConfig makes a job the template of jobs that are dispatched.
type ParameterizedJobConfig struct {
	Payload      string   `hcl:"payload" cbor:",omitzero"` // optional, required or forbidden
	MetaRequired []string `hcl:"meta_required" cbor:",omitzero"`
	MetaOptional []string `hcl:"meta_optional" cbor:",omitzero"`
}

// Multiregion deploys one job to several regions.
type Multiregion struct {
	Strategy *MultiregionStrategy `hcl:"strategy,block"`
	Regions  []*MultiregionRegion `hcl:"region,block"`
}

// MultiregionStrategy orders the regions of a deployment.
type MultiregionStrategy struct {
	MaxParallel int    `hcl:"max_parallel"`
	OnFailure   string `hcl:"on_failure"` // empty, fail_all or fail_local
}

// MultiregionRegion is one region of a multi-region job.
type MultiregionRegion struct {
	Name        string            `hcl:",label"`
	Count       int               `hcl:"count"`
	Datacenters []string          `hcl:"datacenters"`
	NodePool    string            `hcl:"node_pool"`
	Meta        map[string]string `hcl:"meta,block"`
}

// JobSubmission is the source text that a job version was made from.
type JobSubmission struct {
	Source        string            // HCL or JSON text
	Format        string            // hcl2, hcl1 or json
	VariableFlags map[string]string // values of -var
	Variables     string            // content of variable files
	JobIndex      uint64            `json:",omitempty"` // JobModifyIndex of the version
}

// JobListStub is a job in a list.
type JobListStub struct {
	ID                string
	ParentID          string
	Name              string
	Namespace         string `json:",omitempty"`
	Datacenters       []string
	NodePool          string
	Type              string
	Priority          int
	Periodic          bool
	ParameterizedJob  bool
	Stop              bool
	Status            string
	StatusDescription string
	JobSummary        *JobSummary
	CreateIndex       uint64
	ModifyIndex       uint64
	JobModifyIndex    uint64
	SubmitTime        int64
	Version           uint64
	Meta              map[string]string `json:",omitempty"`
}

// JobSummary counts a job's allocations, by group and state.
type JobSummary struct {
	JobID       string
	Namespace   string
	Summary     map[string]TaskGroupSummary
	Children    *JobChildrenSummary
	CreateIndex uint64
	ModifyIndex uint64
}

// TaskGroupSummary counts the allocations of one group.
type TaskGroupSummary struct {
	Queued   int // asked for and not placed
	Complete int
	Failed   int
	Running  int
	Starting int
	Lost     int
	Unknown  int
}

// JobChildrenSummary counts the children of a periodic or parameterized job.
type JobChildrenSummary struct {
	Pending int64
	Running int64
	Dead    int64
}

// NamespacedID names a job across namespaces.
type NamespacedID struct {
	Namespace string
	ID        string
}

// LookupTaskGroup finds a group by its name; nil when there is none.
func (j *Job) LookupTaskGroup(name string) *TaskGroup {
	for _, g := range j.TaskGroups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// NamespacedID gives the job's full name.
func (j *Job) NamespacedID() NamespacedID {
	return NamespacedID{Namespace: j.Namespace, ID: j.ID}
}

// IsPeriodic says whether the job is a template that starts children by the clock.
func (j *Job) IsPeriodic() bool { return j.Periodic != nil }

// IsParameterized says whether the job is a template whose children are dispatched.
func (j *Job) IsParameterized() bool { return j.ParameterizedJob != nil && !j.Dispatched }

// Stopped says whether the job should not run: it is nil or was stopped.
func (j *Job) Stopped() bool { return j == nil || j.Stop }
