package api

import "net/http"

// Operations on allocations, evaluations, nodes, deployments, namespaces and
// node pools.
var (
	AllocationsList = read[AllocationsListRequest, []*AllocationListStub]("Allocations.List", "/v1/allocations", "read-job", NamespaceQuery)
	AllocationRead  = read[IDRequest, *Allocation]("Allocation.Read", "/v1/allocation/{id}", "read-job", NamespaceObject)
	AllocationStop  = write[AllocationStopRequest, AllocationStopResponse]("Allocation.Stop", http.MethodPut, "/v1/allocation/{id}/stop", "alloc-lifecycle", NamespaceObject)

	EvaluationsList       = read[EvaluationsListRequest, []*Evaluation]("Evaluations.List", "/v1/evaluations", "read-job", NamespaceQuery)
	EvaluationsCount      = read[EvaluationsListRequest, CountResponse]("Evaluations.Count", "/v1/evaluations/count", "read-job", NamespaceQuery)
	EvaluationsDelete     = write[EvaluationsDeleteRequest, CountResponse]("Evaluations.Delete", http.MethodDelete, "/v1/evaluations", "management", NamespaceNone)
	EvaluationRead        = read[EvaluationReadRequest, *Evaluation]("Evaluation.Read", "/v1/evaluation/{id}", "read-job", NamespaceObject)
	EvaluationAllocations = read[IDRequest, []*AllocationListStub]("Evaluation.Allocations", "/v1/evaluation/{id}/allocations", "read-job", NamespaceObject)

	NodesList       = read[NodesListRequest, []*NodeListStub]("Nodes.List", "/v1/nodes", "node:read", NamespaceNone)
	NodesUsage      = read[NodesUsageRequest, []*NodeUsage]("Nodes.Usage", "/v1/nodes/usage", "node:read", NamespaceNone)
	NodeRead        = read[IDRequest, *Node]("Node.Read", "/v1/node/{id}", "node:read", NamespaceNone)
	NodeAllocations = read[IDRequest, []*Allocation]("Node.Allocations", "/v1/node/{id}/allocations", "node:read", NamespaceNone)
	NodeEvaluate    = write[NodeRequest, NodeUpdateResponse]("Node.Evaluate", http.MethodPut, "/v1/node/{id}/evaluate", "node:write", NamespaceNone)
	NodeEligibility = write[NodeEligibilityRequest, NodeUpdateResponse]("Node.Eligibility", http.MethodPut, "/v1/node/{id}/eligibility", "node:write", NamespaceNone)
	NodeDrain       = write[NodeDrainRequest, NodeUpdateResponse]("Node.Drain", http.MethodPut, "/v1/node/{id}/drain", "node:write", NamespaceNone)
	NodePurge       = write[NodeRequest, NodeUpdateResponse]("Node.Purge", http.MethodPut, "/v1/node/{id}/purge", "node:write", NamespaceNone)

	NodePoolsList  = read[ListRequest, []*NodePool]("NodePools.List", "/v1/node/pools", "filter node_pool:read", NamespaceNone)
	NodePoolUpsert = write[NodePoolUpsertRequest, None]("NodePool.Upsert", http.MethodPut, "/v1/node/pools", "node_pool:write", NamespaceNone)
	NodePoolWrite  = write[NodePoolWriteRequest, None]("NodePool.Write", http.MethodPut, "/v1/node/pool/{name}", "node_pool:write", NamespaceNone)
	NodePoolRead   = read[NameRequest, *NodePool]("NodePool.Read", "/v1/node/pool/{name}", "node_pool:read", NamespaceNone)
	NodePoolDelete = write[NameWriteRequest, None]("NodePool.Delete", http.MethodDelete, "/v1/node/pool/{name}", "node_pool:delete", NamespaceNone)
	NodePoolNodes  = read[NameRequest, []*NodeListStub]("NodePool.Nodes", "/v1/node/pool/{name}/nodes", "node:read & node_pool:read", NamespaceNone)
	NodePoolJobs   = read[NameRequest, []*JobListStub]("NodePool.Jobs", "/v1/node/pool/{name}/jobs", "list-jobs & node_pool:read", NamespaceQuery)

	DeploymentsList       = read[ListRequest, []*Deployment]("Deployments.List", "/v1/deployments", "read-job", NamespaceQuery)
	DeploymentRead        = read[IDRequest, *Deployment]("Deployment.Read", "/v1/deployment/{id}", "read-job", NamespaceObject)
	DeploymentAllocations = read[IDRequest, []*AllocationListStub]("Deployment.Allocations", "/v1/deployment/allocations/{id}", "read-job", NamespaceObject)
	DeploymentPromote     = write[DeploymentPromoteRequest, DeploymentUpdateResponse]("Deployment.Promote", http.MethodPut, "/v1/deployment/promote/{id}", "submit-job | promote-deployment", NamespaceObject)
	DeploymentPause       = write[DeploymentPauseRequest, DeploymentUpdateResponse]("Deployment.Pause", http.MethodPut, "/v1/deployment/pause/{id}", "submit-job | pause-deployment", NamespaceObject)
	DeploymentFail        = write[DeploymentRequest, DeploymentUpdateResponse]("Deployment.Fail", http.MethodPut, "/v1/deployment/fail/{id}", "submit-job | fail-deployment", NamespaceObject)
	DeploymentUnblock     = write[DeploymentRequest, DeploymentUpdateResponse]("Deployment.Unblock", http.MethodPut, "/v1/deployment/unblock/{id}", "submit-job | unblock-deployment", NamespaceObject)
	DeploymentHealth      = write[DeploymentHealthRequest, DeploymentUpdateResponse]("Deployment.AllocationHealth", http.MethodPut, "/v1/deployment/allocation-health/{id}", "submit-job | set-alloc-health-deployment", NamespaceObject)

	NamespacesList  = read[ListRequest, []*Namespace]("Namespaces.List", "/v1/namespaces", "filter", NamespaceNone)
	NamespaceUpsert = write[NamespaceUpsertRequest, None]("Namespace.Upsert", http.MethodPut, "/v1/namespace", "management", NamespaceNone)
	NamespaceWrite  = write[NamespaceWriteRequest, None]("Namespace.Write", http.MethodPut, "/v1/namespace/{name}", "management", NamespaceNone)
	NamespaceRead   = read[NameRequest, *Namespace]("Namespace.Read", "/v1/namespace/{name}", "any", NamespacePath)
	NamespaceDelete = write[NameWriteRequest, None]("Namespace.Delete", http.MethodDelete, "/v1/namespace/{name}", "management", NamespaceNone)

	ScalingPoliciesList = read[ScalingPoliciesRequest, []*ScalingPolicyListStub]("ScalingPolicies.List", "/v1/scaling/policies", "list-scaling-policies | read-job & list-jobs", NamespaceQuery)
	ScalingPolicyRead   = read[IDRequest, *ScalingPolicy]("ScalingPolicy.Read", "/v1/scaling/policy/{id}", "read-scaling-policy", NamespaceObject)

	SearchPrefix = search[SearchRequest, SearchResponse]("Search.Prefix", "/v1/search", "filter")
	SearchFuzzy  = search[FuzzySearchRequest, FuzzySearchResponse]("Search.Fuzzy", "/v1/search/fuzzy", "filter")

	SystemGC                 = write[WriteRequest, None]("System.GC", http.MethodPut, "/v1/system/gc", "management", NamespaceNone)
	SystemReconcileSummaries = write[WriteRequest, None]("System.ReconcileSummaries", http.MethodPut, "/v1/system/reconcile/summaries", "management", NamespaceNone)

	SchedulerConfigRead  = read[ListRequest, SchedulerConfigurationResponse]("Operator.SchedulerConfig", "/v1/operator/scheduler/configuration", "operator:read", NamespaceNone)
	SchedulerConfigWrite = write[SchedulerConfigRequest, SchedulerSetConfigurationResponse]("Operator.SetSchedulerConfig", http.MethodPut, "/v1/operator/scheduler/configuration", "operator:write", NamespaceNone)
	AutopilotConfigRead  = read[ListRequest, *AutopilotConfiguration]("Operator.AutopilotConfig", "/v1/operator/autopilot/configuration", "operator:read", NamespaceNone)
	AutopilotConfigWrite = write[AutopilotConfigRequest, bool]("Operator.SetAutopilotConfig", http.MethodPut, "/v1/operator/autopilot/configuration", "operator:write", NamespaceNone)
	AutopilotHealthRead  = agent[AutopilotHealthRequest, *AutopilotHealth]("Operator.AutopilotHealth", http.MethodGet, "/v1/operator/autopilot/health", "operator:read")
	RaftConfigRead       = agent[ListRequest, RaftConfiguration]("Operator.RaftConfig", http.MethodGet, "/v1/operator/raft/configuration", "management")
	RaftPeerRemove       = agent[RaftPeerRequest, None]("Operator.RaftPeerRemove", http.MethodDelete, "/v1/operator/raft/peer", "management")
	RaftTransfer         = agent[RaftPeerRequest, None]("Operator.RaftTransferLeadership", http.MethodPut, "/v1/operator/raft/transfer-leadership", "management")
	RaftVerify           = agent[ListRequest, StateVerification]("Operator.RaftVerify", http.MethodGet, "/v1/operator/raft/verify", "operator:read")
	NodeBrakeRead        = agent[ListRequest, NodeBrake]("Operator.NodeBrake", http.MethodGet, "/v1/operator/node-brake", "operator:read")
	NodeBrakeRelease     = agent[WriteRequest, NodeBrake]("Operator.NodeBrakeRelease", http.MethodPut, "/v1/operator/node-brake/release", "operator:write")
	SnapshotSave         = agent[ListRequest, Raw]("Operator.SnapshotSave", http.MethodGet, "/v1/operator/snapshot", "operator:snapshot-save")
	SnapshotRestore      = agent[SnapshotRestoreRequest, Raw]("Operator.SnapshotRestore", http.MethodPut, "/v1/operator/snapshot", "management")

	EventStream     = agent[EventStreamRequest, Raw]("Events.Stream", http.MethodGet, "/v1/event/stream", "filter")
	CARead          = read[ListRequest, CAResponse]("CA.Read", "/v1/operator/ca", "management", NamespaceNone)
	CARotate        = write[WriteRequest, CAResponse]("CA.Rotate", http.MethodPut, "/v1/operator/ca/rotate", "management", NamespaceNone)
	CARetire        = write[CARetireRequest, CAResponse]("CA.Retire", http.MethodPut, "/v1/operator/ca/retire", "management", NamespaceNone)
	CARevoke        = write[CARevokeRequest, CARevokeResponse]("CA.Revoke", http.MethodPut, "/v1/operator/ca/revoke", "management", NamespaceNone)
	CASign          = write[CASignRequest, CASignResponse]("CA.Sign", http.MethodPut, "/v1/operator/ca/sign", "management", NamespaceNone)
	JoinTokenCreate = write[JoinTokenRequest, JoinTokenResponse]("JoinToken.Create", http.MethodPut, "/v1/operator/join-token", "management", NamespaceNone)
	RootKeysList    = read[ListRequest, []*RootKeyMeta]("RootKeys.List", "/v1/operator/keyring/keys", "operator:keyring-read", NamespaceNone)
	RootKeyRotate   = write[RootKeyRotateRequest, RootKeyRotateResponse]("RootKey.Rotate", http.MethodPut, "/v1/operator/keyring/rotate", "operator:keyring-rotate", NamespaceNone)
	RootKeyDelete   = write[RootKeyDeleteRequest, None]("RootKey.Delete", http.MethodDelete, "/v1/operator/keyring/key/{id}", "operator:keyring-delete", NamespaceNone)
	JoinTokensList  = read[ListRequest, []*JoinToken]("JoinTokens.List", "/v1/operator/join-tokens", "management", NamespaceNone)
	JoinTokenRevoke = write[NameWriteRequest, None]("JoinToken.Revoke", http.MethodDelete, "/v1/operator/join-token/{name}", "management", NamespaceNone)
)

