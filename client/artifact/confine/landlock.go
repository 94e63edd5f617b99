package confine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoLandlock is for kernels without Landlock.
var ErrNoLandlock = errors.New("this kernel has no Landlock")

// What Landlock tells apart, as far as its version 1 does; what later versions
// added is named where the running kernel knows it.
const (
	accessRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	accessExec  = unix.LANDLOCK_ACCESS_FS_EXECUTE
	accessWrite = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	// Never given to anybody: sockets, FIFOs and devices.
	accessNever = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO
	// For rules on files, which take no rights over directories.
	accessFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// landlock leaves this thread, and what it runs, the work directory, the paths
// that every program needs, the extra ones and the program itself.
func (s Spec) landlock(work string, program int) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return fmt.Errorf("%w: %w", ErrNoLandlock, errno)
	}
	handled := uint64(accessRead | accessExec | accessWrite | accessNever)
	write := uint64(accessWrite | accessRead)
	if version >= 2 {
		handled |= unix.LANDLOCK_ACCESS_FS_REFER
		write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		handled |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled}
	// The later fields of the struct are not for every kernel.
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if version >= 6 {
		// No signals to others, and none of the host's abstract sockets, which no
		// view hides.
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Offsetof(attr.Scoped) + unsafe.Sizeof(attr.Scoped)
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("Landlock: %w", errno)
	}
	defer unix.Close(int(set))
	if err := allow(int(set), work, write, true); err != nil {
		return err
	}
	if err := allowFD(int(set), program, accessFile&^unix.LANDLOCK_ACCESS_FS_WRITE_FILE&handled&^unix.LANDLOCK_ACCESS_FS_TRUNCATE); err != nil {
		return fmt.Errorf("Landlock: the own program: %w", err)
	}
	for _, p := range append(needed(), s.Extra...) {
		if err := allow(int(set), p.Path, p.access()&handled, p.Dir); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("Landlock: %w", errno)
	}
	return nil
}

func (p Path) access() uint64 {
	var a uint64
	if p.Read {
		a |= accessRead
	}
	if p.Exec {
		a |= accessExec
	}
	if p.Write {
		a |= accessWrite | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	return a
}

// allow gives a right to a path; one that is not there needs none.
func allow(set int, path string, access uint64, dir bool) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("Landlock: %s: %w", path, err)
	}
	defer unix.Close(fd)
	if !dir {
		access &= accessFile
	}
	if err := allowFD(set, fd, access); err != nil {
		return fmt.Errorf("Landlock: %s: %w", path, err)
	}
	return nil
}

func allowFD(set, fd int, access uint64) error {
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
