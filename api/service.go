package api

// Service is a name under which a group or task is found.
type Service struct {
	Name              string            `hcl:"name" cbor:",omitzero"`
	Provider          string            `hcl:"provider" cbor:",omitzero"` // nomad or consul
	PortLabel         string            `hcl:"port" cbor:",omitzero"`
	AddressMode       string            `hcl:"address_mode" cbor:",omitzero"` // auto, host, driver, alloc or alloc_ipv6
	Address           string            `hcl:"address" cbor:",omitzero"`
	Tags              []string          `hcl:"tags" cbor:",omitzero"`
	CanaryTags        []string          `hcl:"canary_tags" cbor:",omitzero"`
	EnableTagOverride bool              `hcl:"enable_tag_override" cbor:",omitzero"`
	Checks            []*ServiceCheck   `hcl:"check,block" cbor:",omitzero"`
	CheckRestart      *CheckRestart     `hcl:"check_restart,block" cbor:",omitzero"`
	Connect           *ConsulConnect    `hcl:"connect,block" cbor:",omitzero"`
	Meta              map[string]string `hcl:"meta,block" cbor:",omitzero"`
	CanaryMeta        map[string]string `hcl:"canary_meta,block" cbor:",omitzero"`
	TaggedAddresses   map[string]string `hcl:"tagged_addresses,block" cbor:",omitzero"`
	TaskName          string            `hcl:"task" cbor:",omitzero"`
	OnUpdate          string            `hcl:"on_update" cbor:",omitzero"`
	Identity          *WorkloadIdentity `hcl:"identity,block" cbor:",omitzero"`
	Weights           *ServiceWeights   `hcl:"weights,block" cbor:",omitzero"`
	Cluster           string            `hcl:"cluster" cbor:",omitzero"`
	Kind              string            `hcl:"kind" cbor:",omitzero"`
}

// ServiceWeights weigh instances in Consul's DNS answers.
type ServiceWeights struct {
	Passing int `hcl:"passing"`
	Warning int `hcl:"warning"`
}

// ServiceCheck tests whether a service is healthy.
type ServiceCheck struct {
	Name                   string              `hcl:"name"`
	Type                   string              `hcl:"type"` // http, tcp, grpc or script
	Command                string              `hcl:"command"`
	Args                   []string            `hcl:"args"`
	Path                   string              `hcl:"path"`
	Protocol               string              `hcl:"protocol"`
	PortLabel              string              `hcl:"port"`
	Expose                 bool                `hcl:"expose"`
	AddressMode            string              `hcl:"address_mode"`
	Advertise              string              `hcl:"advertise"`
	Interval               Duration            `hcl:"interval"`
	Timeout                Duration            `hcl:"timeout"`
	InitialStatus          string              `hcl:"initial_status"`
	Notes                  string              `hcl:"notes"`
	TLSServerName          string              `hcl:"tls_server_name"`
	TLSSkipVerify          bool                `hcl:"tls_skip_verify"`
	Header                 map[string][]string `hcl:"header,block"`
	Method                 string              `hcl:"method"`
	Body                   string              `hcl:"body"`
	CheckRestart           *CheckRestart       `hcl:"check_restart,block"`
	GRPCService            string              `hcl:"grpc_service"`
	GRPCUseTLS             bool                `hcl:"grpc_use_tls"`
	TaskName               string              `hcl:"task"`
	SuccessBeforePassing   int                 `hcl:"success_before_passing"`
	FailuresBeforeCritical int                 `hcl:"failures_before_critical"`
	FailuresBeforeWarning  int                 `hcl:"failures_before_warning"`
	OnUpdate               string              `hcl:"on_update"`
}

// CheckRestart restarts a task whose check fails.
type CheckRestart struct {
	Limit          int      `hcl:"limit"`
	Grace          Duration `hcl:"grace"`
	IgnoreWarnings bool     `hcl:"ignore_warnings"`
}