// ListRequest asks for objects.
type ListRequest struct{ QueryOptions }

// WriteRequest asks for an action without arguments.
type WriteRequest struct{ WriteOptions }

// SnapshotRestoreRequest replaces the servers' state by the saved one in the
// body. Force, which is serai's own, allows one of another cluster.
type SnapshotRestoreRequest struct {
	WriteOptions
	Force bool `query:"force" json:"-"`
}

// IDRequest asks for an object by its ID.
type IDRequest struct {
	QueryOptions
	ID string `path:"id" json:"-"`
}

// NameRequest asks for an object by its name.
type NameRequest struct {
	QueryOptions
	Name string `path:"name" json:"-"`
}

// NameWriteRequest changes an object by its name.
type NameWriteRequest struct {
	WriteOptions
	Name string `path:"name" json:"-"`
}

// CountResponse is a number of objects.
type CountResponse struct{ Count int }

// AllocationsListRequest asks for allocations.
type AllocationsListRequest struct {
	QueryOptions
	Resources  bool  `query:"resources" json:"-"`
	TaskStates *bool `query:"task_states" json:"-"` // true when absent
}

// AllocationStopRequest stops an allocation; the scheduler replaces it.
type AllocationStopRequest struct {
	WriteOptions
	ID              string `path:"id" json:"-"`
	NoShutdownDelay bool   `query:"no_shutdown_delay" json:"-"`
	Reschedule      bool   `query:"reschedule" json:"-"`
}

