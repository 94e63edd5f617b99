package config

import (
	"time"

	"github.com/seraihq/serai/api"
)

// Agent is the configuration of an agent. It is built by Default or Dev, then
// Load, then flags, then Finish; after Finish it is not changed.
type Agent struct {
	Region     string `hcl:"region"`
	Datacenter string `hcl:"datacenter"`
	Name       string `hcl:"name"`
	DataDir    string `hcl:"data_dir"`
	PluginDir  string `hcl:"plugin_dir"`

	LogLevel           string        `hcl:"log_level"` // TRACE, DEBUG, INFO, WARN or ERROR
	LogJSON            bool          `hcl:"log_json"`
	LogFile            string        `hcl:"log_file"` // empty: standard error only
	LogRotateBytes     int64         `hcl:"log_rotate_bytes" unit:"size"`
	LogRotateDuration  time.Duration `hcl:"log_rotate_duration"`
	LogRotateMaxFiles  int           `hcl:"log_rotate_max_files"`
	LogIncludeLocation bool          `hcl:"log_include_location"`

	BindAddr         string `hcl:"bind_addr"`
	EnableDebug      bool   `hcl:"enable_debug"`       // pprof over HTTP
	LeaveOnInterrupt bool   `hcl:"leave_on_interrupt"` // a server leaves its cluster for good, on SIGINT
	LeaveOnTerminate bool   `hcl:"leave_on_terminate"` // and on SIGTERM

	Ports     Ports     `hcl:"ports"`
	Addresses Addresses `hcl:"addresses"` // where to listen; BindAddr where empty
	Advertise Addresses `hcl:"advertise"` // what to tell others, "host" or "host:port"; found out where empty

	Client    Client            `hcl:"client"`
	Server    Server            `hcl:"server"`
	Autopilot Autopilot         `hcl:"autopilot"`
	Plugins   map[string]Plugin `hcl:"plugin,label"` // by driver name
	Telemetry Telemetry         `hcl:"telemetry"`
	Limits    Limits            `hcl:"limits"`
	UI        UI                `hcl:"ui"`
	Audit     Audit             `hcl:"audit"`

	HTTPAPIResponseHeaders map[string]string `hcl:"http_api_response_headers"`

	ACL ACL `hcl:"acl"`
	TLS TLS `hcl:"tls"`

	DevMode bool       // state in memory, everything on one loopback agent
	Files   []string   // files that were read, in order
	Unused  []Accepted // keys that were given and have no effect

	places map[string]place // where each given key stands
}

// Ports are the ports to listen on; 0 takes a free one.
type Ports struct {
	HTTP int `hcl:"http"`
	RPC  int `hcl:"rpc"`
	Serf int `hcl:"serf"`
}

// Addresses are hosts for the three listeners.
type Addresses struct {
	HTTP string `hcl:"http"`
	RPC  string `hcl:"rpc"`
	Serf string `hcl:"serf"`
}

// Plugin is the configuration of a driver, built-in or external.
type Plugin struct {
	Args   []string       `hcl:"args"`
	Config map[string]any `hcl:"config"` // plain values as from JSON; checked by the driver's own schema
}

