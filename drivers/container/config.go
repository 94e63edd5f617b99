package container

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// defaultImageDir is where images are kept when neither the plugin's configuration nor the agent's data_dir says.
const defaultImageDir = "/var/lib/serai/images"

var configSchema = drivers.NewSchema(
	drivers.WithDefault("image_dir", drivers.String, defaultImageDir),
	drivers.OneBlock("auth",
		drivers.Optional("config", drivers.String),
		drivers.Optional("helper", drivers.String)),
	drivers.Optional("insecure_registries", drivers.List(drivers.String)),
	drivers.Optional("mirrors", drivers.Map(drivers.List(drivers.String))),
	drivers.Optional("allow_images", drivers.List(drivers.String)),
	drivers.Optional("ca_file", drivers.String),
	drivers.WithDefault("image_pull_timeout", drivers.String, "5m"),
	drivers.WithDefault("pull_activity_timeout", drivers.String, "2m"),
	drivers.OneBlock("gc",
		drivers.WithDefault("image", drivers.Bool, true),
		drivers.WithDefault("image_delay", drivers.String, "1h"),
		drivers.WithDefault("interval", drivers.String, "5m"),
		drivers.WithDefault("max_disk_percent", drivers.Number, 85)),
	drivers.OneBlock("volumes", drivers.WithDefault("enabled", drivers.Bool, false), drivers.Optional("dir", drivers.String)),
	drivers.WithDefault("allow_privileged", drivers.Bool, false),
	drivers.Optional("allow_caps", drivers.List(drivers.String)),
	drivers.Optional("allow_devices", drivers.List(drivers.String)),
	drivers.OneBlock("allowed_modes",
		drivers.Optional("pid", drivers.List(drivers.String)),
		drivers.Optional("ipc", drivers.List(drivers.String)),
		drivers.Optional("uts", drivers.List(drivers.String)),
		drivers.Optional("userns", drivers.List(drivers.String)),
		drivers.Optional("network", drivers.List(drivers.String))),
	drivers.WithDefault("userns_mode", drivers.String, "host"),
	drivers.WithDefault("pids_limit", drivers.Number, contain.DefaultPIDs),
	drivers.WithDefault("no_pivot_root", drivers.Bool, false),
)

// config is the driver's own configuration.
type config struct {
	ImageDir string `json:"image_dir"`
	Auth     struct {
		Config string `json:"config"`
		Helper string `json:"helper"`
	} `json:"auth"`
	Insecure     []string            `json:"insecure_registries"`
	Mirrors      map[string][]string `json:"mirrors"`
	AllowImages  []string            `json:"allow_images"`
	CAFile       string              `json:"ca_file"`
	PullTimeout  duration            `json:"image_pull_timeout"`
	PullActivity duration            `json:"pull_activity_timeout"`
	GC           *collection         `json:"gc"`
	Volumes      struct {
		Enabled bool `json:"enabled"`
		// Dir holds volumes with names; by default it is volumesDir beside the images.
		Dir string `json:"dir"`
	} `json:"volumes"`
	AllowPrivileged bool                `json:"allow_privileged"`
	AllowCaps       []string            `json:"allow_caps"`
	AllowDevices    []string            `json:"allow_devices"`
	AllowedModes    map[string][]string `json:"allowed_modes"`
	UsernsMode      string              `json:"userns_mode"`
	PIDsLimit       int64               `json:"pids_limit"`
	NoPivotRoot     bool                `json:"no_pivot_root"`

	allowed []string
}

// collection is when images that no task uses are removed.
type collection struct {
	Image          bool     `json:"image"`
	ImageDelay     duration `json:"image_delay"`
	Interval       duration `json:"interval"`
	MaxDiskPercent int      `json:"max_disk_percent"`
}

func decodeConfig(raw map[string]any) (config, error) {
	var c config
	if err := configSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	if c.GC == nil {
		c.GC = &collection{Image: true, ImageDelay: duration(time.Hour), Interval: duration(5 * time.Minute), MaxDiskPercent: 85}
	}
	var err error
	if c.allowed, err = contain.CapabilityNames(c.AllowCaps); err != nil {
		return c, fmt.Errorf("allow_caps: %w", err)
	}
	if c.AllowCaps == nil {
		c.allowed = contain.DefaultCapabilities
	}
	if c.Volumes.Dir == "" {
		c.Volumes.Dir = filepath.Join(filepath.Dir(c.ImageDir), volumesDir)
	}
	switch {
	case !filepath.IsAbs(c.Volumes.Dir):
		return c, fmt.Errorf("volumes.dir is %q: it must be an absolute path", c.Volumes.Dir)
	case !filepath.IsAbs(c.ImageDir):
		return c, fmt.Errorf("image_dir is %q: it must be an absolute path", c.ImageDir)
	case c.PIDsLimit < 1:
		return c, fmt.Errorf("pids_limit is %d: it must be at least 1", c.PIDsLimit)
	case c.UsernsMode != "host" && c.UsernsMode != "private":
		return c, fmt.Errorf("userns_mode is %q: it must be \"host\" or \"private\"", c.UsernsMode)
	case c.GC.MaxDiskPercent < 1 || c.GC.MaxDiskPercent > 100:
		return c, fmt.Errorf("gc.max_disk_percent is %d: it must be from 1 to 100", c.GC.MaxDiskPercent)
	case time.Duration(c.GC.Interval) < time.Second:
		return c, fmt.Errorf("gc.interval is %v: it must be at least 1s", time.Duration(c.GC.Interval))
	}
	for _, pattern := range c.AllowDevices {
		if _, err := path.Match(pattern, ""); err != nil || !path.IsAbs(pattern) {
			return c, fmt.Errorf("allow_devices: %q is not a pattern of an absolute path, such as \"/dev/video*\"", pattern)
		}
	}
	return c, nil
}

// modeAllowed is whether jobs may have a mode that reaches beyond the container.
func (c *config) modeAllowed(kind, mode string) bool {
	return c.AllowPrivileged || slices.Contains(c.AllowedModes[kind], mode)
}

// deviceAllowed is whether jobs may have the device.
func (c *config) deviceAllowed(device string) bool {
	if c.AllowPrivileged {
		return true
	}
	return slices.ContainsFunc(c.AllowDevices, func(pattern string) bool {
		ok, _ := path.Match(pattern, device)
		return ok
	})
}