// AllocationStopResponse answers an AllocationStopRequest.
type AllocationStopResponse struct {
	EvalID string
	Index  uint64
}

// EvaluationsListRequest asks for evaluations.
type EvaluationsListRequest struct {
	QueryOptions
	JobID  string `query:"job" json:"-"`
	Status string `query:"status" json:"-"`
}

// EvaluationsDeleteRequest deletes evaluations, by ID or by filter.
type EvaluationsDeleteRequest struct {
	WriteOptions
	EvalIDs []string
	Filter  string
}

// EvaluationReadRequest asks for an evaluation.
type EvaluationReadRequest struct {
	QueryOptions
	ID      string `path:"id" json:"-"`
	Related bool   `query:"related" json:"-"` // with the evaluations before and after it
}

// NodesListRequest asks for nodes.
type NodesListRequest struct {
	QueryOptions
	Resources bool `query:"resources" json:"-"`
	OS        bool `query:"os" json:"-"`
	Meta      bool `query:"meta" json:"-"`
}

// NodesUsageRequest asks what allocations take of each node.
type NodesUsageRequest struct {
	QueryOptions
	Allocations bool `query:"allocations" json:"-"` // and which allocations
}

// NodeRequest asks for an action on a node.
type NodeRequest struct {
	WriteOptions
	ID string `path:"id" json:"-"`
}

