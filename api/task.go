package api

// Task is one process, container or virtual machine.
type Task struct {
	Name            string                 `hcl:",label"`
	Driver          string                 `hcl:"driver"`
	User            string                 `hcl:"user"`
	Lifecycle       *TaskLifecycle         `hcl:"lifecycle,block"`
	Config          map[string]any         `hcl:"config,block"` // checked against the driver's schema
	Env             map[string]string      `hcl:"env,block"`
	Meta            map[string]string      `hcl:"meta,block"`
	Constraints     []*Constraint          `hcl:"constraint,block"`
	Affinities      []*Affinity            `hcl:"affinity,block"`
	Resources       *Resources             `hcl:"resources,block"`
	RestartPolicy   *RestartPolicy         `hcl:"restart,block"`
	LogConfig       *LogConfig             `hcl:"logs,block"`
	Services        []*Service             `hcl:"service,block"`
	Artifacts       []*TaskArtifact        `hcl:"artifact,block"`
	Templates       []*Template            `hcl:"template,block"`
	VolumeMounts    []*VolumeMount         `hcl:"volume_mount,block"`
	CSIPluginConfig *TaskCSIPluginConfig   `json:",omitempty" hcl:"csi_plugin,block"`
	Vault           *Vault                 `hcl:"vault,block"`
	Consul          *Consul                `hcl:"consul,block"`
	Identity        *WorkloadIdentity      `hcl:"-"` // the identity block named "default"
	Identities      []*WorkloadIdentity    `hcl:"identity,block"`
	Secrets         []*Secret              `hcl:"secret,block"`
	Actions         []*Action              `hcl:"action,block"`
	Schedule        *TaskSchedule          `hcl:"schedule,block"`
	DispatchPayload *DispatchPayloadConfig `hcl:"dispatch_payload,block"`
	ScalingPolicies []*ScalingPolicy       `hcl:"scaling,block"`
	Leader          bool                   `hcl:"leader"`
	KillTimeout     Duration               `hcl:"kill_timeout"`
	KillSignal      string                 `hcl:"kill_signal"`
	ShutdownDelay   Duration               `hcl:"shutdown_delay"`
	Kind            string                 `hcl:"kind"`
}

// Lifecycle hooks.
const (
	HookPrestart  = "prestart"
	HookPoststart = "poststart"
	HookPoststop  = "poststop"
)

// TaskLifecycle makes a task run before, beside or after the main tasks.
type TaskLifecycle struct {
	Hook    string `hcl:"hook"`
	Sidecar bool   `hcl:"sidecar"`
}

// LogConfig bounds what is kept of a task's output.
type LogConfig struct {
	MaxFiles      int  `hcl:"max_files"`
	MaxFileSizeMB int  `hcl:"max_file_size"`
	Disabled      bool `hcl:"disabled"`
	Enabled       bool `hcl:"enabled"` // read for old job files; Disabled decides
}

// DispatchPayloadConfig says where a dispatched payload is written.
type DispatchPayloadConfig struct {
	File string `hcl:"file"` // under local/
}

// TaskArtifact is something fetched before a task starts.
type TaskArtifact struct {
	GetterSource   string            `hcl:"source"`
	GetterOptions  map[string]string `hcl:"options,block"`
	GetterHeaders  map[string]string `hcl:"headers,block"`
	GetterMode     string            `hcl:"mode"` // any, file or dir
	GetterInsecure bool              `hcl:"insecure"`
	RelativeDest   string            `hcl:"destination"`
	Chown          bool              `hcl:"chown"`
}

// Template is a file rendered before a task starts, and again when its data change.
type Template struct {
	SourcePath    string        `hcl:"source"`
	DestPath      string        `hcl:"destination"`
	EmbeddedTmpl  string        `hcl:"data"`
	ChangeMode    string        `hcl:"change_mode"` // restart, noop, signal or script
	ChangeScript  *ChangeScript `hcl:"change_script,block"`
	ChangeSignal  string        `hcl:"change_signal"`
	Once          bool          `hcl:"once"`
	Splay         Duration      `hcl:"splay"`
	Perms         string        `hcl:"perms"`
	Uid           *int          `hcl:"uid"`
	Gid           *int          `hcl:"gid"`
	LeftDelim     string        `hcl:"left_delimiter"`
	RightDelim    string        `hcl:"right_delimiter"`
	Envvars       bool          `hcl:"env"`
	VaultGrace    Duration      `hcl:"vault_grace"`
	Wait          *WaitConfig   `hcl:"wait,block"`
	ErrMissingKey bool          `hcl:"error_on_missing_key"`
}

