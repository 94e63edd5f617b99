package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/exec/seccomp"
	"github.com/seraihq/serai/drivers/internal/cgroup"
	"github.com/seraihq/serai/drivers/internal/command"
	"github.com/seraihq/serai/drivers/internal/user"
)

// defaultPath is the PATH of a task whose job sets none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// plan is all that a container and the processes in it are made from.
type plan struct {
	config *configs.Config
	view   view
	env    []string
	argv   []string
	dir    string
	creds  user.Credentials
	filter seccomp.Program
}

// plan checks what the job asks for and finds the program, so that nothing has to be undone when something is wrong.
func (d *Driver) plan(task *drivers.TaskConfig, settings config) (*plan, error) {
	c, err := decodeTask(task.Config, settings)
	if err != nil {
		return nil, err
	}
	p := &plan{dir: c.WorkDir}
	if p.creds, err = credentials(task.User, settings); err != nil {
		return nil, err
	}
	caps, err := capabilities(settings.allowed, c.CapAdd, c.CapDrop)
	if err != nil {
		return nil, err
	}
	if p.filter, err = seccomp.Build(caps); err != nil {
		return nil, err
	}
	env := task.Environ()
	if env["PATH"] == "" {
		env["PATH"] = defaultPath
	}
	if p.env, err = command.List(env); err != nil {
		return nil, err
	}
	if p.config, p.view, err = d.container(task, settings, c, caps); err != nil {
		return nil, err
	}
	file, err := p.view.find(c.Command, env["PATH"])
	if err != nil {
		return nil, err
	}
	p.argv = append([]string{file}, c.Args...)
	return p, nil
}

func credentials(name string, settings config) (user.Credentials, error) {
	if name == "" {
		name = defaultUser
	}
	creds, err := user.Lookup(name)
	if err != nil {
		return creds, err
	}
	return creds, creds.Allowed(settings.uids, settings.gids)
}

// container describes the container to libcontainer.
func (d *Driver) container(task *drivers.TaskConfig, settings config, c taskConfig, caps []string) (*configs.Config, view, error) {
	mounts, v := chroot(settings, task)
	own := ownFiles(task, v)
	asked, err := jobMounts(task.Mounts, v)
	if err != nil {
		return nil, nil, err
	}
	nodes, rules, err := deviceNodes(task.Devices)
	if err != nil {
		return nil, nil, err
	}
	group, err := d.group(task, settings, rules)
	if err != nil {
		return nil, nil, err
	}
	cfg := &configs.Config{
		Rootfs:          task.TaskDir().Root,
		NoPivotRoot:     settings.NoPivotRoot,
		RootPropagation: unix.MS_PRIVATE | unix.MS_REC,
		Hostname:        hostname(task),
		Mounts:          append(append(append(kernelMounts(), mounts...), own...), asked...),
		Devices:         nodes,
		Namespaces:      namespaces(task, c),
		Capabilities:    &configs.Capabilities{Bounding: caps, Effective: caps, Permitted: caps},
		Cgroups:         group,
		MaskPaths:       maskedPaths,
		ReadonlyPaths:   readonlyPaths,
		NoNewPrivileges: true,
		NoNewKeyring:    true, // Init makes one; joining it later is what the filter refuses
		Labels:          []string{"serai.task=" + task.ID},
	}
	return cfg, v, nil
}

// rootPropagation lets go of what the host unmounts; the task's own mounts reach the host only when the job has asked for one that does.
func rootPropagation(mounts []drivers.Mount) int {
	for _, m := range mounts {
		if propagations[m.Propagation] == unix.MS_SHARED {
			return unix.MS_SHARED | unix.MS_REC
		}
	}
	return unix.MS_SLAVE | unix.MS_REC
}

func hostname(task *drivers.TaskConfig) string {
	if task.Network != nil && task.Network.Hostname != "" {
		return task.Network.Hostname
	}
	name, _ := os.Hostname()
	return name
}

