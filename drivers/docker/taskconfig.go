package docker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/drivers"
)

var (
	strs     = drivers.List(drivers.String)
	pairs    = drivers.List(drivers.Map(drivers.String))
	nothing  = drivers.Optional
	taskMain = []drivers.Field{
		drivers.Required("image", drivers.String),
		nothing("image_pull_timeout", drivers.String),
		nothing("args", strs),
		nothing("command", drivers.String),
		nothing("entrypoint", drivers.Any),
		nothing("work_dir", drivers.String),
		drivers.OneBlock("auth",
			nothing("username", drivers.String),
			nothing("password", drivers.String),
			nothing("email", drivers.String),
			nothing("server_address", drivers.String)),
		nothing("auth_soft_fail", drivers.Bool),
		nothing("force_pull", drivers.Bool),
		nothing("load", drivers.String),
		nothing("labels", pairs),
		drivers.OneBlock("logging",
			nothing("type", drivers.String),
			nothing("driver", drivers.String),
			nothing("config", pairs)),
		drivers.OneBlock("healthchecks", nothing("disable", drivers.Bool)),
		nothing("interactive", drivers.Bool),
		nothing("tty", drivers.Bool),
		nothing("container_exists_attempts", drivers.Number),
	}
	taskNetwork = []drivers.Field{
		nothing("ports", strs),
		nothing("port_map", pairs),
		nothing("network_mode", drivers.String),
		nothing("network_aliases", strs),
		nothing("ipv4_address", drivers.String),
		nothing("ipv6_address", drivers.String),
		nothing("mac_address", drivers.String),
		nothing("advertise_ipv6_address", drivers.Bool),
		nothing("hostname", drivers.String),
		nothing("extra_hosts", strs),
		nothing("dns_servers", strs),
		nothing("dns_search_domains", strs),
		nothing("dns_options", strs),
	}
	mountFields = []drivers.Field{
		nothing("type", drivers.String),
		nothing("target", drivers.String),
		nothing("source", drivers.String),
		nothing("readonly", drivers.Bool),
		drivers.OneBlock("bind_options", nothing("propagation", drivers.String)),
		drivers.OneBlock("tmpfs_options", nothing("size", drivers.Number), nothing("mode", drivers.Number)),
		drivers.OneBlock("volume_options",
			nothing("no_copy", drivers.Bool),
			nothing("labels", pairs),
			drivers.OneBlock("driver_config", nothing("name", drivers.String), nothing("options", pairs))),
	}
	taskFiles = []drivers.Field{
		drivers.Blocks("mount", mountFields...),
		drivers.Blocks("mounts", mountFields...),
		nothing("volumes", strs),
		nothing("volume_driver", drivers.String),
		drivers.Blocks("devices",
			drivers.Required("host_path", drivers.String),
			nothing("container_path", drivers.String),
			nothing("cgroup_permissions", drivers.String)),
		nothing("readonly_rootfs", drivers.Bool),
		nothing("storage_opt", drivers.Map(drivers.String)),
		nothing("shm_size", drivers.Number),
	}
	taskRights = []drivers.Field{
		nothing("cap_add", strs),
		nothing("cap_drop", strs),
		nothing("privileged", drivers.Bool),
		nothing("security_opt", strs),
		nothing("sysctl", pairs),
		nothing("ulimit", pairs),
		nothing("runtime", drivers.String),
		nothing("init", drivers.Bool),
		nothing("pid_mode", drivers.String),
		nothing("ipc_mode", drivers.String),
		nothing("uts_mode", drivers.String),
		nothing("userns_mode", drivers.String),
		nothing("cgroupns", drivers.String),
		nothing("isolation", drivers.String),
		nothing("group_add", strs),
		nothing("pids_limit", drivers.Number),
		nothing("oom_score_adj", drivers.Number),
		nothing("cpu_hard_limit", drivers.Bool),
		nothing("cpu_cfs_period", drivers.Number),
		nothing("cpuset_cpus", drivers.String),
		nothing("memory_hard_limit", drivers.Number),
	}
	taskSchema = drivers.NewSchema(slices.Concat(taskMain, taskNetwork, taskFiles, taskRights)...)
)

// taskConfig is a task's config block.
type taskConfig struct {
	Image        string     `json:"image"`
	PullTimeout  duration   `json:"image_pull_timeout"`
	Args         []string   `json:"args"`
	Command      string     `json:"command"`
	Entrypoint   words      `json:"entrypoint"`
	WorkDir      string     `json:"work_dir"`
	Auth         jobAuth    `json:"auth"`
	AuthSoftFail bool       `json:"auth_soft_fail"`
	ForcePull    bool       `json:"force_pull"`
	Load         string     `json:"load"`
	Labels       mergedMaps `json:"labels"`
	Logging      struct {
		Type   string     `json:"type"`
		Driver string     `json:"driver"`
		Config mergedMaps `json:"config"`
	} `json:"logging"`
	Healthchecks struct {
		Disable bool `json:"disable"`
	} `json:"healthchecks"`
	Interactive    bool `json:"interactive"`
	TTY            bool `json:"tty"`
	ExistsAttempts int  `json:"container_exists_attempts"`
	networkConfig
	filesConfig
	rightsConfig
}

// jobAuth is how the job wants to be known at the registry.
type jobAuth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Email         string `json:"email"`
	ServerAddress string `json:"server_address"`
}

