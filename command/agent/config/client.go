package config

import (
	"time"

	"github.com/seraihq/serai/api"
)

// Client configures the node agent.
type Client struct {
	Enabled        bool     `hcl:"enabled"`
	StateDir       string   `hcl:"state_dir"`                      // <data_dir>/client when empty
	AllocDir       string   `hcl:"alloc_dir"`                      // <data_dir>/alloc when empty
	AllocMountsDir string   `hcl:"alloc_mounts_dir" effect:"none"` // <data_dir>/alloc_mounts when empty
	Servers        []string `hcl:"servers"`                        // host or host:port; for clients without a server in the same agent

	NodeClass         string            `hcl:"node_class"`
	NodePool          string            `hcl:"node_pool"`
	Meta              map[string]string `hcl:"meta"`
	Options           map[string]string `hcl:"options"` // Nomad's legacy switches, such as "driver.raw_exec.enable"
	DefaultIneligible bool              `hcl:"default_ineligible"`
	NoHostUUID        bool              `hcl:"no_host_uuid" effect:"none"`

	NetworkInterface       string                 `hcl:"network_interface"`
	PreferredAddressFamily string                 `hcl:"preferred_address_family"` // ipv4, ipv6 or empty
	NetworkSpeed           int                    `hcl:"network_speed"`            // Mbit/s
	HostNetworks           map[string]HostNetwork `hcl:"host_network,label"`
	BridgeName             string                 `hcl:"bridge_network_name"`
	BridgeSubnet           string                 `hcl:"bridge_network_subnet"`
	BridgeSubnetIPv6       string                 `hcl:"bridge_network_subnet_ipv6"` // empty: pods have no IPv6
	BridgeHairpin          bool                   `hcl:"bridge_network_hairpin_mode"`
	BridgeBlocked          []string               `hcl:"bridge_network_blocked"` // addresses that pods do not reach
	CNIPath                string                 `hcl:"cni_path"`               // directories, separated by colons
	CNIConfigDir           string                 `hcl:"cni_config_dir"`
	HostVolumes            map[string]HostVolume  `hcl:"host_volume,label"`
	Devices                map[string]Device      `hcl:"device,label"` // by VENDOR/TYPE/MODEL
	MinDynamicPort         int                    `hcl:"min_dynamic_port"`
	MaxDynamicPort         int                    `hcl:"max_dynamic_port"`

	CPUTotalCompute int      `hcl:"cpu_total_compute"` // MHz; 0 = as found
	MemoryTotalMB   int      `hcl:"memory_total_mb"`   // 0 = as found
	DiskTotalMB     int      `hcl:"disk_total_mb"`
	DiskFreeMB      int      `hcl:"disk_free_mb"`
	ReservableCores string   `hcl:"reservable_cores"` // "0-3,8"
	Reserved        Reserved `hcl:"reserved"`
	NodeMaxAllocs   int      `hcl:"node_max_allocs"` // 0 = no limit

	ChrootEnv         map[string]string `hcl:"chroot_env"` // host path → path in the task; nil = the driver's own set
	CgroupParent      string            `hcl:"cgroup_parent"`
	MaxKillTimeout    time.Duration     `hcl:"max_kill_timeout"`
	DisableRemoteExec bool              `hcl:"disable_remote_exec"`

	EnforceEphemeralDisk bool `hcl:"enforce_ephemeral_disk"` // allocations that take more than their ephemeral_disk are ended

	GCInterval            time.Duration `hcl:"gc_interval"`
	GCParallelDestroys    int           `hcl:"gc_parallel_destroys"`
	GCDiskUsageThreshold  float64       `hcl:"gc_disk_usage_threshold"`  // percent
	GCInodeUsageThreshold float64       `hcl:"gc_inode_usage_threshold"` // percent
	GCMaxAllocs           int           `hcl:"gc_max_allocs"`

	Users       Users       `hcl:"users"`
	Artifact    Artifact    `hcl:"artifact"`
	Template    Template    `hcl:"template"`
	ServerJoin  ServerJoin  `hcl:"server_join"`
	Fingerprint Fingerprint `hcl:"fingerprint" effect:"none"`
}