// namespaces of the container. The network is the group's when it has one, else the host's.
func namespaces(task *drivers.TaskConfig, c taskConfig) configs.Namespaces {
	out := configs.Namespaces{{Type: configs.NEWNS}, {Type: configs.NEWUTS}}
	if c.PIDMode != "host" {
		out = append(out, configs.Namespace{Type: configs.NEWPID})
	}
	if c.IPCMode != "host" {
		out = append(out, configs.Namespace{Type: configs.NEWIPC})
	}
	if task.Network != nil && task.Network.Path != "" {
		out = append(out, configs.Namespace{Type: configs.NEWNET, Path: task.Network.Path})
	}
	return out
}

// deviceNodes are the devices that every task has (null, zero, full, random, urandom, tty, terminals) and those given to this one.
func deviceNodes(given []drivers.Device) ([]*devices.Device, []*devices.Rule, error) {
	nodes := append([]*devices.Device(nil), specconv.AllowedDevices...)
	for _, g := range given {
		var st unix.Stat_t
		if err := unix.Stat(g.HostPath, &st); err != nil {
			return nil, nil, fmt.Errorf("device %s: %w", g.HostPath, err)
		}
		kind := devices.CharDevice
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR:
		case unix.S_IFBLK:
			kind = devices.BlockDevice
		default:
			return nil, nil, fmt.Errorf("device %s: it is not a device", g.HostPath)
		}
		inside, permissions := g.TaskPath, g.Permissions
		if inside == "" {
			inside = g.HostPath
		}
		if permissions == "" {
			permissions = "rwm"
		}
		nodes = append(nodes, &devices.Device{Path: inside, FileMode: os.FileMode(st.Mode & 0o777), Uid: st.Uid, Gid: st.Gid,
			Rule: devices.Rule{Type: kind, Major: int64(unix.Major(uint64(st.Rdev))), Minor: int64(unix.Minor(uint64(st.Rdev))),
				Permissions: devices.Permissions(permissions), Allow: true}})
	}
	rules := make([]*devices.Rule, len(nodes))
	for i, n := range nodes {
		rules[i] = &n.Rule
	}
	return nodes, rules, nil
}

// group describes the task's control group: where it lies and its limits, leaving out those whose controller is missing.
func (d *Driver) group(task *drivers.TaskConfig, settings config, rules []*devices.Rule) (*cgroups.Cgroup, error) {
	l, err := d.Layout()
	if err != nil {
		return nil, err
	}
	name := cgroup.Name(task.ID)
	g := &cgroups.Cgroup{Resources: &cgroups.Resources{Devices: rules}}
	// A relative path lies below this process's own group, controller by controller.
	g.Path = filepath.Join(cgroup.Parent, name)
	if l.Version == 2 {
		g.Path = filepath.Join("/", strings.TrimPrefix(l.Parents[cgroup.Unified], l.Mounts[cgroup.Unified]), name)
	}
	r := task.Resources
	if l.Has("pids") {
		g.PidsLimit = &settings.PIDsLimit
	}
	if l.Has("cpuset") {
		g.CpusetCpus = r.Cpuset
	}
	if l.Has("cpu") && r.CPUShares > 0 {
		if l.Version == 2 {
			g.CpuWeight = uint64(cgroup.Weight(r.CPUShares))
		} else {
			g.CpuShares = uint64(max(r.CPUShares, 2))
		}
	}
	return g, nil
}

// memory is the memory limits of a task. They are set once the task's own program runs: until then the container holds this much larger binary.
func memory(r drivers.Resources) cgroup.Limits {
	lim := cgroup.Limits{MemoryBytes: r.MemoryLimitMB() << 20}
	if low := r.MemoryMB << 20; low > 0 && low < lim.MemoryBytes {
		lim.MemoryLowBytes = low
	}
	return lim
}

// ids are the numbers as libcontainer wants them.
func ids(list []uint32) []int {
	out := make([]int, len(list))
	for i, n := range list {
		out[i] = int(n)
	}
	return out
}

// containerID makes a task ID into one that libcontainer accepts: the name of its group, with nothing but letters, digits and a few signs.
func containerID(taskID string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", r) {
			return r
		}
		return '_'
	}, cgroup.Name(taskID))
}