// NodeEligibilityRequest makes a node eligible for new allocations, or not.
type NodeEligibilityRequest struct {
	WriteOptions
	ID          string `path:"id" json:"-"`
	NodeID      string
	Eligibility string
}

// NodeDrainRequest starts a drain of a node, changes it, or with no DrainSpec
// ends it.
type NodeDrainRequest struct {
	WriteOptions
	ID           string `path:"id" json:"-"`
	NodeID       string
	DrainSpec    *DrainSpec
	MarkEligible bool // when the drain is ended
	Meta         map[string]string
}

// NodeUpdateResponse answers a change of a node.
type NodeUpdateResponse struct {
	EvalIDs         []string
	EvalID          string `json:",omitempty"`
	EvalCreateIndex uint64
	NodeModifyIndex uint64
}

// DeploymentRequest asks for an action on a deployment.
type DeploymentRequest struct {
	WriteOptions
	ID           string `path:"id" json:"-"`
	DeploymentID string
}

// DeploymentPromoteRequest lets the canaries of groups replace the rest.
type DeploymentPromoteRequest struct {
	DeploymentRequest
	All    bool // every group
	Groups []string
}

// DeploymentPauseRequest stops a deployment for the time being, or lets it go on.
type DeploymentPauseRequest struct {
	DeploymentRequest
	Pause bool
}

