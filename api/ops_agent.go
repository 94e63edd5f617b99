package api

import "net/http"

// Operations on agents, and on what runs on a node.
var (
	StatusLeader        = agent[ListRequest, string]("Status.Leader", http.MethodGet, "/v1/status/leader", "")
	StatusPeers         = agent[ListRequest, []string]("Status.Peers", http.MethodGet, "/v1/status/peers", "")
	RegionsList         = agent[ListRequest, []string]("Regions.List", http.MethodGet, "/v1/regions", "")
	AgentSelf           = agent[ListRequest, AgentSelfResponse]("Agent.Self", http.MethodGet, "/v1/agent/self", "agent:read")
	AgentMembers        = agent[ListRequest, ServerMembers]("Agent.Members", http.MethodGet, "/v1/agent/members", "node:read")
	AgentServers        = agent[ListRequest, []string]("Agent.Servers", http.MethodGet, "/v1/agent/servers", "agent:read")
	AgentJoin           = agent[AgentJoinRequest, AgentJoinResponse]("Agent.Join", http.MethodPut, "/v1/agent/join", "agent:write")
	AgentForceLeave     = agent[AgentForceLeaveRequest, None]("Agent.ForceLeave", http.MethodPut, "/v1/agent/force-leave", "agent:write")
	AgentSetServers     = agent[AgentSetServersRequest, None]("Agent.SetServers", http.MethodPut, "/v1/agent/servers", "agent:write")
	AgentKeyringList    = agent[ListRequest, *KeyringResponse]("Agent.KeyringList", http.MethodGet, "/v1/agent/keyring/list", "agent:write")
	AgentKeyringInstall = agent[KeyringRequest, *KeyringResponse]("Agent.KeyringInstall", http.MethodPut, "/v1/agent/keyring/install", "agent:write")
	AgentKeyringUse     = agent[KeyringRequest, *KeyringResponse]("Agent.KeyringUse", http.MethodPut, "/v1/agent/keyring/use", "agent:write")
	AgentKeyringRemove  = agent[KeyringRequest, *KeyringResponse]("Agent.KeyringRemove", http.MethodPut, "/v1/agent/keyring/remove", "agent:write")
	AgentKeyringDelete  = agent[KeyringRequest, *KeyringResponse]("Agent.KeyringDelete", http.MethodDelete, "/v1/agent/keyring/remove", "agent:write")
	AgentHealth         = agent[AgentHealthRequest, AgentHealthResponse]("Agent.Health", http.MethodGet, "/v1/agent/health", "")
	AgentMonitor        = agent[AgentMonitorRequest, Raw]("Agent.Monitor", http.MethodGet, "/v1/agent/monitor", "agent:read")
	AgentReload         = agent[WriteRequest, None]("Agent.Reload", http.MethodPut, "/v1/agent/reload", "agent:write")
	Metrics             = agent[MetricsRequest, Raw]("Metrics.Read", http.MethodGet, "/v1/metrics", "")

	ClientStats     = node[NodeIDRequest, *HostStats]("Client.Stats", http.MethodGet, "/v1/client/stats", "node:read", NamespaceNone)
	ClientGC        = node[NodeIDRequest, None]("Client.GC", http.MethodGet, "/v1/client/gc", "node:write", NamespaceNone)
	ClientMetaRead  = node[NodeIDRequest, NodeMetaResponse]("Client.MetaRead", http.MethodGet, "/v1/client/metadata", "node:read", NamespaceNone)
	ClientMetaApply = node[NodeMetaApplyRequest, NodeMetaResponse]("Client.MetaApply", http.MethodPut, "/v1/client/metadata", "node:write", NamespaceNone)

	AllocRestart    = node[AllocRestartRequest, None]("Alloc.Restart", http.MethodPut, "/v1/client/allocation/{id}/restart", "alloc-lifecycle", NamespaceObject)
	AllocSignal     = node[AllocSignalRequest, None]("Alloc.Signal", http.MethodPut, "/v1/client/allocation/{id}/signal", "alloc-lifecycle", NamespaceObject)
	AllocSuspend    = node[AllocTaskRequest, None]("Alloc.Suspend", http.MethodPut, "/v1/client/allocation/{id}/suspend", "alloc-lifecycle", NamespaceObject)
	AllocResume     = node[AllocTaskRequest, None]("Alloc.Resume", http.MethodPut, "/v1/client/allocation/{id}/resume", "alloc-lifecycle", NamespaceObject)
	AllocCheckpoint = node[AllocTaskRequest, None]("Alloc.Checkpoint", http.MethodPut, "/v1/client/allocation/{id}/checkpoint", "alloc-lifecycle", NamespaceObject)
	AllocRestore    = node[AllocTaskRequest, None]("Alloc.Restore", http.MethodPut, "/v1/client/allocation/{id}/restore", "alloc-lifecycle", NamespaceObject)
	AllocStats      = node[AllocStatsRequest, *AllocResourceUsage]("Alloc.Stats", http.MethodGet, "/v1/client/allocation/{id}/stats", "read-job", NamespaceObject)
	AllocGC         = node[IDRequest, None]("Alloc.GC", http.MethodGet, "/v1/client/allocation/{id}/gc", "submit-job | gc-allocation", NamespaceObject)
	AllocSnapshot   = node[AllocSnapshotRequest, Raw]("Alloc.Snapshot", http.MethodGet, "/v1/client/allocation/{id}/snapshot", "read-fs", NamespaceObject)
	AllocExec       = node[AllocExecRequest, Raw]("Alloc.Exec", http.MethodGet, "/v1/client/allocation/{id}/exec", "alloc-exec", NamespaceObject)

	FSList   = node[FSRequest, []*AllocFileInfo]("FS.List", http.MethodGet, "/v1/client/fs/ls/{id}", "read-fs", NamespaceObject)
	FSStat   = node[FSRequest, *AllocFileInfo]("FS.Stat", http.MethodGet, "/v1/client/fs/stat/{id}", "read-fs", NamespaceObject)
	FSCat    = node[FSRequest, Raw]("FS.Cat", http.MethodGet, "/v1/client/fs/cat/{id}", "read-fs", NamespaceObject)
	FSReadAt = node[FSReadAtRequest, Raw]("FS.ReadAt", http.MethodGet, "/v1/client/fs/readat/{id}", "read-fs", NamespaceObject)
	FSStream = node[FSStreamRequest, Raw]("FS.Stream", http.MethodGet, "/v1/client/fs/stream/{id}", "read-fs", NamespaceObject)
	FSLogs   = node[FSLogsRequest, Raw]("FS.Logs", http.MethodGet, "/v1/client/fs/logs/{id}", "read-logs | read-fs", NamespaceObject)
)

