package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nobody is who the intruder becomes to try what root needs not.
const nobody = 65534

// rightAttacks try to become more than the task is.
var rightAttacks = []attack{
	{group: "rights", name: "becoming root by asking", try: func(f *facts) string {
		if unix.Geteuid() == 0 && !f.Control {
			return "" // it is what it may be
		}
		_, _, _ = unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0) // this thread's alone
		_, _, _ = unix.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0)
		if unix.Geteuid() == 0 {
			return "it is root"
		}
		return ""
	}},
	{group: "rights", name: "root's group", try: func(f *facts) string {
		if unix.Geteuid() == 0 && !f.Control {
			return ""
		}
		var none uint32
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&none)), 0); errno == 0 {
			return "it has root's group"
		}
		return ""
	}},
	{group: "rights", name: "a program of root's that changes the user", try: func(f *facts) string { return first(f.Suid, becomes) }},
	{group: "rights", name: "a program that brings capabilities", try: func(f *facts) string { return first(f.Fcap, becomes) }},
	{group: "rights", name: "capabilities by asking", sometimes: true, try: func(f *facts) string {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var have [2]unix.CapUserData
		if unix.Capget(&header, &have[0]) != nil {
			return ""
		}
		for n := range 41 {
			want := have
			want[n/32].Effective |= 1 << (n % 32)
			want[n/32].Permitted |= 1 << (n % 32)
			if want != have && f.Capabilities&(1<<n) == 0 && unix.Capset(&header, &want[0]) == nil {
				return fmt.Sprint("capability ", n)
			}
		}
		return ""
	}},
	{group: "rights", name: "a higher priority", try: func(*facts) string {
		if unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -5) == nil {
			return "nice -5"
		}
		var p struct{ priority int32 }
		p.priority = 1
		const fifo = 1
		_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, fifo, uintptr(unsafe.Pointer(&p)))
		if errno == 0 {
			return "real time"
		}
		return ""
	}},
	{group: "rights", name: "higher limits", sometimes: true, try: func(*facts) string {
		return first([]int{unix.RLIMIT_NOFILE, unix.RLIMIT_NPROC, unix.RLIMIT_MEMLOCK}, func(what int) string {
			var l unix.Rlimit
			if unix.Getrlimit(what, &l) != nil || l.Max == unix.RLIM_INFINITY {
				return ""
			}
			l.Max++
			return did(unix.Prlimit(0, what, &l, nil))
		})
	}},
	{group: "rights", name: "the machine's name and ports", try: func(*facts) string {
		if name, err := unix.BytePtrFromString("x"); err == nil {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(name)), 1<<20, 0); errno == unix.EINVAL {
				return "it could set the host name"
			}
		}
		return ports()
	}},
}

// becomes runs another copy of this program, as nobody, and says when that is more.
func becomes(path string) string {
	cmd := exec.Command(path, "who")
	if unix.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.Output()
	who, mask, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || who != "0" && strings.Trim(mask, "0") == "" {
		return ""
	}
	return fmt.Sprintf("%s is user %s with %s", path, who, mask)
}

// ports asks for the processor's own ports.
func ports() string {
	if runtime.GOARCH != "amd64" {
		return ""
	}
	const ioperm = 173
	_, _, errno := unix.RawSyscall(ioperm, 0x80, 1, 1)
	if errno == 0 {
		return "it has a port of the processor"
	}
	return ""
}
