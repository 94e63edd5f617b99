package contain

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
	"github.com/seraihq/serai/internal/cgroup"
)

// DefaultPath is the PATH of a task whose job sets none.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// DefaultPIDs is how many processes a task may have when nobody says.
const DefaultPIDs = 4096

// Spec describes the container of one task.
type Spec struct {
	Process
	// Root is the directory that becomes the container's root. Or Layers, when there are any, make it.
	Root string
	// Layers are directories laid over one another, lowest first. What the task writes goes to Scratch, an empty directory of this container's
	// own that need not exist; Start makes it and Destroy removes it.
	Layers  []string
	Scratch string
	// Complete is called before anything is started, with a root made of layers in place; it may change this Spec by what lies in there, such as
	// the numbers of users.
	Complete func(*Tree) error
	// ReadonlyRoot: nothing but mounts can be written.
	ReadonlyRoot bool
	// NoPivotRoot is for hosts whose own root is a RAM disk.
	NoPivotRoot bool
	// Mounts belong to the root; they come after those of the kernel (/proc, /dev, /sys). Then come the Files, texts of the task's own by their
	// name in /etc, and last the Volumes that the job asks for.
	Mounts  []Mount
	Files   map[string]string
	Volumes []Mount
	// Cgroup shows the container's own control group, read-only, at /sys/fs/cgroup.
	Cgroup bool
	// ShmBytes is the size of /dev/shm; 0 is 64 MiB.
	ShmBytes int64
	// Devices are host devices given to the task beside those that every task has.
	Devices    []drivers.Device
	Hostname   string
	Namespaces Namespaces
	Limits     Limits
	// Sysctls are settings of the container's own namespaces.
	Sysctls map[string]string
	// OOMScoreAdj is added to the kernel's badness of the task when memory is short; 0 leaves it.
	OOMScoreAdj int
	// Stdin keeps the program's input open, though nothing ever comes. Otherwise it is empty.
	Stdin bool
	// Reaper: the first process is one that starts the program and waits for orphans. It takes a root made of layers.
	Reaper bool
	// Terminal: the program has a terminal, and what it writes on it is its standard output. It implies Reaper, which holds the terminal.
	Terminal bool
	// Labels are kept with the container's description and mean nothing.
	Labels map[string]string
	// From, when it is not empty, is the directory of a checkpoint: the container's processes are made from that.
	From string
	// Keep is what the driver wants to find in the task's State.Driver.
	Keep map[string]string
}

// Process describes a program that runs in a container: the task's own, and what commands run beside it have in common with it.
type Process struct {
	// Args are the program, by path or by a name to be looked for in PATH, and its arguments.
	Args []string
	Env  []string
	// Dir is the working directory inside; see WorkDir.
	Dir  string
	User user.Credentials
	// Capabilities, named as in "CAP_CHOWN", are those of a task of root, and the most that any program in the container can get.
	Capabilities []string
	// Local: programs are looked for in /local before all other places.
	Local bool
	// Unfiltered: there is no system call filter, and privileges can be gained by executing files.
	Unfiltered bool
	// Privileged: nothing is kept from the task but what other namespaces keep: all devices, all of /proc and /sys, writable. It implies
	// Unfiltered.
	Privileged bool
	// Rlimits by name ("nofile"). Those above what this process may give are lowered to that.
	Rlimits map[string]Rlimit
}

// Rlimit is a limit of the kernel on each process. Unlimited is no limit.
type Rlimit struct{ Soft, Hard uint64 }

// Unlimited is the value of a limit that is none.
const Unlimited = ^uint64(0)

// Namespaces say which namespaces a container does not have of its own, and of which kind those are that it has.
type Namespaces struct {
	HostPID, HostIPC, HostUTS bool
	// Network is the file that stands for the network namespace to join; empty is the host's.
	Network string
	// NoNetwork gives a network namespace with nothing but a loopback address.
	NoNetwork bool
	// OwnUsers gives a user namespace: the container's users are 0 to UserCount-1, and other ones for the host.
	OwnUsers bool

	// users are those of the host, chosen by Start.
	users *idRange
}

// UserCount is how many users and groups a user namespace has.
const UserCount = 1 << 16

// idRange are Size user and group IDs from First.
type idRange struct{ First, Size uint32 }

// Limits are those of the container's control group. Zero values set no limit.
type Limits struct {
	CPUShares int64
	Cpuset    string
	// MemoryBytes is the hard limit, MemoryLowBytes what is taken last when memory is short.
	MemoryBytes, MemoryLowBytes int64
	PIDs                        int64
	// CPUQuota is how long the task may run in each CPUPeriod, over all cores.
	CPUQuota, CPUPeriod time.Duration
	// IO are limits by device.
	IO []IOLimit
}

// IOLimit limits the traffic with one block device: bytes and operations a second, 0 for no limit.
type IOLimit struct {
	// Device is the device's path on the host.
	Device                                   string
	ReadBytes, WriteBytes, ReadOps, WriteOps uint64
}

// ResourceLimits are the limits that a task's resources ask for.
func ResourceLimits(r drivers.Resources) Limits {
	lim := Limits{CPUShares: r.CPUShares, Cpuset: r.Cpuset, MemoryBytes: r.MemoryLimitMB() << 20}
	if low := r.MemoryMB << 20; low > 0 && low < lim.MemoryBytes {
		lim.MemoryLowBytes = low
	}
	return lim
}

// memory are the limits that are set once the task's own program runs: until then the container holds this much larger binary.
func (l Limits) memory() cgroup.Limits {
	return cgroup.Limits{MemoryBytes: l.MemoryBytes, MemoryLowBytes: l.MemoryLowBytes}
}

// Hostname is the name of the network that the task is in, or the host's.
func Hostname(task *drivers.TaskConfig) string {
	if task.Network != nil && task.Network.Hostname != "" {
		return task.Network.Hostname
	}
	var name unix.Utsname
	_ = unix.Uname(&name)
	return unix.ByteSliceToString(name.Nodename[:])
}

// CheckMode checks the job's pid_mode, ipc_mode and the like: "private" or "host".
func CheckMode(name, mode string) error {
	if mode != "" && mode != "private" && mode != "host" {
		return fmt.Errorf("%s is %q: it must be \"private\" or \"host\"", name, mode)
	}
	return nil
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

// WorkDir checks the directory that a task starts in. Kernel file systems are refused: paths such as /proc/self/fd/7 have led out of containers.
func WorkDir(dir string) (string, error) {
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