// networkConfig is the part of a task's config block about networks.
type networkConfig struct {
	Ports         []string   `json:"ports"`
	PortMap       mergedMaps `json:"port_map"`
	NetworkMode   string     `json:"network_mode"`
	Aliases       []string   `json:"network_aliases"`
	IPv4          string     `json:"ipv4_address"`
	IPv6          string     `json:"ipv6_address"`
	MAC           string     `json:"mac_address"`
	AdvertiseIPv6 bool       `json:"advertise_ipv6_address"`
	Hostname      string     `json:"hostname"`
	ExtraHosts    []string   `json:"extra_hosts"`
	DNSServers    []string   `json:"dns_servers"`
	DNSSearch     []string   `json:"dns_search_domains"`
	DNSOptions    []string   `json:"dns_options"`
}

// filesConfig is the part of a task's config block about files and devices.
type filesConfig struct {
	Mount          []mountConfig     `json:"mount"`
	Mounts         []mountConfig     `json:"mounts"`
	Volumes        []string          `json:"volumes"`
	VolumeDriver   string            `json:"volume_driver"`
	Devices        []deviceConfig    `json:"devices"`
	ReadonlyRootfs bool              `json:"readonly_rootfs"`
	StorageOpt     map[string]string `json:"storage_opt"`
	ShmSize        int64             `json:"shm_size"`
}

// mountConfig is one mount block.
type mountConfig struct {
	Type        string `json:"type"`
	Target      string `json:"target"`
	Source      string `json:"source"`
	Readonly    bool   `json:"readonly"`
	BindOptions struct {
		Propagation string `json:"propagation"`
	} `json:"bind_options"`
	TmpfsOptions struct {
		Size int64 `json:"size"`
		Mode int64 `json:"mode"`
	} `json:"tmpfs_options"`
	VolumeOptions struct {
		NoCopy       bool       `json:"no_copy"`
		Labels       mergedMaps `json:"labels"`
		DriverConfig struct {
			Name    string     `json:"name"`
			Options mergedMaps `json:"options"`
		} `json:"driver_config"`
	} `json:"volume_options"`
}

// deviceConfig is one of devices.
type deviceConfig struct {
	HostPath      string `json:"host_path"`
	ContainerPath string `json:"container_path"`
	Permissions   string `json:"cgroup_permissions"`
}

// rightsConfig is the part of a task's config block about what its processes may do and use.
type rightsConfig struct {
	CapAdd          []string   `json:"cap_add"`
	CapDrop         []string   `json:"cap_drop"`
	Privileged      bool       `json:"privileged"`
	SecurityOpt     []string   `json:"security_opt"`
	Sysctl          mergedMaps `json:"sysctl"`
	Ulimit          mergedMaps `json:"ulimit"`
	Runtime         string     `json:"runtime"`
	Init            bool       `json:"init"`
	PidMode         string     `json:"pid_mode"`
	IpcMode         string     `json:"ipc_mode"`
	UTSMode         string     `json:"uts_mode"`
	UsernsMode      string     `json:"userns_mode"`
	Cgroupns        string     `json:"cgroupns"`
	Isolation       string     `json:"isolation"`
	GroupAdd        []string   `json:"group_add"`
	PidsLimit       int64      `json:"pids_limit"`
	OOMScoreAdj     int        `json:"oom_score_adj"`
	CPUHardLimit    bool       `json:"cpu_hard_limit"`
	CPUPeriod       int64      `json:"cpu_cfs_period"`
	CpusetCPUs      string     `json:"cpuset_cpus"`
	MemoryHardLimit int64      `json:"memory_hard_limit"`
}

func decodeTask(raw map[string]any) (taskConfig, error) {
	var c taskConfig
	if v, ok := raw["image_pull_timeout"].(string); ok {
		if err := checkDurations("", map[string]any{"image_pull_timeout": v}); err != nil {
			return c, err
		}
	}
	if err := taskSchema.DecodeInto(raw, &c); err != nil {
		return c, err
	}
	c.Image = strings.TrimPrefix(strings.TrimPrefix(c.Image, "https://"), "http://")
	c.Mount = append(c.Mount, c.Mounts...)
	if c.Logging.Type == "" {
		c.Logging.Type = c.Logging.Driver
	}
	switch {
	case c.Image == "" || strings.ContainsAny(c.Image, " \t\n"):
		return c, fmt.Errorf("image is %q: name an image such as \"redis:7\"", c.Image)
	case c.Isolation != "":
		return c, fmt.Errorf("isolation is not supported: it is for Windows containers")
	case c.OOMScoreAdj < 0 || c.OOMScoreAdj > 1000:
		return c, fmt.Errorf("oom_score_adj is %d: it must be from 0 to 1000", c.OOMScoreAdj)
	case c.ExistsAttempts < 0 || c.ExistsAttempts > 100:
		return c, fmt.Errorf("container_exists_attempts is %d: it must be from 1 to 100", c.ExistsAttempts)
	case c.ShmSize < 0 || c.MemoryHardLimit < 0:
		return c, fmt.Errorf("shm_size and memory_hard_limit must not be negative")
	case c.PidsLimit < 0:
		return c, fmt.Errorf("pids_limit is %d: it must not be negative", c.PidsLimit)
	case c.CPUPeriod != 0 && (c.CPUPeriod < 1000 || c.CPUPeriod > 1000000):
		return c, fmt.Errorf("cpu_cfs_period is %d: it must be from 1000 to 1000000 microseconds", c.CPUPeriod)
	}
	return c, nil
}

// mergedMaps is a map that may also be written as a list of maps, in which later ones win.
type mergedMaps map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *mergedMaps) UnmarshalJSON(text []byte) error {
	return decodeMaps(text, m)
}

// words is a command line that may also be written as a single word.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(text []byte) error {
	return decodeWords(text, w)
}

// number reads a whole number out of a map of strings.
func number(what, text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %q: it must be a whole number", what, text)
	}
	return n, nil
}
