package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processAttacks are after other processes, one of which stands for all: the victim.
var processAttacks = []attack{
	{group: "processes", name: "seeing the victim", try: func(f *facts) string {
		return first(processes(), func(p string) string {
			if b, _ := os.ReadFile(p + "/cmdline"); bytes.Contains(b, []byte(f.Marker)) {
				return p
			}
			return ""
		})
	}},
	{group: "processes", name: "reading an environment", try: func(*facts) string {
		return first(processes(), func(p string) string { return reads(p + "/environ") })
	}},
	{group: "processes", name: "the victim's files in /proc", try: func(f *facts) string {
		dir := "/proc/" + strconv.Itoa(f.Victim)
		return first([]string{"mem", "environ", "maps", "auxv", "syscall", "stack"}, func(name string) string { return opens(unix.O_RDONLY)(filepath.Join(dir, name)) })
	}},
	{group: "processes", name: "a signal", try: func(f *facts) string { return did(unix.Kill(f.Victim, 0)) }},
	{group: "processes", name: "a signal by descriptor", try: func(f *facts) string {
		fd, err := unix.PidfdOpen(f.Victim, 0)
		if err != nil {
			return ""
		}
		return did(unix.PidfdSendSignal(fd, 0, nil, 0))
	}},
	{group: "processes", name: "files by descriptor", try: func(f *facts) string {
		fd, err := unix.PidfdOpen(f.Victim, 0)
		if err != nil {
			return ""
		}
		_, err = unix.PidfdGetfd(fd, 0, 0)
		return did(err)
	}},
	{group: "processes", name: "tracing", try: func(f *facts) string {
		return first([]int{f.Victim, 1}, func(pid int) string {
			_, _, errno := unix.Syscall6(unix.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0)
			if errno != 0 {
				return ""
			}
			return "traced " + strconv.Itoa(pid) // until this thread ends
		})
	}},
	{group: "processes", name: "reading memory", try: func(f *facts) string {
		return first([]int{f.Victim, 1}, func(pid int) string {
			var b [8]byte
			local := unix.Iovec{Base: &b[0], Len: 8}
			remote := unix.RemoteIovec{Base: 0x1000, Len: 8}
			_, _, errno := unix.Syscall6(unix.SYS_PROCESS_VM_READV, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
			if errno == unix.EPERM || errno == unix.ESRCH || errno == unix.ENOSYS {
				return ""
			}
			return "the kernel read of " + strconv.Itoa(pid) + ": " + errno.Error()
		})
	}},
	{group: "same user", name: "limits of the victim", try: func(f *facts) string {
		var old unix.Rlimit
		return did(unix.Prlimit(f.Victim, unix.RLIMIT_NOFILE, nil, &old))
	}},
	{group: "same user", name: "priority and processors of the victim", try: func(f *facts) string {
		var set unix.CPUSet
		set.Set(0)
		if unix.Setpriority(unix.PRIO_PROCESS, f.Victim, 0) == nil {
			return "set its priority"
		}
		return did(unix.SchedSetaffinity(f.Victim, &set))
	}},
}
