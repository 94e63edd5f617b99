package main

import (
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memoryAttacks are after what processes of the node share with one another.
var memoryAttacks = []attack{
	{group: "memory", name: "shared memory", try: func(f *facts) string {
		_, err := unix.SysvShmGet(f.Key, 0, 0)
		return did(err)
	}},
	{group: "memory", name: "a queue", try: func(f *facts) string { return call(unix.SYS_MSGGET, uintptr(f.Key), 0) }},
	{group: "memory", name: "a semaphore", try: func(f *facts) string { return call(unix.SYS_SEMGET, uintptr(f.Key), 0, 0) }},
	{group: "memory", name: "a named queue", sometimes: true, try: func(f *facts) string {
		name, err := unix.BytePtrFromString(f.Queue)
		if err != nil {
			return err.Error()
		}
		return call(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_RDONLY)
	}},
	{group: "memory", name: "a file in /dev/shm", try: func(f *facts) string { return reads("/dev/shm/" + f.Shm) }},
	{group: "memory", name: "keys", sometimes: true, try: func(*facts) string {
		for _, ring := range []int{unix.KEY_SPEC_SESSION_KEYRING, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
			if id, err := unix.KeyctlSearch(ring, "user", "serai-intruder", 0); err == nil && id > 0 {
				return "found the key"
			}
		}
		return ""
	}},
	{group: "network", name: "an abstract socket of the node", try: func(f *facts) string {
		c, err := net.Dial("unix", "@"+f.Abstract)
		if err == nil {
			_ = c.Close()
		}
		return did(err)
	}},
	{group: "network", name: "a port of the node's loopback", try: func(f *facts) string {
		c, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: f.Port})
		if err == nil {
			_ = c.Close()
		}
		return did(err)
	}},
	{group: "memory", name: "more memory in files than the node allows", sometimes: true, try: func(f *facts) string {
		var st unix.Statfs_t
		if f.Control || unix.Statfs("/dev/shm", &st) != nil {
			return ""
		}
		if most := uint64(64 << 20); st.Blocks*uint64(st.Bsize) > most {
			return "/dev/shm is larger than 64 MiB"
		}
		if _, err := os.Stat("/dev/hugepages"); err == nil {
			return "/dev/hugepages"
		}
		return ""
	}},
}

// call makes a system call.
func call(number uintptr, args ...uintptr) string {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return ""
	}
	return "it worked"
}
