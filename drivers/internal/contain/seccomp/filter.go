package seccomp

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Layout of struct seccomp_data (linux/seccomp.h): number, architecture, instruction pointer, six arguments of eight bytes.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// What the kernel does with a call.
const (
	allow        = 0x7fff0000 // SECCOMP_RET_ALLOW
	refuse       = 0x00050000 | uint32(unix.EPERM)
	noFamily     = 0x00050000 | uint32(unix.EAFNOSUPPORT)
	unknownCall  = 0x00050000 | uint32(unix.ENOSYS)
	foreignCalls = 0x00050000 | uint32(unix.EPERM)
)

// newNamespaces are the flags of clone that make namespaces.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// families are the socket families that tasks may use; of the others, AF_ALG and AF_VSOCK among them, many have been ways out of containers.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET}

// personalities are the execution domains that tasks may switch to: Linux, Linux 32 bit, with or without old uname, and "tell me".
var personalities = []uint32{0x0, 0x0008, 0x20000, 0x20008, 0xffffffff}

// terminalTricks are ioctls that push input into a terminal as if it had been typed.
var terminalTricks = []uint32{unix.TIOCSTI, unix.TIOCLINUX}

// table is one architecture's numbers.
type table struct {
	arch uint32
	// limit is the highest number known; what is above it does not exist for tasks.
	limit uint32
	// x32 is whether numbers from 0x40000000 mean the x32 interface, which tasks do not get.
	x32 bool
	// denied are numbers by the name of the call, and by the capability that frees it ("" for none).
	denied map[string]map[string]uint32
	// Numbers of calls that are looked into; 0 where there is none.
	socket, clone, clone3, ioctl, personality uint32
	// all is refused: calls that pack others, whose arguments a filter cannot see.
	packed []uint32
}

// Program is a filter as the kernel reads it.
type Program []unix.SockFilter

// Build makes the filter for a task with the given capabilities, named as in "CAP_SYS_ADMIN": calls that a capability is there for are let
// through when the task has it.
func Build(capabilities []string) (Program, error) {
	if len(tables) == 0 {
		return nil, fmt.Errorf("no system call filter is known for %s", runtime.GOARCH)
	}
	var b builder
	b.load(offsetArch)
	for _, t := range tables {
		section := t.section(capabilities)
		// A section that is not this architecture's is jumped over.
		b.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, t.arch, 1, 0)
		b.add(unix.BPF_JMP|unix.BPF_JA, uint32(len(section)), 0, 0)
		b = append(b, section...)
	}
	b.ret(foreignCalls)
	if len(b) > 4096 {
		return nil, fmt.Errorf("system call filter of %d instructions is too long", len(b))
	}
	return Program(b), nil
}

type builder []unix.SockFilter

func (b *builder) add(code uint16, k uint32, jt, jf uint8) {
	*b = append(*b, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
}

func (b *builder) load(offset uint32) { b.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset, 0, 0) }
func (b *builder) ret(what uint32)    { b.add(unix.BPF_RET|unix.BPF_K, what, 0, 0) }

// answer returns what for exactly that number.
func (b *builder) answer(number, what uint32) {
	b.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, number, 0, 1)
	b.ret(what)
}

// inspect runs a piece of program for exactly that number. The piece must return in every case.
func (b *builder) inspect(number uint32, piece builder) {
	if number == 0 {
		return
	}
	b.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, number, 1, 0)
	b.add(unix.BPF_JMP|unix.BPF_JA, uint32(len(piece)), 0, 0)
	*b = append(*b, piece...)
}

func (t table) section(capabilities []string) builder {
	var b builder
	b.load(offsetNumber)
	if t.x32 {
		b.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0x40000000, 0, 1)
		b.ret(unknownCall)
	}
	b.add(unix.BPF_JMP|unix.BPF_JGT|unix.BPF_K, t.limit, 0, 1)
	b.ret(unknownCall)
	for _, number := range t.refused(capabilities) {
		b.answer(number, refuse)
	}
	for _, number := range t.packed {
		b.answer(number, refuse)
	}
	b.inspect(t.socket, oneOf(0, families, allow, noFamily))
	b.inspect(t.personality, oneOf(0, personalities, allow, refuse))
	b.inspect(t.ioctl, oneOf(1, terminalTricks, refuse, allow))
	if !slices.Contains(capabilities, "CAP_SYS_ADMIN") {
		// The flags of clone3 lie in memory, where a filter cannot look; programs fall back to clone.
		if t.clone3 != 0 {
			b.answer(t.clone3, unknownCall)
		}
		b.inspect(t.clone, noFlags(0, newNamespaces))
	}
	b.ret(allow)
	return b
}

// refused are the numbers that are refused to a task with these capabilities, in order.
func (t table) refused(capabilities []string) []uint32 {
	var out []uint32
	for capability, calls := range t.denied {
		if slices.Contains(capabilities, capability) {
			continue
		}
		for _, number := range calls {
			out = append(out, number)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// oneOf answers yes when the low half of argument n is in the list, otherwise no.
func oneOf(n int, list []uint32, yes, no uint32) builder {
	var b builder
	b.load(argument(n))
	for _, v := range list {
		b.answer(v, yes)
	}
	b.ret(no)
	return b
}

// noFlags refuses when argument n has any of the flags.
func noFlags(n int, flags uint32) builder {
	var b builder
	b.load(argument(n))
	b.add(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, flags, 0, 1)
	b.ret(refuse)
	b.ret(allow)
	return b
}

// argument is the offset of the low half of argument n, on machines of the low end first.
func argument(n int) uint32 { return offsetArgs + 8*uint32(n) }

// Bytes writes the program for another process to read with Parse.
func (p Program) Bytes() []byte {
	out := make([]byte, 0, 8*len(p))
	for _, f := range p {
		out = binary.LittleEndian.AppendUint16(out, f.Code)
		out = append(out, f.Jt, f.Jf)
		out = binary.LittleEndian.AppendUint32(out, f.K)
	}
	return out
}

// Parse reads what Bytes wrote.
func Parse(text []byte) (Program, error) {
	if len(text) == 0 || len(text)%8 != 0 || len(text) > 8*4096 {
		return nil, fmt.Errorf("system call filter of %d bytes", len(text))
	}
	out := make(Program, 0, len(text)/8)
	for ; len(text) > 0; text = text[8:] {
		out = append(out, unix.SockFilter{Code: binary.LittleEndian.Uint16(text), Jt: text[2], Jf: text[3], K: binary.LittleEndian.Uint32(text[4:])})
	}
	return out, nil
}

// Install puts the filter on all threads of this process, for good, together with no_new_privs.
func (p Program) Install() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	if errno != 0 {
		return fmt.Errorf("install system call filter: %w", errno)
	}
	if r != 0 {
		return fmt.Errorf("install system call filter: thread %d could not take it", r)
	}
	return nil
}
