package docker

import (
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container"
)

// defaultCaps are the capabilities that tasks have and may ask for when the operator does not say: those that the engine gives by itself, without
// raw sockets.
var defaultCaps = []string{
	"audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "setfcap", "setgid", "setpcap", "setuid", "sys_chroot",
}

// configSchema is what may be in the plugin's config block.
var configSchema = sync.OnceValue(func() *drivers.Schema {
	return drivers.NewSchema(append(configFields, drivers.WithDefault("container_fallback", drivers.Bool, true),
		// The agent hands over the configuration of the container plugin here.
		drivers.OneBlock("container", container.New(slog.New(slog.DiscardHandler)).ConfigSchema().Fields...))...)
})

var configFields = []drivers.Field{
	drivers.Optional("endpoint", drivers.String),
	drivers.OneBlock("auth",
		drivers.Optional("config", drivers.String),
		drivers.Optional("helper", drivers.String)),
	drivers.OneBlock("tls",
		drivers.Optional("cert", drivers.String),
		drivers.Optional("key", drivers.String),
		drivers.Optional("ca", drivers.String)),
	drivers.OneBlock("gc",
		drivers.WithDefault("image", drivers.Bool, true),
		drivers.WithDefault("image_delay", drivers.String, "3m"),
		drivers.WithDefault("container", drivers.Bool, true),
		drivers.OneBlock("dangling_containers",
			drivers.WithDefault("enabled", drivers.Bool, true),
			drivers.WithDefault("dry_run", drivers.Bool, false),
			drivers.WithDefault("period", drivers.String, "5m"),
			drivers.WithDefault("creation_grace", drivers.String, "5m"))),
	drivers.Optional("image_list", drivers.String),
	drivers.OneBlock("volumes",
		drivers.WithDefault("enabled", drivers.Bool, false),
		drivers.Optional("selinuxlabel", drivers.String)),
	drivers.OneBlock("logging",
		drivers.Optional("type", drivers.String),
		drivers.Field{Name: "config", Kind: drivers.BlockAttributes, Type: drivers.String}),
	drivers.WithDefault("allow_privileged", drivers.Bool, false),
	drivers.Optional("allow_caps", drivers.List(drivers.String)),
	drivers.Optional("allow_devices", drivers.List(drivers.String)),
	drivers.WithDefault("allow_runtimes", drivers.List(drivers.String), []any{"runc", "nvidia"}),
	drivers.OneBlock("allowed_modes",
		drivers.Optional("network", drivers.List(drivers.String)),
		drivers.Optional("pid", drivers.List(drivers.String)),
		drivers.Optional("ipc", drivers.List(drivers.String)),
		drivers.Optional("userns", drivers.List(drivers.String)),
		drivers.Optional("uts", drivers.List(drivers.String))),
	drivers.WithDefault("nvidia_runtime", drivers.String, "nvidia"),
	drivers.Optional("extra_labels", drivers.List(drivers.String)),
	drivers.Optional("infra_image", drivers.String),
	drivers.WithDefault("infra_image_pull_timeout", drivers.String, "5m"),
	drivers.WithDefault("image_pull_timeout", drivers.String, "5m"),
	drivers.WithDefault("pull_activity_timeout", drivers.String, "2m"),
	drivers.WithDefault("pids_limit", drivers.Number, 0),
	drivers.WithDefault("oom_score_adj", drivers.Number, 0),
	drivers.WithDefault("container_exists_attempts", drivers.Number, 5),
	drivers.WithDefault("disable_log_collection", drivers.Bool, false),
	drivers.Optional("windows_allow_insecure_container_admin", drivers.Bool),
}

// config is the driver's own configuration.
type config struct {
	Endpoint string `json:"endpoint"`
	Auth     struct {
		Config string `json:"config"`
		Helper string `json:"helper"`
	} `json:"auth"`
	TLS struct {
		Cert string `json:"cert"`
		Key  string `json:"key"`
		CA   string `json:"ca"`
	} `json:"tls"`
	GC gcConfig `json:"gc"`
	// ImageList is the file in which the driver keeps which images tasks have used, so that they are collected after a restart of the agent as well.
	ImageList string `json:"image_list"`
	Volumes   struct {
		Enabled      bool   `json:"enabled"`
		SELinuxLabel string `json:"selinuxlabel"`
	} `json:"volumes"`
	Logging         logging             `json:"logging"`
	AllowPrivileged bool                `json:"allow_privileged"`
	AllowCaps       []string            `json:"allow_caps"`
	AllowDevices    []string            `json:"allow_devices"`
	AllowRuntimes   []string            `json:"allow_runtimes"`
	AllowedModes    map[string][]string `json:"allowed_modes"`
	NvidiaRuntime   string              `json:"nvidia_runtime"`
	ExtraLabels     []string            `json:"extra_labels"`
	InfraImage      string              `json:"infra_image"`
	PidsLimit       int64               `json:"pids_limit"`
	OOMScoreAdj     int                 `json:"oom_score_adj"`
	ExistsAttempts  int                 `json:"container_exists_attempts"`
	DisableLogs     bool                `json:"disable_log_collection"`
	WindowsAdmin    bool                `json:"windows_allow_insecure_container_admin"`
	Fallback        bool                `json:"container_fallback"`
	Container       map[string]any      `json:"container"`

	InfraTimeout  duration `json:"infra_image_pull_timeout"`
	PullTimeout   duration `json:"image_pull_timeout"`
	PullActivity  duration `json:"pull_activity_timeout"`
	capsByDefault bool
}

