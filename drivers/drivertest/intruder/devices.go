package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceAttacks make and open devices that are not a task's.
func deviceAttacks() []attack {
	out := []attack{
		{group: "devices", name: "the node's disk", sometimes: true, try: func(f *facts) string { return device(f, unix.S_IFBLK, f.Major, f.Minor) }},
		{group: "devices", name: "devices that are there", try: func(f *facts) string {
			usual := []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "stdin", "stdout", "stderr", "core", "fd"}
			entries, _ := os.ReadDir("/dev")
			return first(entries, func(e os.DirEntry) string {
				if e.IsDir() || slices.Contains(usual, e.Name()) {
					return ""
				}
				if isOwnOutput("/dev/" + e.Name()) {
					return ""
				}
				return opens(unix.O_RDONLY)("/dev/" + e.Name())
			})
		}},
		{group: "devices", name: "terminals of others", sometimes: true, try: func(*facts) string {
			all, _ := filepath.Glob("/dev/pts/[0-9]*")
			return first(append(all, "/dev/console", "/dev/tty0", "/dev/tty1"), func(p string) string {
				own, _ := os.Readlink("/proc/self/fd/0")
				if p == own || own == "/dev/console" {
					return "" // a command with a terminal
				}
				return opens(unix.O_RDWR)(p)
			})
		}},
		{group: "devices", name: "typing into its own terminal", sometimes: true, try: func(*facts) string {
			fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				return ""
			}
			defer unix.Close(fd)
			c := byte('x')
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
			if errno == unix.EPERM {
				return ""
			}
			return errno.Error()
		}},
	}
	for name, d := range map[string][3]uint32{
		"mem": {unix.S_IFCHR, 1, 1}, "port": {unix.S_IFCHR, 1, 4}, "kmsg": {unix.S_IFCHR, 1, 11}, "console": {unix.S_IFCHR, 5, 1}, "tty0": {unix.S_IFCHR, 4, 0},
		"loop-control": {unix.S_IFCHR, 10, 237}, "fuse": {unix.S_IFCHR, 10, 229}, "tun": {unix.S_IFCHR, 10, 200}, "kvm": {unix.S_IFCHR, 10, 232},
		"device mapper": {unix.S_IFCHR, 10, 236}, "autofs": {unix.S_IFCHR, 10, 235}, "userfaultfd": {unix.S_IFCHR, 10, 126}, "registers of the processor": {unix.S_IFCHR, 202, 0},
		"sda": {unix.S_IFBLK, 8, 0}, "vda": {unix.S_IFBLK, 253, 0}, "vda, another number": {unix.S_IFBLK, 254, 0}, "nvme": {unix.S_IFBLK, 259, 0}, "loop0": {unix.S_IFBLK, 7, 0},
	} {
		out = append(out, attack{group: "devices", name: name, sometimes: true, try: func(f *facts) string { return device(f, d[0], d[1], d[2]) }})
	}
	slices.SortFunc(out, func(a, b attack) int { return strings.Compare(a.name, b.name) })
	return out
}

// device makes a device file and opens it, in places that may lie on different file systems.
func device(f *facts, kind, major, minor uint32) string {
	return first([]string{f.Dir, "/tmp", "/dev", "/dev/shm", "/"}, func(dir string) string {
		p := filepath.Join(dir, fmt.Sprintf("intruder-%d", os.Getpid()))
		if unix.Mknod(p, kind|0o600, int(unix.Mkdev(major, minor))) != nil {
			return ""
		}
		defer func() { _ = unix.Unlink(p) }()
		if fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0); err == nil {
			_ = unix.Close(fd)
			return "opened it as " + p
		}
		return ""
	})
}

// isOwnOutput says whether a path is a pipe of the task's own output, which is
// there where tasks can be restored from checkpoints.
func isOwnOutput(path string) bool {
	if path != "/dev/.serai-stdout" && path != "/dev/.serai-stderr" {
		return false
	}
	info, err := os.Lstat(path) // what is mounted, which the folder does not tell
	return err == nil && info.Mode().Type() == os.ModeNamedPipe
}
