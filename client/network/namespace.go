package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that a file stands for: nsfs mounted over it
// keeps it alive without a process.
type namespace struct{ path string }

// nsfs is the type of the file system of namespaces.
const nsfs = 0x6e736673

// inode gives what the namespace is told apart by; false when there is none.
func (n namespace) inode() (uint64, bool) {
	var sys unix.Statfs_t
	if unix.Statfs(n.path, &sys) != nil || sys.Type != nsfs {
		return 0, false
	}
	var st unix.Stat_t
	if unix.Stat(n.path, &st) != nil {
		return 0, false
	}
	return st.Ino, true
}

// make makes a new namespace at the path. What an earlier boot has left there is
// an empty file, and is written over.
func (n namespace) make() error {
	return onThread(func() error {
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		defer home.Close()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		err = n.bind("/proc/thread-self/ns/net")
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			return errors.Join(err, errAstray, back)
		}
		return err
	})
}

// bind lets the file stand for the namespace that another one names.
func (n namespace) bind(from string) error {
	if err := os.MkdirAll(filepath.Dir(n.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(n.path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW, 0o400)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	f.Close()
	if err := unix.Mount(from, n.path, "none", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("network namespace %s: mount: %w", n.path, err)
	}
	return nil
}

// adopt finds a namespace again whose file was unmounted, by the processes that
// are in it; false when none of them is.
func (n namespace) adopt(inode uint64, pids []int) bool {
	for _, pid := range pids {
		from := "/proc/" + strconv.Itoa(pid) + "/ns/net"
		var st unix.Stat_t
		if unix.Stat(from, &st) == nil && st.Ino == inode && n.bind(from) == nil {
			return true
		}
	}
	return false
}

// remove lets the namespace go: it ends with its last process.
func (n namespace) remove() error {
	for {
		err := unix.Unmount(n.path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err == nil {
			continue // it may be mounted twice
		}
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("network namespace %s: unmount: %w", n.path, err)
		}
		break
	}
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("network namespace: %w", err)
	}
	return nil
}

// within runs f on a thread that is in the namespace. What f starts elsewhere is
// not in it.
func (n namespace) within(f func() error) error {
	return onThread(func() error {
		target, err := os.Open(n.path)
		if err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		defer target.Close()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		defer home.Close()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("network namespace %s: %w", n.path, err)
		}
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			return errors.Join(err, errAstray, back)
		}
		return err
	})
}

// errAstray: a thread could not go back where it came from, and must end.
var errAstray = errors.New("the thread is lost in a network namespace")

// onThread runs f on a thread that nothing else uses meanwhile. A thread that
// went astray, or was left by a panic, is not used again.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := f()
		if !errors.Is(err, errAstray) {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// ownInode tells the network namespace that the agent is in.
func ownInode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("network namespace of the agent: %w", err)
	}
	return st.Ino, nil
}

// turn lets one at a time do something, and gives up with a context.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
