package api

// Task is one process, container or virtual machine.
type Task struct {
	Name            string                 `hcl:",label" cbor:",omitzero"`
	Driver          string                 `hcl:"driver" cbor:",omitzero"`
	User            string                 `hcl:"user" cbor:",omitzero"`
	Lifecycle       *TaskLifecycle         `hcl:"lifecycle,block" cbor:",omitzero"`
	Config          map[string]any         `hcl:"config,block" cbor:",omitzero"` // checked against the driver's schema
	Env             map[string]string      `hcl:"env,block" cbor:",omitzero"`
	Meta            map[string]string      `hcl:"meta,block" cbor:",omitzero"`
	Constraints     []*Constraint          `hcl:"constraint,block" cbor:",omitzero"`
	Affinities      []*Affinity            `hcl:"affinity,block" cbor:",omitzero"`
	Resources       *Resources             `hcl:"resources,block" cbor:",omitzero"`
	RestartPolicy   *RestartPolicy         `hcl:"restart,block" cbor:",omitzero"`
	LogConfig       *LogConfig             `hcl:"logs,block" cbor:",omitzero"`
	Services        []*Service             `hcl:"service,block" cbor:",omitzero"`
	Artifacts       []*TaskArtifact        `hcl:"artifact,block" cbor:",omitzero"`
	Templates       []*Template            `hcl:"template,block" cbor:",omitzero"`
	VolumeMounts    []*VolumeMount         `hcl:"volume_mount,block" cbor:",omitzero"`
	CSIPluginConfig *TaskCSIPluginConfig   `json:",omitempty" hcl:"csi_plugin,block"`
	Vault           *Vault                 `hcl:"vault,block" cbor:",omitzero"`
	Consul          *Consul                `hcl:"consul,block" cbor:",omitzero"`
	Identity        *WorkloadIdentity      `hcl:"-" cbor:",omitzero"` // the identity block named "default"
	Identities      []*WorkloadIdentity    `hcl:"identity,block" cbor:",omitzero"`
	Secrets         []*Secret              `hcl:"secret,block" cbor:",omitzero"`
	Actions         []*Action              `hcl:"action,block" cbor:",omitzero"`
	Schedule        *TaskSchedule          `hcl:"schedule,block" cbor:",omitzero"`
	DispatchPayload *DispatchPayloadConfig `hcl:"dispatch_payload,block" cbor:",omitzero"`
	ScalingPolicies []*ScalingPolicy       `hcl:"scaling,block" cbor:",omitzero"`
	Leader          bool                   `hcl:"leader" cbor:",omitzero"`
	KillTimeout     Duration               `hcl:"kill_timeout" cbor:",omitzero"`
	KillSignal      string                 `hcl:"kill_signal" cbor:",omitzero"`
	ShutdownDelay   Duration               `hcl:"shutdown_delay" cbor:",omitzero"`
	Kind            string                 `hcl:"kind" cbor:",omitzero"`
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
	MaxFiles      int  `hcl:"max_files" cbor:",omitzero"`
	MaxFileSizeMB int  `hcl:"max_file_size" cbor:",omitzero"`
	Disabled      bool `hcl:"disabled" cbor:",omitzero"`
	Enabled       bool `hcl:"enabled" cbor:",omitzero"` // read for old job files; Disabled decides
}

// DispatchPayloadConfig says where a dispatched payload is written.
type DispatchPayloadConfig struct {
	File string `hcl:"file"` // under local/
}

// TaskArtifact is something fetched before a task starts.
type TaskArtifact struct {
	GetterSource   string            `hcl:"source" cbor:",omitzero"`
	GetterOptions  map[string]string `hcl:"options,block" cbor:",omitzero"`
	GetterHeaders  map[string]string `hcl:"headers,block" cbor:",omitzero"`
	GetterMode     string            `hcl:"mode" cbor:",omitzero"` // any, file or dir
	GetterInsecure bool              `hcl:"insecure" cbor:",omitzero"`
	RelativeDest   string            `hcl:"destination" cbor:",omitzero"`
	Chown          bool              `hcl:"chown" cbor:",omitzero"`
}

// Template is a file rendered before a task starts, and again when its data change.
type Template struct {
	SourcePath    string        `hcl:"source" cbor:",omitzero"`
	DestPath      string        `hcl:"destination" cbor:",omitzero"`
	EmbeddedTmpl  string        `hcl:"data" cbor:",omitzero"`
	ChangeMode    string        `hcl:"change_mode" cbor:",omitzero"` // restart, noop, signal or script
	ChangeScript  *ChangeScript `hcl:"change_script,block" cbor:",omitzero"`
	ChangeSignal  string        `hcl:"change_signal" cbor:",omitzero"`
	Once          bool          `hcl:"once" cbor:",omitzero"`
	Splay         Duration      `hcl:"splay" cbor:",omitzero"`
	Perms         string        `hcl:"perms" cbor:",omitzero"`
	Uid           *int          `hcl:"uid" cbor:",omitzero"`
	Gid           *int          `hcl:"gid" cbor:",omitzero"`
	LeftDelim     string        `hcl:"left_delimiter" cbor:",omitzero"`
	RightDelim    string        `hcl:"right_delimiter" cbor:",omitzero"`
	Envvars       bool          `hcl:"env" cbor:",omitzero"`
	VaultGrace    Duration      `hcl:"vault_grace" cbor:",omitzero"`
	Wait          *WaitConfig   `hcl:"wait,block" cbor:",omitzero"`
	ErrMissingKey bool          `hcl:"error_on_missing_key" cbor:",omitzero"`
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
	Role                 string   `hcl:"role" cbor:",omitzero"`
	Policies             []string `hcl:"policies" cbor:",omitzero"`
	Namespace            string   `hcl:"namespace" cbor:",omitzero"`
	Cluster              string   `hcl:"cluster" cbor:",omitzero"`
	Env                  bool     `hcl:"env" cbor:",omitzero"`
	DisableFile          bool     `hcl:"disable_file" cbor:",omitzero"`
	ChangeMode           string   `hcl:"change_mode" cbor:",omitzero"`
	ChangeSignal         string   `hcl:"change_signal" cbor:",omitzero"`
	AllowTokenExpiration bool     `hcl:"allow_token_expiration" cbor:",omitzero"`
}

// Consul chooses the Consul cluster of a group or task.
type Consul struct {
	Namespace string `hcl:"namespace" cbor:",omitzero"`
	Cluster   string `hcl:"cluster" cbor:",omitzero"`
	Partition string `hcl:"partition" cbor:",omitzero"`
}

// DefaultIdentity is the name of the identity by which a task calls serai itself.
const DefaultIdentity = "default"

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

// NeededIdentities gives the identities that the task is to have signed: those
// that it is given in its environment or in a file.
func (t *Task) NeededIdentities() []*WorkloadIdentity {
	var out []*WorkloadIdentity
	for _, id := range append([]*WorkloadIdentity{t.Identity}, t.Identities...) {
		if id != nil && (id.Env || id.File) {
			out = append(out, id)
		}
	}
	return out
}
