package api

// TaskGroup is a set of tasks that are placed on one node together.
type TaskGroup struct {
	Name             string                    `hcl:",label" cbor:",omitzero"`
	Count            int                       `hcl:"count" cbor:",omitzero"`
	AllAtOnce        bool                      `json:",omitempty" hcl:"all_at_once"` // place all allocations in one commit or none
	Constraints      []*Constraint             `hcl:"constraint,block" cbor:",omitzero"`
	Affinities       []*Affinity               `hcl:"affinity,block" cbor:",omitzero"`
	Spreads          []*Spread                 `hcl:"spread,block" cbor:",omitzero"`
	Tasks            []*Task                   `hcl:"task,block" cbor:",omitzero"`
	Networks         []*NetworkResource        `hcl:"network,block" cbor:",omitzero"`
	Services         []*Service                `hcl:"service,block" cbor:",omitzero"`
	Volumes          map[string]*VolumeRequest `hcl:"volume,block" cbor:",omitzero"`
	RestartPolicy    *RestartPolicy            `hcl:"restart,block" cbor:",omitzero"`
	ReschedulePolicy *ReschedulePolicy         `hcl:"reschedule,block" cbor:",omitzero"`
	Disconnect       *DisconnectStrategy       `hcl:"disconnect,block" cbor:",omitzero"`
	EphemeralDisk    *EphemeralDisk            `hcl:"ephemeral_disk,block" cbor:",omitzero"`
	Update           *UpdateStrategy           `hcl:"update,block" cbor:",omitzero"`
	Migrate          *MigrateStrategy          `hcl:"migrate,block" cbor:",omitzero"`
	Scaling          *ScalingPolicy            `hcl:"scaling,block" cbor:",omitzero"`
	Consul           *Consul                   `hcl:"consul,block" cbor:",omitzero"`
	Meta             map[string]string         `hcl:"meta,block" cbor:",omitzero"`
	ShutdownDelay    Duration                  `hcl:"shutdown_delay" cbor:",omitzero"`
	MaxRunDuration   Duration                  `hcl:"max_run_duration" cbor:",omitzero"`

	// Of old job files, and read as the disconnect block where there is none.
	StopAfterClientDisconnect Duration `hcl:"stop_after_client_disconnect" cbor:",omitzero"`
	MaxClientDisconnect       Duration `hcl:"max_client_disconnect" cbor:",omitzero"`
	PreventRescheduleOnLost   bool     `hcl:"prevent_reschedule_on_lost" cbor:",omitzero"`
}

// RestartPolicy modes.
const (
	RestartModeDelay = "delay" // wait for the next interval
	RestartModeFail  = "fail"  // the task fails
)

// RestartPolicy says how often a task is started again where it was placed.
type RestartPolicy struct {
	Attempts        int      `hcl:"attempts" cbor:",omitzero"`
	Interval        Duration `hcl:"interval" cbor:",omitzero"`
	Delay           Duration `hcl:"delay" cbor:",omitzero"`
	Mode            string   `hcl:"mode" cbor:",omitzero"`
	RenderTemplates bool     `hcl:"render_templates" cbor:",omitzero"`
}

// DisconnectStrategy says what becomes of allocations whose node is out of reach.
type DisconnectStrategy struct {
	LostAfter         Duration `hcl:"lost_after" cbor:",omitzero"`
	StopOnClientAfter Duration `hcl:"stop_on_client_after" cbor:",omitzero"`
	Replace           bool     `hcl:"replace" cbor:",omitzero"`
	Reconcile         string   `hcl:"reconcile" cbor:",omitzero"` // best_score, longest_running, keep_original or keep_replacement
}

// EphemeralDisk is the disk that the tasks of a group share.
type EphemeralDisk struct {
	Sticky  bool `hcl:"sticky" cbor:",omitzero"`
	Migrate bool `hcl:"migrate" cbor:",omitzero"`
	SizeMB  int  `hcl:"size" cbor:",omitzero"`
}

// ScalingPolicy bounds the count of a group, or a task's resources, and
// carries what an autoscaler is told.
type ScalingPolicy struct {
	Min     *int64         `hcl:"min"`
	Max     *int64         `hcl:"max"`
	Enabled bool           `hcl:"enabled"`
	Type    string         `hcl:"type"` // horizontal, vertical_cpu or vertical_mem
	Policy  map[string]any `hcl:"policy,block"`

	// Label is the label of a task's scaling block: "cpu" or "mem".
	Label string `json:"-" cbor:"Label" hcl:",label"`

	// Set by the server.
	ID          string            `hcl:"-"`
	Namespace   string            `hcl:"-"`
	Target      map[string]string `hcl:"-"` // Namespace, Job, Group, Task
	CreateIndex uint64            `hcl:"-"`
	ModifyIndex uint64            `hcl:"-"`
}

// VolumeRequest asks for a volume for a group.
type VolumeRequest struct {
	Name           string           `hcl:",label" cbor:",omitzero"`
	Type           string           `hcl:"type" cbor:",omitzero"` // host or csi
	Source         string           `hcl:"source" cbor:",omitzero"`
	ReadOnly       bool             `hcl:"read_only" cbor:",omitzero"`
	Sticky         bool             `hcl:"sticky" cbor:",omitzero"`
	PerAlloc       bool             `hcl:"per_alloc" cbor:",omitzero"`
	AccessMode     string           `hcl:"access_mode" cbor:",omitzero"`
	AttachmentMode string           `hcl:"attachment_mode" cbor:",omitzero"`
	MountOptions   *CSIMountOptions `hcl:"mount_options,block" cbor:",omitzero"`
}

// CSIMountOptions says how a CSI volume is mounted.
type CSIMountOptions struct {
	FSType     string   `hcl:"fs_type"`
	MountFlags []string `hcl:"mount_flags"`
}

// LookupTask finds a task by its name; nil when there is none.
func (g *TaskGroup) LookupTask(name string) *Task {
	for _, t := range g.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}
