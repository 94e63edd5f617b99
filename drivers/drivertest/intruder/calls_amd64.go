package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// int80 makes a system call as programs of 32 bits do.
func int80(number, a, b, c, d, e uint32) int32

// narrowCall calls that number with arguments that let the kernel look. It returns what the kernel did.
func narrowCall(number int) int32 {
	const packed, socket, trace = 102, 359, 26
	switch number {
	case packed:
		// The arguments lie in memory that 32 bits reach.
		p, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT, ^uintptr(0), 0)
		if errno != 0 {
			return -int32(errno)
		}
		args := unsafe.Slice((*uint32)(*(*unsafe.Pointer)(unsafe.Pointer(&p))), 3)
		return anyFamily(func(family uint32) int32 {
			copy(args, []uint32{family, unix.SOCK_STREAM, 0})
			return int80(packed, 1, uint32(p), 0, 0, 0)
		})
	case socket:
		return anyFamily(func(family uint32) int32 { return int80(socket, family, unix.SOCK_STREAM, 0, 0, 0) })
	case trace:
		return int80(trace, seize, 0, 0, 0, 0)
	}
	return int80(uint32(number), 0, 0, 0, 0, 0)
}

// anyFamily tries the families that tasks must not use, of which a kernel may have some.
func anyFamily(try func(uint32) int32) (out int32) {
	for _, family := range []uint32{unix.AF_ALG, unix.AF_VSOCK, unix.AF_XDP, unix.AF_TIPC} {
		if out = try(family); out >= 0 {
			break
		}
	}
	return out
}
