package contain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer/configs"

	"github.com/seraihq/serai/internal/cgroup"
)

// group describes the task's control group: where it lies and its limits, leaving out those whose controller is missing. The memory limit comes later.
func (c *Containers) group(taskID string, lim Limits, rules []*devices.Rule) (*cgroups.Cgroup, error) {
	l, err := c.Layout()
	if err != nil {
		return nil, err
	}
	g := &cgroups.Cgroup{Path: groupPath(l, taskID), Resources: &cgroups.Resources{Devices: rules}}
	if l.Has("pids") && lim.PIDs > 0 {
		g.PidsLimit = &lim.PIDs
	}
	if l.Has("cpuset") {
		g.CpusetCpus = lim.Cpuset
	}
	if l.Has("cpu") {
		lim.cpu(g.Resources, l.Version)
	}
	return g, lim.io(g.Resources, l)
}

// groupPath is where a task's groups lie, in libcontainer's words: a relative path lies below this process's own group, controller by controller.
func groupPath(l *cgroup.Layout, taskID string) string {
	if l.Version == 2 {
		return filepath.Join("/", strings.TrimPrefix(l.Parents[cgroup.Unified], l.Mounts[cgroup.Unified]), cgroup.Name(taskID))
	}
	return filepath.Join(cgroup.Parent, cgroup.Name(taskID))
}

// removeGroups ends what runs in the groups at this path and removes them. It knows those that libcontainer makes and serai has no use for, too.
func removeGroups(ctx context.Context, path string) error {
	m, err := manager.New(&cgroups.Cgroup{Path: path, Resources: &cgroups.Resources{}})
	if err != nil {
		return err
	}
	g := cgroup.Group{Paths: m.GetPaths()}
	ctx, cancel := context.WithTimeout(ctx, removePatience)
	defer cancel()
	return errors.Join(g.Kill(ctx), g.Remove(ctx))
}

// removePatience is how long the kernel is given to end what is left in a group.
const removePatience = 10 * time.Second

func (lim Limits) cpu(r *cgroups.Resources, version int) {
	switch {
	case lim.CPUShares <= 0:
	case version == 2:
		r.CpuWeight = uint64(cgroup.Weight(lim.CPUShares))
	default:
		r.CpuShares = uint64(max(lim.CPUShares, 2))
	}
	if lim.CPUQuota > 0 {
		r.CpuQuota, r.CpuPeriod = lim.CPUQuota.Microseconds(), uint64(lim.CPUPeriod.Microseconds())
	}
}

// io sets the limits of traffic with devices. One that cannot be kept is an error: who asks for it relies on it.
func (lim Limits) io(r *cgroups.Resources, l *cgroup.Layout) error {
	if len(lim.IO) == 0 {
		return nil
	}
	if !HasIO(l) {
		return fmt.Errorf("io_limit of %s: this node has no io controller", lim.IO[0].Device)
	}
	for _, one := range lim.IO {
		var st unix.Stat_t
		if err := unix.Stat(one.Device, &st); err != nil {
			return fmt.Errorf("io_limit of %s: %w", one.Device, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFBLK {
			return fmt.Errorf("io_limit of %s: it is not a block device", one.Device)
		}
		major, minor := int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev)))
		add := func(list *[]*cgroups.ThrottleDevice, rate uint64) {
			if rate > 0 {
				*list = append(*list, cgroups.NewThrottleDevice(major, minor, rate))
			}
		}
		add(&r.BlkioThrottleReadBpsDevice, one.ReadBytes)
		add(&r.BlkioThrottleWriteBpsDevice, one.WriteBytes)
		add(&r.BlkioThrottleReadIOPSDevice, one.ReadOps)
		add(&r.BlkioThrottleWriteIOPSDevice, one.WriteOps)
	}
	return nil
}

// HasIO is whether the node can limit the traffic with block devices.
func HasIO(l *cgroup.Layout) bool {
	if l.Version == 2 {
		return l.Has("io")
	}
	_, err := os.Stat(cgroupPath + "/blkio/blkio.throttle.read_bps_device")
	return err == nil
}

// rlimits are the kernel's limits by name.
var rlimits = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// rlimits are the limits in libcontainer's words, none above what this process may give.
func (p Process) rlimits() ([]configs.Rlimit, error) {
	var out []configs.Rlimit
	for name, want := range p.Rlimits {
		kind, known := rlimits[name]
		if !known {
			return nil, fmt.Errorf("ulimit %q is not known", name)
		}
		var own unix.Rlimit
		if err := unix.Getrlimit(kind, &own); err != nil {
			return nil, fmt.Errorf("ulimit %q: %w", name, err)
		}
		if !mayRaise() {
			want.Hard = min(want.Hard, own.Max)
		}
		if kind == unix.RLIMIT_NOFILE { // the kernel lets nobody have more, and has no word for all
			want.Hard = min(want.Hard, maxFiles(own.Max))
		}
		out = append(out, configs.Rlimit{Type: kind, Soft: min(want.Soft, want.Hard), Hard: want.Hard})
	}
	return out, nil
}

// maxFiles is how many files a process of this machine may have open at most, or what there is known of it otherwise.
func maxFiles(otherwise uint64) uint64 {
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return otherwise
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// mayRaise is whether this process may raise limits: some containers and virtual machines keep that from root.
func mayRaise() bool {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if mask, ok := strings.CutPrefix(line, "CapEff:"); ok {
			var caps uint64
			_, err := fmt.Sscanf(strings.TrimSpace(mask), "%x", &caps)
			return err == nil && caps&(1<<unix.CAP_SYS_RESOURCE) != 0
		}
	}
	return false
}