// ChangeScript is run in a task when a template changes.
type ChangeScript struct {
	Command          string   `hcl:"command"`
	Args             []string `hcl:"args"`
	Timeout          Duration `hcl:"timeout"`
	FailOnError      bool     `hcl:"fail_on_error"`
	RunOnFirstRender bool     `hcl:"run_on_first_render"`
}

// WaitConfig lets changes settle before a template is rendered.
type WaitConfig struct {
	Min Duration `hcl:"min"`
	Max Duration `hcl:"max"`
}

// VolumeMount mounts a group's volume in a task.
type VolumeMount struct {
	Volume          string `hcl:"volume"`
	Destination     string `hcl:"destination"`
	ReadOnly        bool   `hcl:"read_only"`
	PropagationMode string `hcl:"propagation_mode"` // private, host-to-task or bidirectional
	SELinuxLabel    string `hcl:"selinux_label"`
}

// TaskCSIPluginConfig says that a task is a CSI plugin.
type TaskCSIPluginConfig struct {
	ID                  string   `hcl:"id"`
	Type                string   `hcl:"type"` // node, controller or monolith
	MountDir            string   `hcl:"mount_dir"`
	StagePublishBaseDir string   `hcl:"stage_publish_base_dir"`
	HealthTimeout       Duration `hcl:"health_timeout"`
}

// Vault asks for a Vault token.
type Vault struct {
	Role                 string   `hcl:"role"`
	Policies             []string `hcl:"policies"`
	Namespace            string   `hcl:"namespace"`
	Cluster              string   `hcl:"cluster"`
	Env                  bool     `hcl:"env"`
	DisableFile          bool     `hcl:"disable_file"`
	ChangeMode           string   `hcl:"change_mode"`
	ChangeSignal         string   `hcl:"change_signal"`
	AllowTokenExpiration bool     `hcl:"allow_token_expiration"`
}

// Consul chooses the Consul cluster of a group or task.
type Consul struct {
	Namespace string `hcl:"namespace"`
	Cluster   string `hcl:"cluster"`
	Partition string `hcl:"partition"`
}

// WorkloadIdentity is a signed statement of who a task is.
type WorkloadIdentity struct {
	Name         string   `hcl:"name"`
	Audience     []string `hcl:"aud"`
	ChangeMode   string   `hcl:"change_mode"`
	ChangeSignal string   `hcl:"change_signal"`
	Env          bool     `hcl:"env"`
	File         bool     `hcl:"file"`
	Filepath     string   `hcl:"filepath"`
	ServiceName  string   `hcl:"service_name"`
	TTL          Duration `hcl:"ttl"`
	ExtraClaims  []string `hcl:"extra_claims"`
}

// Secret is a secret fetched before a task starts.
type Secret struct {
	Name     string            `hcl:",label"`
	Provider string            `hcl:"provider"`
	Path     string            `hcl:"path"`
	Config   map[string]any    `hcl:"config,block"`
	Env      map[string]string `hcl:"env,block"`
}

// Action is a command that operators may run in a task by its name.
type Action struct {
	Name    string   `hcl:",label"`
	Command string   `hcl:"command"`
	Args    []string `hcl:"args"`
}

// TaskSchedule runs a task in a window of time.
type TaskSchedule struct {
	Cron *TaskScheduleCron `hcl:"cron,block"`
}

// TaskScheduleCron is the window of a TaskSchedule.
type TaskScheduleCron struct {
	Start    string `hcl:"start"`
	End      string `hcl:"end"`
	Timezone string `hcl:"timezone"`
}

// IsMain says whether the task is neither before, beside nor after others.
func (t *Task) IsMain() bool { return t.Lifecycle == nil || t.Lifecycle.Hook == "" }
