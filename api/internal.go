package api

// What a client agent and its servers say to each other. These travel between
// agents only, never through the public HTTP API.

// NodeRegisterRequest makes a node known, or changes what is known of it.
type NodeRegisterRequest struct {
	Node *Node
}

// NodeRegisterResponse answers a registration or a heartbeat.
type NodeRegisterResponse struct {
	HeartbeatTTL Duration // the next heartbeat must arrive within it
	Index        uint64
	Servers      []string // RPC addresses of the servers, host:port; empty: as before
}

// NodeHeartbeatRequest says that a node lives, and what state it is in.
type NodeHeartbeatRequest struct {
	NodeID   string
	SecretID Sensitive
	Status   string
}

// NodeHeartbeatAnswer is the answer to one of several heartbeats: a response, or
// the error in its place.
type NodeHeartbeatAnswer struct {
	NodeRegisterResponse
	Err error
}

// NodeDeadlines is what the leader tells the other servers, in one message or
// several: for how long it would still wait for nodes that it has not heard.
type NodeDeadlines struct {
	Term    uint64
	First   bool // what was told before is forgotten
	NodeIDs []string
	Left    []int64 // milliseconds, of each
}

// NodeSyncRequest opens the stream of a node's allocations.
type NodeSyncRequest struct {
	NodeID   string
	SecretID Sensitive
	// Index is that of the newest message which the node has seen. A server that
	// is not as far yet, and does not lead, waits with its answer.
	Index uint64
	// Have is what the node has, so that it is only told what is different; empty:
	// it wants to be told everything.
	Have []AllocHeld
}

// AllocHeld is an allocation that a node has.
type AllocHeld struct {
	ID     string
	Index  uint64 // AllocModifyIndex of the version it has; 0: it wants to be told in any case
	Status string // the ClientStatus that it said last
}

// NodeSync is a message of that stream. The first is Full or Resumed. A full one
// holds every allocation of the node, and what it does not name is gone. A
// resumed one holds what is different from what the node has, and what it does
// not name is as the node has it. Later ones hold what has changed.
type NodeSync struct {
	Index   uint64
	Full    bool
	Resumed bool
	Allocs  []*Allocation // with their jobs; immutable
	Removed []string      // IDs of allocations that the servers no longer know
}

// AllocUpdateRequest carries what a client says of its allocations: ID,
// ClientStatus, ClientDescription, TaskStates, NetworkStatus,
// DeploymentStatus; other fields are not looked at.
type AllocUpdateRequest struct {
	NodeID   string
	SecretID Sensitive
	Allocs   []*Allocation
}

// TokenResolveRequest is a client agent asking who the secret of a token belongs to.
type TokenResolveRequest struct {
	NodeID   string
	SecretID Sensitive // of the node
	Token    Sensitive // empty: of nobody
}

// TokenResolveResponse answers a TokenResolveRequest.
type TokenResolveResponse struct {
	Off      bool      // the cluster has no access control
	Denied   string    // why the secret is good for nothing; empty: it is good
	Unknown  bool      // it is no token's secret
	Token    *ACLToken // without its secret; nil for nobody's
	Workload *Workload // the task whose identity it is; nil for all others
	Policies []*ACLPolicy
}
