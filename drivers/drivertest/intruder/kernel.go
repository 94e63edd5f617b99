package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelAttacks are files by which the kernel tells or takes what is not the task's.
func kernelAttacks() []attack {
	var out []attack
	for _, p := range []string{"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/interrupts",
		"/proc/acpi", "/proc/asound", "/proc/scsi", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/pagetypeinfo", "/proc/slabinfo", "/proc/vmallocinfo",
		"/sys/firmware", "/sys/devices/virtual/powercap", "/sys/kernel/debug",
		"/sys/kernel/tracing", "/sys/fs/bpf", "/sys/kernel/security", "/sys/fs/pstore"} {
		out = append(out, attack{group: "kernel", name: "reading " + p, sometimes: true, try: func(*facts) string { return contents(p) }})
	}
	for _, p := range []string{"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register",
		"/proc/sys/kernel/hotplug", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/sys/power/state"} {
		out = append(out, attack{group: "kernel", name: "writing " + p, sometimes: true, try: func(*facts) string { return opens(unix.O_WRONLY)(p) }})
	}
	return append(out,
		attack{group: "kernel", name: "any setting that can be written", try: func(*facts) string { return writable("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/sys") }},
		attack{group: "kernel", name: "addresses of the kernel", sometimes: true, try: func(*facts) string {
			b, _ := os.ReadFile("/proc/kallsyms")
			if line, _, _ := strings.Cut(string(b), "\n"); line != "" && !strings.HasPrefix(line, "0000000000000000") {
				return line
			}
			return ""
		}},
		attack{group: "kernel", name: "being killed last", sometimes: true, try: func(*facts) string { return did(os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)) }},
		attack{group: "kernel", name: "files of control groups", try: func(f *facts) string {
			names := []string{"release_agent", "notify_on_release", "cgroup.procs", "tasks", "devices.allow", "memory.limit_in_bytes", "memory.max", "pids.max", "cgroup.subtree_control"}
			return first(names, func(name string) string {
				for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/", "/sys/fs/cgroup/*/*/"} {
					all, _ := filepath.Glob(pattern + name)
					if got := first(all, opens(unix.O_WRONLY)); got != "" {
						return got
					}
				}
				return ""
			})
		}})
}

// contents says what can be read of a file or directory.
func contents(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if names, err := f.Readdirnames(1); err == nil && len(names) > 0 {
		return "listed " + names[0]
	}
	var b [16]byte
	if n, _ := unix.Pread(fd, b[:], 0); n > 0 {
		return fmt.Sprintf("read %d bytes", n)
	}
	if n, _ := unix.Read(fd, b[:]); n > 0 {
		return fmt.Sprintf("read %d bytes", n)
	}
	return ""
}

// writable is the first file beneath the directories that opens for writing. Nothing is written.
func writable(dirs ...string) string {
	got := ""
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				got = opens(unix.O_WRONLY)(p)
			}
			if got != "" {
				return fs.SkipAll
			}
			return nil
		})
		if got != "" {
			break
		}
	}
	return got
}
