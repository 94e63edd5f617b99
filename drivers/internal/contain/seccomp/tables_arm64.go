package seccomp

import "golang.org/x/sys/unix"

// Numbers from the kernel's asm-generic/unistd.h. Calls of 32-bit programs are refused as a whole.
var tables = []table{arm64}

// arm64 are the calls of 64-bit programs.
var arm64 = table{
	arch:   unix.AUDIT_ARCH_AARCH64,
	limit:  470,
	socket: 198, clone: 220, clone3: 435, ioctl: 29, personality: 92,
	denied: map[string]map[string]uint32{
		"":                    {"add_key": 217, "keyctl": 219, "request_key": 218, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 282, "nfsservctl": 42, "lookup_dcookie": 18, "move_pages": 239, "migrate_pages": 238, "lsm_set_self_attr": 460},
		"CAP_SYS_ADMIN":       {"mount": 40, "umount2": 39, "pivot_root": 41, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "move_mount": 429, "open_tree": 428, "open_tree_attr": 467, "mount_setattr": 442, "setns": 268, "unshare": 97, "quotactl": 60, "quotactl_fd": 443, "fanotify_init": 262, "swapon": 224, "swapoff": 225},
		"CAP_BPF":             {"bpf": 280},
		"CAP_PERFMON":         {"perf_event_open": 241},
		"CAP_SYS_PTRACE":      {"ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "process_madvise": 440, "kcmp": 272, "pidfd_getfd": 438},
		"CAP_SYS_MODULE":      {"init_module": 105, "finit_module": 273, "delete_module": 106},
		"CAP_SYS_BOOT":        {"reboot": 142, "kexec_load": 104, "kexec_file_load": 294},
		"CAP_SYS_TIME":        {"settimeofday": 170, "clock_settime": 112, "clock_settime64": 404, "clock_adjtime": 266, "clock_adjtime64": 405},
		"CAP_SYS_PACCT":       {"acct": 89},
		"CAP_SYSLOG":          {"syslog": 116},
		"CAP_SYS_TTY_CONFIG":  {"vhangup": 58},
		"CAP_DAC_READ_SEARCH": {"open_by_handle_at": 265},
	},
}