// AgentSelfResponse is what an agent says of itself.
type AgentSelfResponse struct {
	Config map[string]any               `json:"config"`
	Member AgentMember                  `json:"member"`
	Stats  map[string]map[string]string `json:"stats"`
}

// AgentMember is a server as gossip knows it.
type AgentMember struct {
	Name        string
	Addr        string
	Port        uint16
	Tags        map[string]string
	Status      string
	ProtocolMin uint8
	ProtocolMax uint8
	ProtocolCur uint8
	DelegateMin uint8
	DelegateMax uint8
	DelegateCur uint8
}

// ServerMembers are the servers that an agent knows.
type ServerMembers struct {
	ServerName   string
	ServerRegion string
	ServerDC     string
	Members      []*AgentMember
}

// AgentHealthRequest asks for an agent's health; Type is "server", "client" or empty for both.
type AgentHealthRequest struct {
	QueryOptions
	Type string `query:"type" json:"-"`
}

// AgentHealthResponse tells of an agent's health. An unhealthy part answers with status 500.
type AgentHealthResponse struct {
	Client *HealthState `json:"client,omitempty"`
	Server *HealthState `json:"server,omitempty"`
}

// HealthState is the health of a part of an agent.
type HealthState struct {
	Ok      bool   `json:"ok"`
	Message string `json:"message"`
}

// AgentMonitorRequest asks for an agent's log.
type AgentMonitorRequest struct {
	QueryOptions
	LogLevel string `query:"log_level" json:"-"`
	LogJSON  bool   `query:"log_json" json:"-"`
	NodeID   string `query:"node_id" json:"-"`
	ServerID string `query:"server_id" json:"-"`
	Plain    bool   `query:"plain" json:"-"`
}

// MetricsRequest asks for an agent's metrics; Format "prometheus" gives text.
type MetricsRequest struct {
	QueryOptions
	Format string `query:"format" json:"-"`
}

// NodeIDRequest asks a node, the agent's own when NodeID is empty.
type NodeIDRequest struct {
	QueryOptions
	NodeID string `query:"node_id" json:"-"`
}

// NodeMetaApplyRequest changes a node's dynamic meta; nil unsets.
type NodeMetaApplyRequest struct {
	WriteOptions
	NodeID string
	Meta   map[string]*string
}

// NodeMetaResponse is a node's meta.
type NodeMetaResponse struct {
	Meta    map[string]string
	Dynamic map[string]*string
	Static  map[string]string
}

// AllocRestartRequest restarts tasks in place.
type AllocRestartRequest struct {
	WriteOptions
	ID       string `path:"id" json:"-"`
	TaskName string // all that run when empty
	AllTasks bool   // also those that are done
}

// AllocSignalRequest sends a signal to tasks.
type AllocSignalRequest struct {
	WriteOptions
	ID     string `path:"id" json:"-"`
	Task   string // all when empty
	Signal string
}

