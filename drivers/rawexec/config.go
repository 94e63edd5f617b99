package rawexec

import (
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
	"github.com/seraihq/serai/internal/cgroup"
)

var configSchema = drivers.NewSchema(
	drivers.WithDefault("enabled", drivers.Bool, false),
	drivers.Optional("no_cgroups", drivers.Bool),
	drivers.Optional("denied_host_uids", drivers.String),
	drivers.Optional("denied_host_gids", drivers.String),
	drivers.Optional("denied_envvars", drivers.List(drivers.String)),
)

var taskSchema = drivers.NewSchema(
	drivers.Required("command", drivers.String),
	drivers.Optional("args", drivers.List(drivers.String)),
	drivers.Optional("work_dir", drivers.String),
	drivers.Optional("cgroup_v2_override", drivers.String),
	drivers.Optional("cgroup_v1_override", drivers.List(drivers.Map(drivers.String))),
	drivers.Optional("oom_score_adj", drivers.Number),
	drivers.Optional("denied_envvars", drivers.List(drivers.String)),
)

// config is the driver's own configuration.
type config struct {
	Enabled        bool     `json:"enabled"`
	NoCgroups      bool     `json:"no_cgroups"`
	DeniedHostUIDs string   `json:"denied_host_uids"`
	DeniedHostGIDs string   `json:"denied_host_gids"`
	DeniedEnvvars  []string `json:"denied_envvars"`

	uids, gids user.Ranges
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
	return c, checkPatterns(c.DeniedEnvvars)
}

// taskConfig is a task's config block.
type taskConfig struct {
	Command       string              `json:"command"`
	Args          []string            `json:"args"`
	WorkDir       string              `json:"work_dir"`
	CgroupV2      string              `json:"cgroup_v2_override"`
	CgroupV1      []map[string]string `json:"cgroup_v1_override"`
	OOMScoreAdj   int                 `json:"oom_score_adj"`
	DeniedEnvvars []string            `json:"denied_envvars"`
}

func decodeTask(raw map[string]any) (taskConfig, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	switch {
	case c.Command == "":
		return c, fmt.Errorf("command is empty: name the program to run")
	case c.CgroupV2 != "" && len(c.CgroupV1) > 0:
		return c, fmt.Errorf("cgroup_v1_override and cgroup_v2_override are both set: a node has one version or the other")
	case c.OOMScoreAdj < 0 || c.OOMScoreAdj > 1000:
		return c, fmt.Errorf("oom_score_adj is %d: it must be from 0 to 1000", c.OOMScoreAdj)
	}
	for _, m := range c.CgroupV1 {
		for controller := range m {
			if controller == "" || strings.ContainsAny(controller, "/, \t\n") {
				return c, fmt.Errorf("cgroup_v1_override: %q is not the name of a controller", controller)
			}
		}
	}
	return c, checkPatterns(c.DeniedEnvvars)
}

// override is where the task's control group is to be made.
func (c taskConfig) override() cgroup.Override {
	out := cgroup.Override{V1: map[string]string{}, V2: c.CgroupV2}
	for _, m := range c.CgroupV1 {
		maps.Copy(out.V1, m)
	}
	return out
}

// checkPatterns checks the patterns of denied_envvars.
func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("denied_envvars: pattern %q: %w", p, err)
		}
	}
	return nil
}
