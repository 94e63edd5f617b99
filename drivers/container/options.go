package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/drivers"
)

var (
	texts = drivers.List(drivers.String)
	pairs = drivers.List(drivers.Map(drivers.String))

	imageFields = []drivers.Field{
		drivers.Required("image", drivers.String),
		drivers.Optional("image_pull_timeout", drivers.String),
		drivers.Optional("command", drivers.String),
		drivers.Optional("args", texts),
		drivers.Optional("entrypoint", drivers.Any),
		drivers.Optional("work_dir", drivers.String),
		drivers.OneBlock("auth",
			drivers.Optional("username", drivers.String), drivers.Optional("password", drivers.String),
			drivers.Optional("email", drivers.String), drivers.Optional("server_address", drivers.String)),
		drivers.Optional("auth_soft_fail", drivers.Bool),
		drivers.Optional("force_pull", drivers.Bool),
		drivers.Optional("load", drivers.String),
		drivers.Optional("labels", pairs),
		drivers.Optional("interactive", drivers.Bool),
		drivers.Optional("init", drivers.Bool),
		drivers.Optional("tty", drivers.Bool),
		drivers.OneBlock("healthchecks", drivers.Optional("disable", drivers.Bool)),
	}
	networkFields = []drivers.Field{
		drivers.Optional("ports", texts),
		drivers.Optional("network_mode", drivers.String),
		drivers.Optional("hostname", drivers.String),
		drivers.Optional("extra_hosts", texts),
		drivers.Optional("dns_servers", texts),
		drivers.Optional("dns_search_domains", texts),
		drivers.Optional("dns_options", texts),
	}
	mountFields = []drivers.Field{
		drivers.Optional("type", drivers.String),
		drivers.Optional("target", drivers.String),
		drivers.Optional("source", drivers.String),
		drivers.Optional("readonly", drivers.Bool),
		drivers.OneBlock("bind_options", drivers.Optional("propagation", drivers.String)),
		drivers.OneBlock("tmpfs_options", drivers.Optional("size", drivers.Number), drivers.Optional("mode", drivers.Number)),
		drivers.OneBlock("volume_options",
			drivers.Optional("no_copy", drivers.Bool),
			drivers.Optional("labels", pairs),
			drivers.OneBlock("driver_config", drivers.Optional("name", drivers.String), drivers.Optional("options", pairs))),
	}
	fileFields = []drivers.Field{
		drivers.Blocks("mount", mountFields...),
		drivers.Blocks("mounts", mountFields...),
		drivers.Optional("volumes", texts),
		drivers.Blocks("devices",
			drivers.Required("host_path", drivers.String),
			drivers.Optional("container_path", drivers.String), drivers.Optional("cgroup_permissions", drivers.String)),
		drivers.Optional("readonly_rootfs", drivers.Bool),
		drivers.Optional("shm_size", drivers.Number),
	}
	rightFields = []drivers.Field{
		drivers.Optional("cap_add", texts),
		drivers.Optional("cap_drop", texts),
		drivers.Optional("privileged", drivers.Bool),
		drivers.Optional("security_opt", texts),
		drivers.Optional("sysctl", pairs),
		drivers.Optional("ulimit", pairs),
		drivers.Optional("pid_mode", drivers.String),
		drivers.Optional("ipc_mode", drivers.String),
		drivers.Optional("uts_mode", drivers.String),
		drivers.Optional("userns_mode", drivers.String),
		drivers.Optional("cgroupns", drivers.String),
		drivers.Optional("group_add", texts),
		drivers.Optional("pids_limit", drivers.Number),
		drivers.Optional("oom_score_adj", drivers.Number),
		drivers.Optional("cpu_hard_limit", drivers.Bool),
		drivers.Optional("cpu_cfs_period", drivers.Number),
		drivers.Optional("cpuset_cpus", drivers.String),
		drivers.Optional("memory_hard_limit", drivers.Number),
		drivers.Blocks("io_limit",
			drivers.Required("device", drivers.String),
			drivers.Optional("read_bytes", drivers.Number), drivers.Optional("write_bytes", drivers.Number),
			drivers.Optional("read_ops", drivers.Number), drivers.Optional("write_ops", drivers.Number)),
	}
	taskSchema = drivers.NewSchema(slices.Concat(imageFields, networkFields, fileFields, rightFields)...)
)

// options is a task's config block.
type options struct {
	Image        string   `json:"image"`
	PullTimeout  duration `json:"image_pull_timeout"`
	Command      string   `json:"command"`
	Args         []string `json:"args"`
	Entrypoint   words    `json:"entrypoint"`
	WorkDir      string   `json:"work_dir"`
	Auth         auth     `json:"auth"`
	AuthSoftFail bool     `json:"auth_soft_fail"`
	ForcePull    bool     `json:"force_pull"`
	Load         string   `json:"load"`
	Labels       merged   `json:"labels"`
	Interactive  bool     `json:"interactive"`
	Init         bool     `json:"init"`
	TTY          bool     `json:"tty"`
	Healthchecks struct {
		Disable *bool `json:"disable"`
	} `json:"healthchecks"`
	networkOptions
	fileOptions
	rightOptions
}