// AllocTaskRequest is for a running task of an allocation, or for all of them.
type AllocTaskRequest struct {
	WriteOptions
	ID   string `path:"id" json:"-"`
	Task string // all that run when empty
}

// AllocStatsRequest asks for what an allocation uses.
type AllocStatsRequest struct {
	QueryOptions
	ID   string `path:"id" json:"-"`
	Task string `query:"task" json:"-"`
}

// AllocSnapshotRequest asks for an allocation's ephemeral disk as a tar stream.
// Wait is how long to wait for the allocation's end; at once when 0.
type AllocSnapshotRequest struct {
	QueryOptions
	ID string `path:"id" json:"-"`
}

// AllocExecRequest runs a command in a task; the session is a WebSocket.
type AllocExecRequest struct {
	QueryOptions
	ID          string `path:"id" json:"-"`
	Task        string `query:"task" json:"-"`
	Command     string `query:"command" json:"-"` // JSON array of strings
	TTY         bool   `query:"tty" json:"-"`
	WSHandshake bool   `query:"ws_handshake" json:"-"`
}

// FSRequest asks for a file of an allocation.
type FSRequest struct {
	QueryOptions
	ID   string `path:"id" json:"-"`
	Path string `query:"path" json:"-"`
}

// FSReadAtRequest asks for a part of a file.
type FSReadAtRequest struct {
	QueryOptions
	ID     string `path:"id" json:"-"`
	Path   string `query:"path" json:"-"`
	Offset int64  `query:"offset" json:"-"`
	Limit  int64  `query:"limit" json:"-"`
}

// FSStreamRequest asks for a file as a stream of frames.
type FSStreamRequest struct {
	QueryOptions
	ID     string `path:"id" json:"-"`
	Path   string `query:"path" json:"-"`
	Follow *bool  `query:"follow" json:"-"` // true when absent
	Offset int64  `query:"offset" json:"-"`
	Origin string `query:"origin" json:"-"` // start or end
	Plain  bool   `query:"plain" json:"-"`
}

// FSLogsRequest asks for a task's log as a stream of frames.
type FSLogsRequest struct {
	QueryOptions
	ID     string `path:"id" json:"-"`
	Task   string `query:"task" json:"-"`
	Type   string `query:"type" json:"-"` // stdout or stderr
	Follow bool   `query:"follow" json:"-"`
	Offset int64  `query:"offset" json:"-"`
	Origin string `query:"origin" json:"-"` // start or end
	Plain  bool   `query:"plain" json:"-"`  // bytes instead of frames
}

// TerminalSize is the size of a terminal in characters.
type TerminalSize struct {
	Height int `json:"height,omitempty"`
	Width  int `json:"width,omitempty"`
}

// ExecIO is a part of a stream of an exec session.
type ExecIO struct {
	Data  []byte `json:"data,omitempty"`
	Close bool   `json:"close,omitempty"`
}

// ExecInput is a message to an exec session; an empty one is a heartbeat.
type ExecInput struct {
	Stdin   *ExecIO       `json:"stdin,omitempty"`
	TTYSize *TerminalSize `json:"tty_size,omitempty"`
}

// ExecExit is how the command of an exec session ended.
type ExecExit struct {
	ExitCode int `json:"exit_code"`
}

// ExecOutput is a message from an exec session; an empty one is a heartbeat.
type ExecOutput struct {
	Stdout *ExecIO   `json:"stdout,omitempty"`
	Stderr *ExecIO   `json:"stderr,omitempty"`
	Exited bool      `json:"exited,omitempty"`
	Result *ExecExit `json:"result,omitempty"`
}

// ExecHandshake is the first message to a session that was opened with ws_handshake.
type ExecHandshake struct {
	Version   int    `json:"version"`
	AuthToken string `json:"auth_token"`
}

// AgentJoinRequest has a server join others.
type AgentJoinRequest struct {
	WriteOptions
	Addresses []string `query:"address" json:"-"`
}

// AgentJoinResponse tells how many servers were joined, and else why none was.
type AgentJoinResponse struct {
	NumJoined int    `json:"num_joined"`
	Error     string `json:"error"`
	Warning   string `json:"warning"`
}

// AgentForceLeaveRequest declares a failed server to have left; with Prune it is
// forgotten as well.
type AgentForceLeaveRequest struct {
	WriteOptions
	Node  string `query:"node" json:"-"`
	Prune bool   `query:"prune" json:"-"`
}

// AgentSetServersRequest replaces the servers that a client knows.
type AgentSetServersRequest struct {
	WriteOptions
	Addresses []string `query:"address" json:"-"`
}

// KeyringRequest names a gossip key.
type KeyringRequest struct {
	WriteOptions
	Key string
}

// KeyringResponse tells what the servers have of gossip keys: by key how many
// have it, and how many write with it.
type KeyringResponse struct {
	Messages    map[string]string
	Keys        map[string]int
	PrimaryKeys map[string]int
	NumNodes    int
}
