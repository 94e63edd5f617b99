package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec says what a process keeps.
type Spec struct {
	Work  string // the only directory that it can write
	UID   int    // whom it runs as; below 0: as the caller, which is not root then
	View  bool   // give it a root directory of its own, beneath Root: it must be alone in its mount namespace
	Root  string // an empty directory that the root is mounted on
	Extra []Path // what it may use beside what every program needs
	// Landlock asks for the kernel's own rules; where it has none, the view must do.
	Landlock bool
	// FileBytes is the largest file that it may write; 0: no limit.
	FileBytes int64
}

// Path is something of the host that a process may use.
type Path struct {
	Path  string
	Dir   bool
	Read  bool
	Write bool
	Exec  bool
}

// WorkInside is where Work is found in a view.
const WorkInside = "/work"

// Enter confines this process and runs the program anew with the arguments and
// the environment. It returns only when that fails, and the process must end
// then: part of what it had is gone.
func Enter(s Spec, argv, env []string) error {
	// All from here to the exec is of one thread, which becomes the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Umask(0o022) // others must be able to pass through what is made here; the agent's own is narrower
	// Whoever is short of memory takes this one first. A kernel without it is none the worse.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	self, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the own program: %w", err)
	}
	work := s.Work
	if s.View {
		if err := s.mountView(); err != nil {
			return err
		}
		work = WorkInside
	}
	if err := unix.Chdir(work); err != nil {
		return fmt.Errorf("enter %s: %w", work, err)
	}
	if err := s.limit(); err != nil {
		return err
	}
	if s.UID >= 0 {
		if err := become(s.UID); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if s.Landlock {
		if err := s.landlock(work, self); err != nil && !(errors.Is(err, ErrNoLandlock) && s.View) {
			return err
		}
	}
	if err := filter(); err != nil {
		return err
	}
	return execFD(self, argv, env)
}

// become makes this thread a user that is a member of nothing.
func become(uid int) error {
	id := uintptr(uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return fmt.Errorf("leave all groups: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); errno != 0 {
		return fmt.Errorf("become group %d: %w", uid, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
		return fmt.Errorf("become user %d: %w", uid, errno)
	}
	return nil
}

// execFD runs the program behind a descriptor, whatever has become of its name.
func execFD(fd int, argv, env []string) error {
	path, _ := unix.BytePtrFromString("")
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	vars, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	return execveat(fd, path, args, vars)
}