// Telemetry says which metrics are kept and where they go.
type Telemetry struct {
	CollectionInterval               time.Duration `hcl:"collection_interval"`
	InMemoryCollectionInterval       time.Duration `hcl:"in_memory_collection_interval"`
	InMemoryRetentionPeriod          time.Duration `hcl:"in_memory_retention_period"`
	DisableHostname                  bool          `hcl:"disable_hostname"`
	UseNodeName                      bool          `hcl:"use_node_name"`
	PrometheusMetrics                bool          `hcl:"prometheus_metrics"`
	PublishAllocationMetrics         bool          `hcl:"publish_allocation_metrics"`
	PublishNodeMetrics               bool          `hcl:"publish_node_metrics"`
	PrefixFilter                     []string      `hcl:"prefix_filter"` // "+prefix" keeps, "-prefix" drops
	FilterDefault                    bool          `hcl:"filter_default"`
	StatsdAddress                    string        `hcl:"statsd_address"`
	StatsiteAddress                  string        `hcl:"statsite_address"`
	DisableAllocationHookMetrics     bool          `hcl:"disable_allocation_hook_metrics" effect:"none"`
	DisableDispatchedJobSummaryStats bool          `hcl:"disable_dispatched_job_summary_metrics" effect:"none"`

	// How long operations may take before they are logged with their causes; 0:
	// for ever. serai's own keys.
	SlowRequest    time.Duration `hcl:"slow_request"`
	SlowCommit     time.Duration `hcl:"slow_commit"`
	SlowApply      time.Duration `hcl:"slow_apply"`
	SlowFsync      time.Duration `hcl:"slow_fsync"`
	SlowEvaluation time.Duration `hcl:"slow_evaluation"`

	// Traces of evaluations, over OTLP/HTTP; serai's own keys.
	OTLPEndpoint string                   `hcl:"otlp_endpoint"` // "http://HOST:4318"; empty: no traces
	OTLPHeaders  map[string]api.Sensitive `hcl:"otlp_headers"`  // sent with each request
	OTLPSample   float64                  `hcl:"otlp_sample"`   // share of the evaluations that are traced
}

// Limits bound what one caller of the HTTP API may take. The http_ names below
// https_handshake_timeout and http_max_conns_per_client are serai's own.
type Limits struct {
	HTTPSHandshakeTimeout time.Duration `hcl:"https_handshake_timeout"`   // 0 = 5 s
	HTTPMaxConnsPerClient int           `hcl:"http_max_conns_per_client"` // 0 = no limit
	RPCHandshakeTimeout   time.Duration `hcl:"rpc_handshake_timeout"`     // 0 = 5 s
	RPCMaxConnsPerClient  int           `hcl:"rpc_max_conns_per_client"`  // 0 = no limit

	HTTPReadHeaderTimeout time.Duration `hcl:"http_read_header_timeout"`
	HTTPIdleTimeout       time.Duration `hcl:"http_idle_timeout"`
	HTTPMaxHeaderBytes    int64         `hcl:"http_max_header_size" unit:"size"`
	HTTPMaxBodyBytes      int64         `hcl:"http_max_body_size" unit:"size"` // larger requests get 413
	HTTPAllowedHosts      []string      `hcl:"http_allowed_hosts"`             // more Host names that a loopback listener answers to; "*" = all
	HTTPAllowedOrigins    []string      `hcl:"http_allowed_origins"`           // foreign Origins that may change state
}

// UI configures the web UI and hints in the CLI.
type UI struct {
	Enabled      bool    `hcl:"enabled"`
	ShowCLIHints bool    `hcl:"show_cli_hints" effect:"none"`
	Label        UILabel `hcl:"label"`
}

// UILabel is a text that the UI shows to tell clusters apart.
type UILabel struct {
	Text            string `hcl:"text"`
	BackgroundColor string `hcl:"background_color"`
	TextColor       string `hcl:"text_color"`
}

// ACL says whether requests need tokens. An agent without a server keeps what a
// server has told it of a token for the shortest of the three times.
type ACL struct {
	Enabled               bool          `hcl:"enabled"`
	TokenTTL              time.Duration `hcl:"token_ttl"`
	PolicyTTL             time.Duration `hcl:"policy_ttl"`
	RoleTTL               time.Duration `hcl:"role_ttl"`
	DownPolicy            string        `hcl:"down_policy"` // what to do with it when no server answers: extend-cache or deny
	TokenMinExpirationTTL time.Duration `hcl:"token_min_expiration_ttl"`
	TokenMaxExpirationTTL time.Duration `hcl:"token_max_expiration_ttl"`
	InitialTokenFile      string        `hcl:"initial_token_file"`                 // the secret of a new cluster's first management token, a UUID; empty: "acl bootstrap" makes one
	ReplicationToken      api.Sensitive `hcl:"replication_token" effect:"refused"` // not built
}
