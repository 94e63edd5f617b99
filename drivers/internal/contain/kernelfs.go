package contain

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/opencontainers/runc/libcontainer/configs"
)

// Paths below /proc and /sys that tell or change what is not the task's. Those of the node's memory can be read by its root alone, which a task's is
// without a user namespace.
var (
	maskedPaths = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/kpagecgroup", "/proc/kpagecount",
		"/proc/kpageflags", "/proc/latency_stats", "/proc/pagetypeinfo", "/proc/sched_debug", "/proc/scsi", "/proc/slabinfo", "/proc/timer_list",
		"/proc/timer_stats", "/proc/vmallocinfo", "/sys/firmware", "/sys/devices/virtual/powercap", cgroupPath}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// cgroupPath is where programs look for their control group.
const cgroupPath = "/sys/fs/cgroup"

// defaultShm is the size of /dev/shm.
const defaultShm = 64 << 20

// guard sets the paths of the kernel's file systems that are hidden or cannot be written.
func (s *Spec) guard(cfg *configs.Config) {
	if s.Privileged {
		return
	}
	cfg.MaskPaths, cfg.ReadonlyPaths = maskedPaths, readonlyPaths
	if s.Cgroup {
		cfg.MaskPaths = slices.DeleteFunc(slices.Clone(maskedPaths), func(p string) bool { return p == cgroupPath })
		// Of several hierarchies, the directory that they are mounted in can be written otherwise.
		cfg.ReadonlyPaths = append(slices.Clone(readonlyPaths), cgroupPath)
	}
}

// kernelMounts are the file systems that the kernel makes: processes, devices, settings.
func (s *Spec) kernelMounts() []*configs.Mount {
	const quiet = unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_NODEV
	settings := unix.MS_RDONLY
	if s.Privileged {
		settings = 0
	}
	shm := s.ShmBytes
	if shm <= 0 {
		shm = defaultShm
	}
	out := []*configs.Mount{
		{Source: "proc", Destination: "/proc", Device: "proc", Flags: quiet},
		{Source: "tmpfs", Destination: "/dev", Device: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME, Data: "mode=755,size=65536k"},
		{Source: "devpts", Destination: "/dev/pts", Device: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC, Data: "newinstance,ptmxmode=0666,mode=0620"},
		{Source: "shm", Destination: "/dev/shm", Device: "tmpfs", Flags: quiet, Data: fmt.Sprintf("mode=1777,size=%d", shm)},
		{Source: "mqueue", Destination: "/dev/mqueue", Device: "mqueue", Flags: quiet},
		{Source: "sysfs", Destination: "/sys", Device: "sysfs", Flags: quiet | settings},
	}
	if s.Namespaces.OwnUsers {
		// The kernel shows its settings anew only to whom the network namespace belongs.
		out[5] = &configs.Mount{Source: "/sys", Destination: "/sys", Device: "bind", Flags: unix.MS_BIND | unix.MS_REC | quiet}
		readonly(out[5])
		if s.Namespaces.HostIPC {
			out = slices.Delete(out, 4, 5) // the same holds for message queues
		}
	}
	if s.Cgroup {
		out = append(out, &configs.Mount{Source: "cgroup", Destination: cgroupPath, Device: "cgroup", Flags: quiet | settings})
	}
	return out
}