// Users is the range of users that are handed out to allocations whose jobs name none.
type Users struct {
	DynamicUserMin int `hcl:"dynamic_user_min"` // 80000
	DynamicUserMax int `hcl:"dynamic_user_max"` // 89999
}

// Reserved is what a node keeps from the scheduler.
type Reserved struct {
	CPU           int    `hcl:"cpu"`            // MHz
	Memory        int    `hcl:"memory"`         // MiB
	Disk          int    `hcl:"disk"`           // MiB
	ReservedPorts string `hcl:"reserved_ports"` // "22,80,8000-8100"
	Cores         string `hcl:"cores"`          // "0-1"
}

// HostNetwork names a network of the host for port blocks.
type HostNetwork struct {
	CIDR          string `hcl:"cidr"`
	Interface     string `hcl:"interface"`
	ReservedPorts string `hcl:"reserved_ports"`
}

// HostVolume is a folder of the host that jobs may ask for by name.
type HostVolume struct {
	Path     string `hcl:"path"`
	ReadOnly bool   `hcl:"read_only"`
}

// Fingerprint says what happens when a fact about the host cannot be found out.
type Fingerprint struct {
	RetryInterval time.Duration `hcl:"retry_interval"`
	RetryAttempts int           `hcl:"retry_attempts"`
	ExitOnFailure bool          `hcl:"exit_on_failure"`
}

// Server configures the server.
type Server struct {
	Enabled           bool          `hcl:"enabled"`
	BootstrapExpect   int           `hcl:"bootstrap_expect"`
	DataDir           string        `hcl:"data_dir"` // <data_dir>/server when empty
	NumSchedulers     int           `hcl:"num_schedulers" effect:"none"`
	EnabledSchedulers []string      `hcl:"enabled_schedulers" effect:"none"`
	Encrypt           api.Sensitive `hcl:"encrypt"` // gossip key: 16, 24 or 32 bytes in base64
	StartTimeout      time.Duration `hcl:"start_timeout" effect:"none"`

	NodeGCThreshold       time.Duration `hcl:"node_gc_threshold"`
	JobGCInterval         time.Duration `hcl:"job_gc_interval"`
	JobGCThreshold        time.Duration `hcl:"job_gc_threshold"`
	EvalGCThreshold       time.Duration `hcl:"eval_gc_threshold"`
	BatchEvalGCThreshold  time.Duration `hcl:"batch_eval_gc_threshold"`
	DeploymentGCThreshold time.Duration `hcl:"deployment_gc_threshold"`
	ACLTokenGCThreshold   time.Duration `hcl:"acl_token_gc_threshold"` // how long expired tokens are kept
	JobChildrenMax        int           `hcl:"job_children_max"`       // finished ones that a periodic or parameterized job keeps; 0: all
	JobChildrenTTL        time.Duration `hcl:"job_children_ttl"`       // for how long; job_gc_threshold when 0

	HeartbeatGrace         time.Duration `hcl:"heartbeat_grace"`
	MinHeartbeatTTL        time.Duration `hcl:"min_heartbeat_ttl"`
	MaxHeartbeatsPerSecond float64       `hcl:"max_heartbeats_per_second"`
	FailoverHeartbeatTTL   time.Duration `hcl:"failover_heartbeat_ttl"`

	JobDefaultPriority int   `hcl:"job_default_priority" effect:"none"`
	JobMaxPriority     int   `hcl:"job_max_priority"`
	JobMaxCount        int   `hcl:"job_max_count"`
	JobMaxSourceSize   int64 `hcl:"job_max_source_size" unit:"size"`
	JobTrackedVersions int   `hcl:"job_tracked_versions"`

	EnableEventBroker bool `hcl:"enable_event_broker" effect:"none"`
	EventBufferSize   int  `hcl:"event_buffer_size"`

	// ProtocolVersion holds back what is new in this build, so that an older one
	// can take its place again; 0: nothing.
	ProtocolVersion int `hcl:"protocol_version"`

	// NodeDownBrake bounds how many nodes are given up at once.
	NodeDownBrake NodeDownBrake `hcl:"node_down_brake"`

	RaftMultiplier        int           `hcl:"raft_multiplier"` // stretches the time after which a leader is replaced
	RaftSnapshotThreshold int           `hcl:"raft_snapshot_threshold"`
	RaftSnapshotInterval  time.Duration `hcl:"raft_snapshot_interval" effect:"none"`
	RaftTrailingLogs      int           `hcl:"raft_trailing_logs"` // entries kept behind a snapshot, for servers that were away

	// OIDCIssuer is the URL under which others find the keys that sign identities.
	OIDCIssuer string `hcl:"oidc_issuer"`

	Snapshot               Snapshot        `hcl:"snapshot"`
	DefaultSchedulerConfig SchedulerConfig `hcl:"default_scheduler_config"`
	Search                 Search          `hcl:"search"`
	ServerJoin             ServerJoin      `hcl:"server_join"`

	AllowUnencryptedGossip bool   `hcl:"allow_unencrypted_gossip"` // also beyond loopback
	RejoinAfterLeave       bool   `hcl:"rejoin_after_leave"`       // a server that left goes back to those it knew
	NonVotingServer        bool   `hcl:"non_voting_server"`
	RedundancyZone         string `hcl:"redundancy_zone"`

	// Older places of what is in server_join.
	StartJoin     []string      `hcl:"start_join"`
	RetryJoin     []string      `hcl:"retry_join"`
	RetryMax      int           `hcl:"retry_max"`
	RetryInterval time.Duration `hcl:"retry_interval"`
}