// DeploymentHealthRequest says of allocations of a deployment that they are
// healthy or not.
type DeploymentHealthRequest struct {
	DeploymentRequest
	HealthyAllocationIDs   []string
	UnhealthyAllocationIDs []string
}

// DeploymentUpdateResponse answers an action on a deployment. EvalID is empty
// where nothing is to be scheduled.
type DeploymentUpdateResponse struct {
	EvalID                string
	EvalCreateIndex       uint64
	DeploymentModifyIndex uint64
	RevertedJobVersion    *uint64
}

// NodePoolUpsertRequest creates or changes a node pool.
type NodePoolUpsertRequest struct {
	WriteOptions
	Pool *NodePool `body:"" json:"-"`
}

// NodePoolWriteRequest creates or changes the node pool in the path.
type NodePoolWriteRequest struct {
	WriteOptions
	Name string    `path:"name" json:"-"`
	Pool *NodePool `body:"" json:"-"`
}

// NamespaceUpsertRequest creates or changes a namespace.
type NamespaceUpsertRequest struct {
	WriteOptions
	Object *Namespace `body:"" json:"-"`
}

// NamespaceWriteRequest creates or changes the namespace in the path.
type NamespaceWriteRequest struct {
	WriteOptions
	Name   string     `path:"name" json:"-"`
	Object *Namespace `body:"" json:"-"`
}

// ScalingPoliciesRequest asks for scaling policies.
type ScalingPoliciesRequest struct {
	QueryOptions
	JobID string `query:"job" json:"-"`
	Type  string `query:"type" json:"-"`
}

// Contexts of a search.
const (
	ContextAll             = "all"
	ContextAllocs          = "allocs"
	ContextDeployments     = "deployment"
	ContextEvals           = "evals"
	ContextJobs            = "jobs"
	ContextNodes           = "nodes"
	ContextNodePools       = "node_pools"
	ContextNamespaces      = "namespaces"
	ContextScalingPolicies = "scaling_policy"
	ContextGroups          = "groups"
	ContextServices        = "services"
	ContextTasks           = "tasks"
	ContextImages          = "images"
	ContextCommands        = "commands"
	ContextClasses         = "classes"
)

// SearchRequest looks for objects whose ID or name begins with Prefix.
type SearchRequest struct {
	QueryOptions `json:"-"`
	Prefix       string
	Context      string
}

// SearchResponse are the matches by context; Truncations tells where there were more.
type SearchResponse struct {
	Matches     map[string][]string
	Truncations map[string]bool
	Index       uint64
	KnownLeader bool
	LastContact Duration
}

// FuzzySearchRequest looks for objects whose name contains Text.
type FuzzySearchRequest struct {
	QueryOptions `json:"-"`
	Text         string
	Context      string
}

// FuzzyMatch is an object, and what it is in: namespace, job, group.
type FuzzyMatch struct {
	ID    string
	Scope []string `json:",omitempty"`
}

// FuzzySearchResponse are the matches by context.
type FuzzySearchResponse struct {
	Matches     map[string][]FuzzyMatch
	Truncations map[string]bool
	Index       uint64
	KnownLeader bool
	LastContact Duration
}

// SchedulerConfigRequest changes the scheduler configuration.
type SchedulerConfigRequest struct {
	WriteOptions
	CAS    *uint64                 `query:"cas" json:"-"` // refuse unless it is the ModifyIndex
	Config *SchedulerConfiguration `body:"" json:"-"`
}

// EventStreamRequest subscribes to events. A topic is "Topic", "Topic:key" or "*".
type EventStreamRequest struct {
	QueryOptions
	Topics []string `query:"topic" json:"-"`
}
