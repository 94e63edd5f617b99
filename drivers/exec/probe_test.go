package exec_test

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// probe runs inside a task, tries what the filter must refuse, and prints what the kernel said.
func probe() {
	try := func(name string, nr uintptr, args ...uintptr) {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		fmt.Printf("%s=%v\n", name, errno)
	}
	for _, family := range []uintptr{unix.AF_ALG, unix.AF_VSOCK, unix.AF_XDP, unix.AF_RDS, unix.AF_TIPC, unix.AF_CAN, unix.AF_KEY} {
		try(fmt.Sprintf("socket %d", family), unix.SYS_SOCKET, family, unix.SOCK_SEQPACKET, 0)
	}
	null := uintptr(0)
	for name, nr := range map[string]uintptr{
		"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
		"bpf": unix.SYS_BPF, "keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY,
		"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "userfaultfd": unix.SYS_USERFAULTFD, "mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2,
		"pivot_root": unix.SYS_PIVOT_ROOT, "fsopen": unix.SYS_FSOPEN, "fsmount": unix.SYS_FSMOUNT, "fsconfig": unix.SYS_FSCONFIG, "fspick": unix.SYS_FSPICK,
		"move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE, "mount_setattr": unix.SYS_MOUNT_SETATTR, "setns": unix.SYS_SETNS,
		"unshare": unix.SYS_UNSHARE, "ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV, "process_vm_writev": unix.SYS_PROCESS_VM_WRITEV,
		"process_madvise": unix.SYS_PROCESS_MADVISE, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "kcmp": unix.SYS_KCMP, "init_module": unix.SYS_INIT_MODULE,
		"finit_module": unix.SYS_FINIT_MODULE, "delete_module": unix.SYS_DELETE_MODULE, "kexec_load": unix.SYS_KEXEC_LOAD, "reboot": unix.SYS_REBOOT,
		"swapon": unix.SYS_SWAPON, "swapoff": unix.SYS_SWAPOFF, "acct": unix.SYS_ACCT, "settimeofday": unix.SYS_SETTIMEOFDAY,
		"clock_settime": unix.SYS_CLOCK_SETTIME, "clock_adjtime": unix.SYS_CLOCK_ADJTIME, "quotactl": unix.SYS_QUOTACTL, "syslog": unix.SYS_SYSLOG,
		"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "fanotify_init": unix.SYS_FANOTIFY_INIT, "vhangup": unix.SYS_VHANGUP, "move_pages": unix.SYS_MOVE_PAGES,
	} {
		try(name, nr, null)
	}
	for name, flag := range map[string]uintptr{"user": unix.CLONE_NEWUSER, "net": unix.CLONE_NEWNET, "mount": unix.CLONE_NEWNS} {
		try("clone "+name, unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD))
	}
	try("clone3", unix.SYS_CLONE3)
	try("from the future", 9999)
	try("personality", unix.SYS_PERSONALITY, 0x40000)
	try("ok:personality", unix.SYS_PERSONALITY, 0)
	var c byte = 'x'
	try("TIOCSTI", unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
	try("ok:getpid", unix.SYS_SCHED_YIELD)
	probeArch(try)
}
