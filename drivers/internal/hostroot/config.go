package hostroot

import (
	"fmt"
	"path"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/user"
)

// ConfigFields are what the operator may write for such a driver.
func ConfigFields() []drivers.Field {
	return []drivers.Field{
		drivers.WithDefault("default_pid_mode", drivers.String, "private"),
		drivers.WithDefault("default_ipc_mode", drivers.String, "private"),
		drivers.WithDefault("no_pivot_root", drivers.Bool, false),
		drivers.Optional("allow_caps", drivers.List(drivers.String)),
		drivers.Optional("denied_host_uids", drivers.String),
		drivers.Optional("denied_host_gids", drivers.String),
		drivers.WithDefault("pids_limit", drivers.Number, contain.DefaultPIDs),
		// The client's chroot_env: host paths by the path that tasks see them at.
		drivers.Optional("chroot_env", drivers.Map(drivers.String)),
	}
}

// Config is the operator's configuration.
type Config struct {
	DefaultPIDMode string            `json:"default_pid_mode"`
	DefaultIPCMode string            `json:"default_ipc_mode"`
	NoPivotRoot    bool              `json:"no_pivot_root"`
	AllowCaps      []string          `json:"allow_caps"`
	DeniedHostUIDs string            `json:"denied_host_uids"`
	DeniedHostGIDs string            `json:"denied_host_gids"`
	PIDsLimit      int64             `json:"pids_limit"`
	ChrootEnv      map[string]string `json:"chroot_env"`

	uids, gids user.Ranges
	allowed    []string
}

// DecodeConfig reads and checks the operator's configuration; nil gives the defaults.
func DecodeConfig(schema *drivers.Schema, raw map[string]any) (Config, error) {
	var c Config
	if err := schema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	var err error
	if c.uids, err = user.ParseRanges(c.DeniedHostUIDs); err != nil {
		return c, fmt.Errorf("denied_host_uids: %w", err)
	}
	if c.gids, err = user.ParseRanges(c.DeniedHostGIDs); err != nil {
		return c, fmt.Errorf("denied_host_gids: %w", err)
	}
	if c.allowed, err = contain.CapabilityNames(c.AllowCaps); err != nil {
		return c, fmt.Errorf("allow_caps: %w", err)
	}
	if c.AllowCaps == nil {
		c.allowed = contain.DefaultCapabilities
	}
	if c.PIDsLimit < 1 {
		return c, fmt.Errorf("pids_limit is %d: it must be at least 1", c.PIDsLimit)
	}
	for host, task := range c.ChrootEnv {
		if !path.IsAbs(host) || !path.IsAbs(task) || path.Clean(task) == "/" {
			return c, fmt.Errorf("chroot_env: %q = %q: both must be absolute paths, and the second not /", host, task)
		}
	}
	if err := contain.CheckMode("default_pid_mode", c.DefaultPIDMode); err != nil {
		return c, err
	}
	return c, contain.CheckMode("default_ipc_mode", c.DefaultIPCMode)
}

// TaskFields are what a job may write about the container of a task.
func TaskFields() []drivers.Field {
	return []drivers.Field{
		drivers.Optional("work_dir", drivers.String),
		drivers.Optional("pid_mode", drivers.String),
		drivers.Optional("ipc_mode", drivers.String),
		drivers.Optional("cap_add", drivers.List(drivers.String)),
		drivers.Optional("cap_drop", drivers.List(drivers.String)),
		drivers.Optional("oom_score_adj", drivers.Number),
		drivers.Optional("pids_limit", drivers.Number),
		drivers.Optional("cpu_hard_limit", drivers.Bool),
		drivers.Optional("cpu_cfs_period", drivers.Number),
	}
}

// Task is what a job says about the container of a task.
type Task struct {
	WorkDir string   `json:"work_dir"`
	PIDMode string   `json:"pid_mode"`
	IPCMode string   `json:"ipc_mode"`
	CapAdd  []string `json:"cap_add"`
	CapDrop []string `json:"cap_drop"`
	// OOMScoreAdj makes the task likelier to be ended when the machine's memory runs out.
	OOMScoreAdj int   `json:"oom_score_adj"`
	PIDsLimit   int64 `json:"pids_limit"`
	// CPUHardLimit: the task gets no more than its share of CPU, even when nobody else wants it. CPUPeriod is in microseconds.
	CPUHardLimit bool  `json:"cpu_hard_limit"`
	CPUPeriod    int64 `json:"cpu_cfs_period"`
}

// The kernel's bounds of a CPU period, and the usual one.
const (
	minPeriod     = time.Millisecond
	maxPeriod     = time.Second
	defaultPeriod = 100 * time.Millisecond
)

// complete checks what the job says and fills in what it leaves to the operator.
func (t *Task) complete(c Config) error {
	for name, mode := range map[string]string{"pid_mode": t.PIDMode, "ipc_mode": t.IPCMode} {
		if err := contain.CheckMode(name, mode); err != nil {
			return err
		}
	}
	if t.PIDMode == "" {
		t.PIDMode = c.DefaultPIDMode
	}
	if t.IPCMode == "" {
		t.IPCMode = c.DefaultIPCMode
	}
	period := time.Duration(t.CPUPeriod) * time.Microsecond
	switch {
	case t.OOMScoreAdj < 0 || t.OOMScoreAdj > 1000:
		return fmt.Errorf("oom_score_adj is %d: it must be from 0 to 1000", t.OOMScoreAdj)
	case t.PIDsLimit < 0 || t.PIDsLimit > c.PIDsLimit:
		return fmt.Errorf("pids_limit is %d: this node allows up to %d", t.PIDsLimit, c.PIDsLimit)
	case t.CPUPeriod != 0 && (period < minPeriod || period > maxPeriod):
		return fmt.Errorf("cpu_cfs_period is %d: it must be from %d to %d microseconds", t.CPUPeriod, minPeriod.Microseconds(), maxPeriod.Microseconds())
	}
	if t.PIDsLimit == 0 {
		t.PIDsLimit = c.PIDsLimit
	}
	var err error
	t.WorkDir, err = contain.WorkDir(t.WorkDir)
	return err
}
