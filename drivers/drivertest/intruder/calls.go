package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// forbidden are system calls that no task has business with; with arguments of zero they do nothing where they are let through.
var forbidden = map[string]uintptr{
	"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
	"bpf": unix.SYS_BPF, "keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY, "perf_event_open": unix.SYS_PERF_EVENT_OPEN,
	"userfaultfd": unix.SYS_USERFAULTFD, "mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2, "pivot_root": unix.SYS_PIVOT_ROOT, "fsopen": unix.SYS_FSOPEN,
	"fsmount": unix.SYS_FSMOUNT, "fsconfig": unix.SYS_FSCONFIG, "fspick": unix.SYS_FSPICK, "move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE,
	"mount_setattr": unix.SYS_MOUNT_SETATTR, "setns": unix.SYS_SETNS, "unshare": unix.SYS_UNSHARE, "ptrace": unix.SYS_PTRACE,
	"process_vm_readv": unix.SYS_PROCESS_VM_READV, "process_vm_writev": unix.SYS_PROCESS_VM_WRITEV, "process_madvise": unix.SYS_PROCESS_MADVISE,
	"pidfd_getfd": unix.SYS_PIDFD_GETFD, "kcmp": unix.SYS_KCMP, "init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE,
	"delete_module": unix.SYS_DELETE_MODULE, "kexec_load": unix.SYS_KEXEC_LOAD, "reboot": unix.SYS_REBOOT, "swapon": unix.SYS_SWAPON, "swapoff": unix.SYS_SWAPOFF,
	"acct": unix.SYS_ACCT, "settimeofday": unix.SYS_SETTIMEOFDAY, "clock_settime": unix.SYS_CLOCK_SETTIME, "clock_adjtime": unix.SYS_CLOCK_ADJTIME,
	"quotactl": unix.SYS_QUOTACTL, "syslog": unix.SYS_SYSLOG, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "fanotify_init": unix.SYS_FANOTIFY_INIT,
	"move_pages": unix.SYS_MOVE_PAGES, "lookup_dcookie": unix.SYS_LOOKUP_DCOOKIE,
}

// firstArgument is where zero would do something.
var firstArgument = map[string]uintptr{"ptrace": seize}

// seize is PTRACE_SEIZE, which traces a process without stopping it.
const seize = 0x4206

func callAttacks() []attack {
	var out []attack
	for _, name := range slices.Sorted(maps.Keys(forbidden)) {
		out = append(out, attack{group: "calls", name: name, sometimes: true, try: func(*facts) string {
			_, _, errno := unix.RawSyscall6(forbidden[name], firstArgument[name], 0, 0, 0, 0, 0)
			return reached(errno)
		}})
	}
	for name, flag := range map[string]uintptr{"user": unix.CLONE_NEWUSER, "network": unix.CLONE_NEWNET, "mount": unix.CLONE_NEWNS, "process": unix.CLONE_NEWPID,
		"host name": unix.CLONE_NEWUTS, "IPC": unix.CLONE_NEWIPC, "control group": unix.CLONE_NEWCGROUP} {
		out = append(out, attack{group: "calls", name: "a " + name + " namespace", try: func(*facts) string { return born(flag) }})
	}
	out = append(out, attack{group: "calls", name: "clone3", sometimes: true, try: func(*facts) string {
		_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
		return reached(errno)
	}}, attack{group: "calls", name: "memory at fixed addresses", try: func(f *facts) string {
		_, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, 0x40000, 0, 0)
		return reached(errno)
	}}, attack{group: "calls", name: "namespaces of others", try: func(f *facts) string {
		return first([]string{"/proc/1/ns/mnt", "/proc/1/ns/net", fmt.Sprintf("/proc/%d/ns/net", f.Victim)}, func(p string) string {
			fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return ""
			}
			defer unix.Close(fd)
			if unix.Setns(fd, unix.CLONE_NEWNET) == nil {
				return "entered " + p
			}
			return ""
		})
	}})
	for name, number := range map[string]int{"socket": 359, "socketcall": 102, "bpf": 357, "keyctl": 288, "ptrace": 26, "mount": 21, "perf_event_open": 336,
		"userfaultfd": 374, "io_uring_setup": 425, "unshare": 310, "open_by_handle_at": 342} {
		out = append(out, attack{group: "calls", name: "32 bits: " + name, sometimes: true, try: func(*facts) string { return narrow(number) }})
	}
	slices.SortFunc(out, func(a, b attack) int { return strings.Compare(a.name, b.name) })
	return out
}

// reached says whether the kernel came to look at the arguments: neither a filter nor a missing right kept the call away.
func reached(errno unix.Errno) string {
	if errno == unix.EPERM || errno == unix.ENOSYS || errno == unix.EACCES {
		return ""
	}
	return "the kernel said: " + errno.Error()
}

// born makes a child with a namespace of its own, that ends at once.
func born(flag uintptr) string {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		for {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	if errno != 0 {
		return ""
	}
	_, _ = unix.Wait4(int(pid), nil, 0, nil)
	return "a child has it"
}

// narrow makes a system call of 32 bits in a child, which may not survive it.
func narrow(number int) string {
	out, err := exec.Command("/proc/self/exe", "narrow", strconv.Itoa(number)).Output()
	n, isNumber := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || isNumber != nil {
		return ""
	}
	if n >= 0 {
		return fmt.Sprint("it returned ", n)
	}
	if errno := unix.Errno(-n); errno != unix.EAFNOSUPPORT {
		return reached(errno)
	}
	return ""
}

// role is what a child does; false means that it is none.
func role(name string, args []string) bool {
	switch name {
	case "narrow":
		number, _ := strconv.Atoi(args[0])
		fmt.Println(narrowCall(number))
	case "who":
		mask := "?"
		if b, err := os.ReadFile("/proc/self/status"); err == nil {
			_, rest, _ := strings.Cut(string(b), "CapEff:\t")
			mask, _, _ = strings.Cut(rest, "\n")
		}
		fmt.Println(unix.Geteuid(), mask)
	case "above": // a root inside the root is no wall: go up from the directory that is not beneath it
		_ = unix.Chroot(args[0])
		for range 40 {
			_ = unix.Chdir("..")
		}
		_ = unix.Chroot(".")
		fmt.Print(reads(args[1]))
	case "rest": // a process to be looked for
		time.Sleep(time.Hour)
	default:
		return false
	}
	return true
}
