package main

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mountAttacks change what is mounted.
var mountAttacks = []attack{
	{group: "mounts", name: "new file systems", try: func(f *facts) string {
		return first([][3]string{{"tmpfs", "tmpfs", ""}, {"proc", "proc", ""}, {"sysfs", "sysfs", ""}, {"cgroup", "cgroup", "memory"}, {"cgroup", "cgroup", "none,name=serai-intruder"},
			{"cgroup2", "cgroup2", ""}, {"mqueue", "mqueue", ""}, {"debugfs", "debugfs", ""}, {"bpf", "bpf", ""}, {"ramfs", "ramfs", ""},
			{"overlay", "overlay", "lowerdir=/:/tmp"}}, func(m [3]string) string { return mounts(f, m[0], m[1], m[2], 0) })
	}},
	{group: "mounts", name: "the node's disk", sometimes: true, try: func(f *facts) string {
		return first([]string{"ext4", "xfs", "btrfs"}, func(kind string) string { return mounts(f, "/dev/root", kind, "", unix.MS_RDONLY) })
	}},
	{group: "mounts", name: "a directory at another place", try: func(f *facts) string {
		return first([]string{"/", "/proc", "/proc/1/root", "/proc/self/ns"}, func(from string) string { return mounts(f, from, "", "", unix.MS_BIND|unix.MS_REC) })
	}},
	{group: "mounts", name: "read-only made writable", try: func(f *facts) string {
		table, _ := os.ReadFile("/proc/self/mountinfo")
		if f.Control {
			return mounts(f, "tmpfs", "tmpfs", "", unix.MS_RDONLY)
		}
		return first(strings.Split(string(table), "\n"), func(line string) string {
			if w := strings.Fields(line); len(w) > 5 {
				return first([]uintptr{unix.MS_REMOUNT | unix.MS_BIND, unix.MS_REMOUNT, unix.MS_SHARED, unix.MS_PRIVATE | unix.MS_REC}, func(flags uintptr) string {
					return did(unix.Mount("", w[4], "", flags, ""))
				})
			}
			return ""
		})
	}},
	{group: "mounts", name: "mounts taken away", try: func(f *facts) string {
		table, _ := os.ReadFile("/proc/self/mountinfo")
		if f.Control {
			return mounts(f, "tmpfs", "tmpfs", "", 0)
		}
		return first(strings.Split(string(table), "\n"), func(line string) string {
			if w := strings.Fields(line); len(w) > 5 {
				return did(unix.Unmount(w[4], unix.MNT_DETACH))
			}
			return ""
		})
	}},
	{group: "mounts", name: "by file descriptor", try: func(*facts) string {
		if fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC); err == nil {
			_ = unix.Close(fd)
			return "fsopen"
		}
		if fd, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE); err == nil {
			_ = unix.Close(fd)
			return "open_tree"
		}
		return did(unix.MountSetattr(unix.AT_FDCWD, "/proc", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}))
	}},
}

// mounts mounts something and takes it away again.
func mounts(f *facts, source, kind, options string, flags uintptr) string {
	at := filepath.Join(f.Dir, "at")
	_ = os.MkdirAll(at, 0o755)
	if unix.Mount(source, at, kind, flags, options) != nil {
		return ""
	}
	_ = unix.Unmount(at, unix.MNT_DETACH)
	return strings.TrimSpace("mounted " + kind + " " + source + " " + options)
}