// gcConfig is what the driver removes by itself.
type gcConfig struct {
	Image      bool     `json:"image"`
	ImageDelay duration `json:"image_delay"`
	Container  bool     `json:"container"`
	Dangling   struct {
		Enabled       bool     `json:"enabled"`
		DryRun        bool     `json:"dry_run"`
		Period        duration `json:"period"`
		CreationGrace duration `json:"creation_grace"`
	} `json:"dangling_containers"`
}

// logging is what the engine does with a container's output.
type logging struct {
	Type   string            `json:"type"`
	Driver string            `json:"driver"`
	Config map[string]string `json:"config"`
}

// duration is a time.Duration written as "90s".
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler. The text has been checked.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// String is the duration as people write it.
func (d duration) String() string { return time.Duration(d).String() }

// durations are the options whose values are times.
var durations = []string{"image_delay", "period", "creation_grace", "infra_image_pull_timeout", "image_pull_timeout", "pull_activity_timeout"}

// checkDurations checks the times in a configuration, at any depth.
func checkDurations(at string, raw map[string]any) error {
	for name, v := range raw {
		switch v := v.(type) {
		case string:
			if d, err := time.ParseDuration(v); slices.Contains(durations, name) && (err != nil || d < 0) {
				return fmt.Errorf("%s%s is %q: write a time such as \"3m\"", at, name, clip(v))
			}
		case map[string]any:
			if err := checkDurations(at+name+".", v); err != nil {
				return err
			}
		case []any:
			for _, one := range v {
				if m, ok := one.(map[string]any); ok {
					if err := checkDurations(at+name+".", m); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// extraLabels are the labels that extra_labels can name, and where they come from.
var extraLabels = map[string]func(*drivers.TaskConfig) string{
	"job_name":        func(t *drivers.TaskConfig) string { return t.JobName },
	"job_id":          func(t *drivers.TaskConfig) string { return t.JobID },
	"parent_job_id":   func(t *drivers.TaskConfig) string { return t.ParentJob },
	"task_group_name": func(t *drivers.TaskConfig) string { return t.Group },
	"task_name":       func(t *drivers.TaskConfig) string { return t.Name },
	"namespace":       func(t *drivers.TaskConfig) string { return t.Namespace },
	"node_name":       func(t *drivers.TaskConfig) string { return t.NodeName },
	"node_id":         func(t *drivers.TaskConfig) string { return t.NodeID },
}

func decodeConfig(raw map[string]any) (config, error) {
	full := map[string]any{"gc": map[string]any{}, "volumes": map[string]any{}, "logging": map[string]any{}}
	for k, v := range raw {
		full[k] = v
	}
	if gc, err := withDangling(full["gc"]); err == nil {
		full["gc"] = gc
	}
	var c config
	if err := checkDurations("", full); err != nil {
		return c, err
	}
	if err := configSchema().DecodeInto(full, &c); err != nil {
		return c, err
	}
	c.capsByDefault = c.AllowCaps == nil
	if c.capsByDefault {
		c.AllowCaps = slices.Clone(defaultCaps)
	}
	return c, c.check()
}

// withDangling adds the block of defaults that the operator has left out.
func withDangling(gc any) (any, error) {
	m, ok := gc.(map[string]any)
	if list, isList := gc.([]any); isList && len(list) == 1 {
		m, ok = list[0].(map[string]any)
	}
	if !ok {
		return nil, fmt.Errorf("not a block")
	}
	out := map[string]any{"dangling_containers": map[string]any{}}
	for k, v := range m {
		out[k] = v
	}
	return out, nil
}

func (c *config) check() error {
	for i, name := range c.AllowCaps {
		norm, err := capability(name)
		if err != nil {
			return fmt.Errorf("allow_caps: %w", err)
		}
		c.AllowCaps[i] = norm
	}
	for _, p := range append(slices.Clone(c.AllowDevices), c.ExtraLabels...) {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", p, err)
		}
	}
	if c.ExistsAttempts < 1 || c.ExistsAttempts > 100 {
		return fmt.Errorf("container_exists_attempts is %d: it must be from 1 to 100", c.ExistsAttempts)
	}
	if c.OOMScoreAdj < 0 || c.OOMScoreAdj > 1000 {
		return fmt.Errorf("oom_score_adj is %d: it must be from 0 to 1000", c.OOMScoreAdj)
	}
	if c.WindowsAdmin {
		return fmt.Errorf("windows_allow_insecure_container_admin is not supported: this driver runs on Linux")
	}
	if strings.ContainsAny(c.Auth.Helper, "/ ") {
		return fmt.Errorf("auth.helper is %q: write the part after docker-credential-, without a path", c.Auth.Helper)
	}
	return c.checkEndpoint()
}

func (c *config) checkEndpoint() error {
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	scheme, rest, ok := strings.Cut(c.Endpoint, "://")
	if !ok || rest == "" || !slices.Contains([]string{"unix", "tcp", "http", "https"}, scheme) {
		return fmt.Errorf("endpoint is %q: write unix:///path/to/docker.sock or tcp://host:port", c.Endpoint)
	}
	tls := 0
	for _, f := range []string{c.TLS.Cert, c.TLS.Key, c.TLS.CA} {
		if f != "" {
			tls++
		}
	}
	if tls != 0 && tls != 3 {
		return fmt.Errorf("tls needs cert, key and ca, all of them")
	}
	return nil
}