// NodeDownBrake stops nodes from being given up when more than Percent of them,
// and at least MinNodes, fall silent within Window. It is serai's own.
type NodeDownBrake struct {
	Percent  int           `hcl:"percent"` // 0: no brake
	Window   time.Duration `hcl:"window"`
	MinNodes int           `hcl:"min_nodes"`
}

// SchedulerConfig is what a new cluster starts with.
type SchedulerConfig struct {
	SchedulerAlgorithm            string           `hcl:"scheduler_algorithm"` // binpack or spread
	MemoryOversubscriptionEnabled bool             `hcl:"memory_oversubscription_enabled"`
	RejectJobRegistration         bool             `hcl:"reject_job_registration"`
	PauseEvalBroker               bool             `hcl:"pause_eval_broker"`
	NodeLimitForFeasibilityChecks int              `hcl:"node_limit_for_feasibility_checks"`
	PreemptionConfig              PreemptionConfig `hcl:"preemption_config"`
}

// PreemptionConfig switches preemption by job type.
type PreemptionConfig struct {
	SystemSchedulerEnabled   bool `hcl:"system_scheduler_enabled"`
	SysBatchSchedulerEnabled bool `hcl:"sysbatch_scheduler_enabled"`
	BatchSchedulerEnabled    bool `hcl:"batch_scheduler_enabled"`
	ServiceSchedulerEnabled  bool `hcl:"service_scheduler_enabled"`
}

// API gives the configuration in the form the servers store.
func (s SchedulerConfig) API() *api.SchedulerConfiguration {
	return &api.SchedulerConfiguration{
		SchedulerAlgorithm:            s.SchedulerAlgorithm,
		MemoryOversubscriptionEnabled: s.MemoryOversubscriptionEnabled,
		RejectJobRegistration:         s.RejectJobRegistration,
		PauseEvalBroker:               s.PauseEvalBroker,
		NodeLimitForFeasibilityChecks: uint(max(0, s.NodeLimitForFeasibilityChecks)),
		PreemptionConfig: api.PreemptionConfig{
			SystemSchedulerEnabled:   s.PreemptionConfig.SystemSchedulerEnabled,
			SysBatchSchedulerEnabled: s.PreemptionConfig.SysBatchSchedulerEnabled,
			BatchSchedulerEnabled:    s.PreemptionConfig.BatchSchedulerEnabled,
			ServiceSchedulerEnabled:  s.PreemptionConfig.ServiceSchedulerEnabled,
		},
	}
}

// Search bounds the search endpoints.
type Search struct {
	FuzzyEnabled  bool `hcl:"fuzzy_enabled"`
	LimitQuery    int  `hcl:"limit_query"`
	LimitResults  int  `hcl:"limit_results"`
	MinTermLength int  `hcl:"min_term_length"`
}