// auth is how the job wants to be known at the registry.
type auth struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Email         string `json:"email"`
	ServerAddress string `json:"server_address"`
}

type networkOptions struct {
	Ports       []string `json:"ports"`
	NetworkMode string   `json:"network_mode"`
	Hostname    string   `json:"hostname"`
	ExtraHosts  []string `json:"extra_hosts"`
	DNSServers  []string `json:"dns_servers"`
	DNSSearches []string `json:"dns_search_domains"`
	DNSOptions  []string `json:"dns_options"`
}

type fileOptions struct {
	Mount          []mount  `json:"mount"`
	Mounts         []mount  `json:"mounts"`
	Volumes        []string `json:"volumes"`
	Devices        []device `json:"devices"`
	ReadonlyRootfs bool     `json:"readonly_rootfs"`
	ShmSize        int64    `json:"shm_size"`
}

type mount struct {
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
		NoCopy       bool   `json:"no_copy"`
		Labels       merged `json:"labels"`
		DriverConfig struct {
			Name    string `json:"name"`
			Options merged `json:"options"`
		} `json:"driver_config"`
	} `json:"volume_options"`
}

type device struct {
	HostPath      string `json:"host_path"`
	ContainerPath string `json:"container_path"`
	Permissions   string `json:"cgroup_permissions"`
}

type rightOptions struct {
	CapAdd          []string  `json:"cap_add"`
	CapDrop         []string  `json:"cap_drop"`
	Privileged      bool      `json:"privileged"`
	SecurityOpt     []string  `json:"security_opt"`
	Sysctl          merged    `json:"sysctl"`
	Ulimit          merged    `json:"ulimit"`
	PIDMode         string    `json:"pid_mode"`
	IPCMode         string    `json:"ipc_mode"`
	UTSMode         string    `json:"uts_mode"`
	UsernsMode      string    `json:"userns_mode"`
	Cgroupns        string    `json:"cgroupns"`
	GroupAdd        []string  `json:"group_add"`
	PIDsLimit       int64     `json:"pids_limit"`
	OOMScoreAdj     int       `json:"oom_score_adj"`
	CPUHardLimit    bool      `json:"cpu_hard_limit"`
	CPUPeriod       int64     `json:"cpu_cfs_period"`
	CpusetCPUs      string    `json:"cpuset_cpus"`
	MemoryHardLimit int64     `json:"memory_hard_limit"`
	IOLimit         []ioLimit `json:"io_limit"`
}

type ioLimit struct {
	Device     string `json:"device"`
	ReadBytes  uint64 `json:"read_bytes"`
	WriteBytes uint64 `json:"write_bytes"`
	ReadOps    uint64 `json:"read_ops"`
	WriteOps   uint64 `json:"write_ops"`
}

// decodeOptions reads a task's config block and checks what can be checked without the node.
func decodeOptions(raw map[string]any) (*options, error) {
	var o options
	if err := taskSchema.DecodeInto(raw, &o); err != nil {
		return nil, err
	}
	o.Mount = append(o.Mount, o.Mounts...)
	switch {
	case o.Image == "" || strings.ContainsAny(o.Image, " \t\r\n\x00"):
		return nil, fmt.Errorf("image is %q: name an image such as \"redis:7\"", o.Image)
	case o.Healthchecks.Disable != nil && !*o.Healthchecks.Disable:
		return nil, errors.New("healthchecks: those of images are never run: use a check in the job's service block")
	case o.OOMScoreAdj < 0 || o.OOMScoreAdj > 1000:
		return nil, fmt.Errorf("oom_score_adj is %d: it must be from 0 to 1000", o.OOMScoreAdj)
	case o.ShmSize < 0 || o.MemoryHardLimit < 0 || o.PIDsLimit < 0:
		return nil, errors.New("shm_size, memory_hard_limit and pids_limit must not be negative")
	case o.CPUPeriod != 0 && (o.CPUPeriod < 1000 || o.CPUPeriod > 1000000):
		return nil, fmt.Errorf("cpu_cfs_period is %d: it must be from 1000 to 1000000 microseconds", o.CPUPeriod)
	}
	return &o, nil
}

// duration is a time.Duration written as "90s".
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time such as \"3m\"", text)
	}
	*d = duration(v)
	return nil
}

// merged is a map that may also be written as a list of maps, in which later ones win.
type merged map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *merged) UnmarshalJSON(text []byte) error {
	var list []map[string]string
	if err := json.Unmarshal(text, &list); err != nil {
		return errors.New("must be a map of strings")
	}
	*m = merged{}
	for _, one := range list {
		maps.Copy(*m, one)
	}
	return nil
}

// words is a command line that may also be written as a single word.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return errors.New("entrypoint must be a string or a list of strings")
		}
		list = []string{one}
	}
	*w = list
	return nil
}

// number reads a whole number that is not negative.
func number(what, text string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s is %q: it must be a whole number", what, text)
	}
	return n, nil
}
