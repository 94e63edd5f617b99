package exec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
)

// defaultUser is who a task runs as when the job does not say.
const defaultUser = "nobody"

// defaultPIDs is how many processes a task may have.
const defaultPIDs = 4096

var configSchema = drivers.NewSchema(
	drivers.WithDefault("default_pid_mode", drivers.String, "private"),
	drivers.WithDefault("default_ipc_mode", drivers.String, "private"),
	drivers.WithDefault("no_pivot_root", drivers.Bool, false),
	drivers.Optional("allow_caps", drivers.List(drivers.String)),
	drivers.Optional("denied_host_uids", drivers.String),
	drivers.Optional("denied_host_gids", drivers.String),
	drivers.WithDefault("pids_limit", drivers.Number, defaultPIDs),
	// The client's chroot_env: host paths by the path that tasks see them at.
	drivers.Optional("chroot_env", drivers.Map(drivers.String)),
)

var taskSchema = drivers.NewSchema(
	drivers.Required("command", drivers.String),
	drivers.Optional("args", drivers.List(drivers.String)),
	drivers.Optional("work_dir", drivers.String),
	drivers.Optional("pid_mode", drivers.String),
	drivers.Optional("ipc_mode", drivers.String),
	drivers.Optional("cap_add", drivers.List(drivers.String)),
	drivers.Optional("cap_drop", drivers.List(drivers.String)),
)

// config is the driver's own configuration.
type config struct {
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

func decodeConfig(raw map[string]any) (config, error) {
	var c config
	if err := configSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	var err error
	if c.uids, err = user.ParseRanges(c.DeniedHostUIDs); err != nil {
		return c, fmt.Errorf("denied_host_uids: %w", err)
	}
	if c.gids, err = user.ParseRanges(c.DeniedHostGIDs); err != nil {
		return c, fmt.Errorf("denied_host_gids: %w", err)
	}
	if c.allowed, err = capabilityNames(c.AllowCaps); err != nil {
		return c, fmt.Errorf("allow_caps: %w", err)
	}
	if c.AllowCaps == nil {
		c.allowed = defaultCapabilities
	}
	if c.PIDsLimit < 1 {
		return c, fmt.Errorf("pids_limit is %d: it must be at least 1", c.PIDsLimit)
	}
	for host, task := range c.ChrootEnv {
		if !path.IsAbs(host) || !path.IsAbs(task) || path.Clean(task) == "/" {
			return c, fmt.Errorf("chroot_env: %q = %q: both must be absolute paths, and the second not /", host, task)
		}
	}
	if err := checkMode("default_pid_mode", c.DefaultPIDMode); err != nil {
		return c, err
	}
	return c, checkMode("default_ipc_mode", c.DefaultIPCMode)
}

func checkMode(name, mode string) error {
	if mode != "" && mode != "private" && mode != "host" {
		return fmt.Errorf("%s is %q: it must be \"private\" or \"host\"", name, mode)
	}
	return nil
}

// taskConfig is a task's config block.
type taskConfig struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
	WorkDir string   `json:"work_dir"`
	PIDMode string   `json:"pid_mode"`
	IPCMode string   `json:"ipc_mode"`
	CapAdd  []string `json:"cap_add"`
	CapDrop []string `json:"cap_drop"`
}

func decodeTask(raw map[string]any, settings config) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	if c.Command == "" {
		return c, fmt.Errorf("command is empty: name the program to run")
	}
	for name, mode := range map[string]*string{"pid_mode": &c.PIDMode, "ipc_mode": &c.IPCMode} {
		if err := checkMode(name, *mode); err != nil {
			return c, err
		}
	}
	if c.PIDMode == "" {
		c.PIDMode = settings.DefaultPIDMode
	}
	if c.IPCMode == "" {
		c.IPCMode = settings.DefaultIPCMode
	}
	var err error
	c.WorkDir, err = workDir(c.WorkDir)
	return c, err
}

// workDir checks the directory that a task starts in. Kernel file systems are refused: paths such as /proc/self/fd/7 have led out of containers.
func workDir(dir string) (string, error) {
	if strings.ContainsRune(dir, 0) {
		return "", fmt.Errorf("work_dir holds a zero byte")
	}
	dir = path.Join("/", dir)
	first, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
	if slices.Contains([]string{"proc", "sys", "dev"}, first) {
		return "", fmt.Errorf("work_dir %q is refused: it may not lie in /%s", dir, first)
	}
	return dir, nil
}
