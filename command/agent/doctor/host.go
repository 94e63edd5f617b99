package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Host is the machine as the checks see it.
type Host struct {
	Root     string // what /proc, /sys and /dev are found under; "" is the machine's own
	UID      int    // of this process
	Now      func() time.Time
	Space    func(path string) (Space, error)
	Files    func() (soft uint64, err error) // open files that this process may have
	Landlock func() int                      // version of its interface; 0: none
	Socket   func(protocol int) error        // opens a netlink socket of a protocol and closes it
	InStep   func() (known, synchronised bool)
	// Listen tries whether an address can be listened on, and stops at once.
	Listen func(address string) error
	// Fsync writes and syncs a small file in a directory; nil: do not.
	Fsync func(dir string) (time.Duration, error)
}

// Space is what a file system has left.
type Space struct {
	Bytes, FreeBytes   uint64
	Inodes, FreeInodes uint64 // 0 inodes: it does not count them
}

// ThisHost is the machine that the program runs on.
func ThisHost() Host {
	return Host{
		UID: os.Geteuid(), Now: time.Now, Space: spaceOf, Files: openFiles, Landlock: landlock, Socket: tryNetlink, InStep: clockInStep, Listen: tryListen,
	}
}

func spaceOf(path string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Space{}, err
	}
	size := uint64(st.Bsize)
	return Space{Bytes: st.Blocks * size, FreeBytes: st.Bavail * size, Inodes: st.Files, FreeInodes: st.Ffree}, nil
}

func openFiles() (uint64, error) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	return l.Max, err // the agent raises its own limit to the hard one
}

func landlock() int {
	const askVersion = 1
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, askVersion)
	if errno != 0 {
		return 0
	}
	return int(v)
}

func tryNetlink(protocol int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// clockInStep asks the kernel whether something keeps its clock in step.
func clockInStep() (known, synchronised bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return true, state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

func tryListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// MeasureFsync writes and syncs a small file ten times and removes it. It gives
// the median.
func MeasureFsync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".serai-doctor-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	times := make([]time.Duration, 0, 10)
	block := make([]byte, 4096)
	for range cap(times) {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	return median(times), nil
}

func median(times []time.Duration) time.Duration {
	sorted := append([]time.Duration{}, times...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	return sorted[len(sorted)/2]
}

// read gives a file of the kernel, trimmed.
func (h *Host) read(path string) (string, bool) {
	b, err := os.ReadFile(filepath.Join(h.Root, path))
	return strings.TrimSpace(string(b)), err == nil
}

// number reads a number of the kernel.
func (h *Host) number(path string) (int64, bool) {
	text, ok := h.read(path)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func (h *Host) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(h.Root, path))
	return !errors.Is(err, os.ErrNotExist)
}
