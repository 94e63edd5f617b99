package seccomp

import "golang.org/x/sys/unix"

// Numbers from the kernel's arch/x86/entry/syscalls tables.
var tables = []table{amd64, i386}

// amd64 are the calls of 64-bit programs.
var amd64 = table{
	arch:   unix.AUDIT_ARCH_X86_64,
	limit:  470,
	x32:    true,
	socket: 41, clone: 56, clone3: 435, ioctl: 16, personality: 135,
	denied: map[string]map[string]uint32{
		"":                    {"add_key": 248, "keyctl": 250, "request_key": 249, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 323, "_sysctl": 156, "sysfs": 139, "ustat": 136, "uselib": 134, "vserver": 236, "nfsservctl": 180, "get_kernel_syms": 177, "query_module": 178, "create_module": 174, "lookup_dcookie": 212, "afs_syscall": 183, "tuxcall": 184, "security": 185, "move_pages": 279, "migrate_pages": 256, "lsm_set_self_attr": 460},
		"CAP_SYS_ADMIN":       {"mount": 165, "umount2": 166, "pivot_root": 155, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "move_mount": 429, "open_tree": 428, "open_tree_attr": 467, "mount_setattr": 442, "setns": 308, "unshare": 272, "quotactl": 179, "quotactl_fd": 443, "fanotify_init": 300, "swapon": 167, "swapoff": 168},
		"CAP_BPF":             {"bpf": 321},
		"CAP_PERFMON":         {"perf_event_open": 298},
		"CAP_SYS_PTRACE":      {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "process_madvise": 440, "kcmp": 312, "pidfd_getfd": 438},
		"CAP_SYS_MODULE":      {"init_module": 175, "finit_module": 313, "delete_module": 176},
		"CAP_SYS_BOOT":        {"reboot": 169, "kexec_load": 246, "kexec_file_load": 320},
		"CAP_SYS_TIME":        {"settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305},
		"CAP_SYS_PACCT":       {"acct": 163},
		"CAP_SYSLOG":          {"syslog": 103},
		"CAP_SYS_RAWIO":       {"ioperm": 173, "iopl": 172},
		"CAP_SYS_TTY_CONFIG":  {"vhangup": 153},
		"CAP_DAC_READ_SEARCH": {"open_by_handle_at": 304},
	},
}

// i386 are the calls of 32-bit programs on a 64-bit kernel. Their old socketcall hides the family of a socket.
var i386 = table{
	arch:   unix.AUDIT_ARCH_I386,
	limit:  470,
	socket: 359, clone: 120, clone3: 435, ioctl: 54, personality: 136,
	packed: []uint32{102 /* socketcall */},
	denied: map[string]map[string]uint32{
		"":                    {"add_key": 286, "keyctl": 288, "request_key": 287, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "userfaultfd": 374, "_sysctl": 149, "sysfs": 135, "ustat": 62, "uselib": 86, "vserver": 273, "nfsservctl": 169, "get_kernel_syms": 130, "query_module": 167, "create_module": 127, "lookup_dcookie": 253, "vm86": 166, "vm86old": 113, "afs_syscall": 137, "move_pages": 317, "migrate_pages": 294, "lsm_set_self_attr": 460},
		"CAP_SYS_ADMIN":       {"mount": 21, "umount": 22, "umount2": 52, "pivot_root": 217, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "move_mount": 429, "open_tree": 428, "open_tree_attr": 467, "mount_setattr": 442, "setns": 346, "unshare": 310, "quotactl": 131, "quotactl_fd": 443, "fanotify_init": 338, "swapon": 87, "swapoff": 115},
		"CAP_BPF":             {"bpf": 357},
		"CAP_PERFMON":         {"perf_event_open": 336},
		"CAP_SYS_PTRACE":      {"ptrace": 26, "process_vm_readv": 347, "process_vm_writev": 348, "process_madvise": 440, "kcmp": 349, "pidfd_getfd": 438},
		"CAP_SYS_MODULE":      {"init_module": 128, "finit_module": 350, "delete_module": 129},
		"CAP_SYS_BOOT":        {"reboot": 88, "kexec_load": 283},
		"CAP_SYS_TIME":        {"settimeofday": 79, "clock_settime": 264, "clock_settime64": 404, "stime": 25, "clock_adjtime": 343, "clock_adjtime64": 405},
		"CAP_SYS_PACCT":       {"acct": 51},
		"CAP_SYSLOG":          {"syslog": 103},
		"CAP_SYS_RAWIO":       {"ioperm": 101, "iopl": 110},
		"CAP_SYS_TTY_CONFIG":  {"vhangup": 111},
		"CAP_DAC_READ_SEARCH": {"open_by_handle_at": 342},
	},
}
