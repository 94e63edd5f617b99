package render

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answers of a filter, and where it finds the number, the architecture and the
// first argument of a call (linux/seccomp.h).
const (
	allowCall    = 0x7fff0000
	refuseCall   = 0x00050000 | uint32(unix.EPERM)
	unknownCall  = 0x00050000 | uint32(unix.ENOSYS)
	killProcess  = 0x80000000
	offsetNumber = 0
	offsetArch   = 4
	offsetFirst  = 16
)

// architectures are the kernel's names of those that the filter is known for.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// computing are the calls of a program that has nothing but memory, threads and
// pipes that are open already. There is none among them that opens, connects,
// runs or reaches another process.
var computing = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FCNTL,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_MREMAP,
	unix.SYS_FUTEX, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM,
	unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT,
}

// confine leaves this process, with all its threads and for good, what computing
// lists. The runtime must have made its poller before.
func confine() error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("no system call filter is known for %s, and templates are not rendered without one", runtime.GOARCH)
	}
	program := filter(arch, uint32(unix.Getpid()))
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("system call filter: %w", errno)
	}
	return nil
}

// filter makes the program. A signal may be sent to the process itself (the
// runtime preempts its threads by one), and clone may only make threads.
func filter(arch, self uint32) []unix.SockFilter {
	const equal, load = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	p := []unix.SockFilter{
		{Code: load, K: offsetArch},
		{Code: equal, K: arch, Jt: 1}, ret(killProcess),
		{Code: load, K: offsetNumber},
	}
	for _, n := range computing {
		p = append(p, unix.SockFilter{Code: equal, K: n, Jf: 1}, ret(allowCall))
	}
	return append(p,
		// The flags of clone3 lie in memory; libraries fall back to clone.
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE3, Jf: 1}, ret(unknownCall),
		unix.SockFilter{Code: equal, K: unix.SYS_TGKILL, Jf: 3},
		unix.SockFilter{Code: load, K: offsetFirst},
		unix.SockFilter{Code: equal, K: self, Jf: 5}, ret(allowCall),
		unix.SockFilter{Code: equal, K: unix.SYS_CLONE, Jf: 3},
		unix.SockFilter{Code: load, K: offsetFirst},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_THREAD, Jf: 1}, ret(allowCall),
		ret(refuseCall),
	)
}
