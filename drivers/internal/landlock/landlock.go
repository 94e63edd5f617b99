// Package landlock takes from a thread, and from all that it starts, the files that it does not need. It owns no goroutine.
//
// Source of numbers and formats: the kernel's Documentation/userspace-api/landlock.rst.
package landlock

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnavailable is for kernels without Landlock, or with it turned off.
var ErrUnavailable = errors.New("this kernel has no Landlock")

// The rights that rules give.
const (
	Read    = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	Execute = unix.LANDLOCK_ACCESS_FS_EXECUTE
	// Write is to change files, make new plain ones, and remove and rename them in directories.
	Write = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
)

// fileOnly are the rights that make sense for what is not a directory; the kernel refuses rules with others.
const fileOnly = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_EXECUTE

// everything is each right that version 1 knows.
const everything = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1

// Rules are what is left to a thread.
type Rules struct {
	set     int
	handled uint64
}

// Version is the version of the kernel's interface; 0 without Landlock.
func Version() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// New returns rules that leave nothing. Close them.
func New() (*Rules, error) {
	version := Version()
	if version == 0 {
		return nil, ErrUnavailable
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: everything}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 6 { // neither signals nor abstract sockets reach outside
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Sizeof(attr)
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return nil, fmt.Errorf("landlock: %w", errno)
	}
	return &Rules{set: int(set), handled: attr.Handled_access_fs}, nil
}

// Allow gives rights to a path and all beneath it. A path that is not there needs none.
func (r *Rules) Allow(path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("landlock: %s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := r.AllowFile(fd, access); err != nil {
		return fmt.Errorf("landlock: %s: %w", path, err)
	}
	return nil
}

// AllowFile gives rights to the open file or directory.
func (r *Rules) AllowFile(fd int, access uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= fileOnly
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Enter holds the calling thread to the rules, for good: it must be locked to its goroutine and end with it.
func (r *Rules) Enter() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("landlock: no new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.set), 0, 0); errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}

// Close frees the rules; threads that entered them stay held.
func (r *Rules) Close() error { return unix.Close(r.set) }
