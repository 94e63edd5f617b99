package api

// TaskGroup is a set of tasks that are placed on one node together.
type TaskGroup struct {
	Name             string                    `hcl:",label"`
	Count            int                       `hcl:"count"`
	AllAtOnce        bool                      `json:",omitempty" hcl:"all_at_once"` // place all allocations in one commit or none
	Constraints      []*Constraint             `hcl:"constraint,block"`
	Affinities       []*Affinity               `hcl:"affinity,block"`
	Spreads          []*Spread                 `hcl:"spread,block"`
	Tasks            []*Task                   `hcl:"task,block"`
	Networks         []*NetworkResource        `hcl:"network,block"`
	Services         []*Service                `hcl:"service,block"`
	Volumes          map[string]*VolumeRequest `hcl:"volume,block"`
	RestartPolicy    *RestartPolicy            `hcl:"restart,block"`
	ReschedulePolicy *ReschedulePolicy         `hcl:"reschedule,block"`
	Disconnect       *DisconnectStrategy       `hcl:"disconnect,block"`
	EphemeralDisk    *EphemeralDisk            `hcl:"ephemeral_disk,block"`
	Update           *UpdateStrategy           `hcl:"update,block"`
	Migrate          *MigrateStrategy          `hcl:"migrate,block"`
	Scaling          *ScalingPolicy            `hcl:"scaling,block"`
	Consul           *Consul                   `hcl:"consul,block"`
	Meta             map[string]string         `hcl:"meta,block"`
	ShutdownDelay    Duration                  `hcl:"shutdown_delay"`
	MaxRunDuration   Duration                  `hcl:"max_run_duration"`

	// Of old job files, and read as the disconnect block where there is none.
	StopAfterClientDisconnect Duration `hcl:"stop_after_client_disconnect"`
	MaxClientDisconnect       Duration `hcl:"max_client_disconnect"`
	PreventRescheduleOnLost   bool     `hcl:"prevent_reschedule_on_lost"`
}

// RestartPolicy modes.
const (
	RestartModeDelay = "delay" // wait for the next interval
	RestartModeFail  = "fail"  // the task fails
)

// RestartPolicy says how often a task is started again where it was placed.
type RestartPolicy struct {
	Attempts        int      `hcl:"attempts"`
	Interval        Duration `hcl:"interval"`
	Delay           Duration `hcl:"delay"`
	Mode            string   `hcl:"mode"`
	RenderTemplates bool     `hcl:"render_templates"`
}

// DisconnectStrategy says what becomes of allocations whose node is out of reach.
type DisconnectStrategy struct {
	LostAfter         Duration `hcl:"lost_after"`
	StopOnClientAfter Duration `hcl:"stop_on_client_after"`
	Replace           bool     `hcl:"replace"`
	Reconcile         string   `hcl:"reconcile"` // best_score, longest_running, keep_original or keep_replacement
}

// EphemeralDisk is the disk that the tasks of a group share.
type EphemeralDisk struct {
	Sticky  bool `hcl:"sticky"`
	Migrate bool `hcl:"migrate"`
	SizeMB  int  `hcl:"size"`
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
	Name           string           `hcl:",label"`
	Type           string           `hcl:"type"` // host or csi
	Source         string           `hcl:"source"`
	ReadOnly       bool             `hcl:"read_only"`
	Sticky         bool             `hcl:"sticky"`
	PerAlloc       bool             `hcl:"per_alloc"`
	AccessMode     string           `hcl:"access_mode"`
	AttachmentMode string           `hcl:"attachment_mode"`
	MountOptions   *CSIMountOptions `hcl:"mount_options,block"`
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
