// Package stdio opens the named pipes that carry a task's output.
//
// A pipe is opened for reading and writing and handed to the task like that: whoever reads at the other end may go and come back, and the task
// neither loses a byte that the pipe can hold nor gets SIGPIPE.
package stdio

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open opens the named pipe at path, which must be one: a symbolic link or any other file in its place is refused. A path that lies below
// root, the directory of an allocation, is followed through no link at all, for tasks can write there. An empty path is the null device.
func Open(root, path string) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	fd, err := open(root, path)
	if err != nil {
		return nil, fmt.Errorf("output pipe %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("output pipe %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("output pipe %s is not a named pipe: refused, the task may have replaced it", path)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func open(root, path string) (int, error) {
	const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	rel, err := filepath.Rel(root, path)
	if root == "" || err != nil || !filepath.IsLocal(rel) {
		return unix.Open(path, flags, 0)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	return unix.Openat2(dir, rel, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
}

// ForTask opens the pipe at path as a file for a task, which expects it to block, and gives it to the task's user: programs open /dev/stdout
// anew, and the kernel then asks whose it is.
func ForTask(root, path string, uid, gid int) (*os.File, error) {
	f, err := Open(root, path)
	if err != nil || path == "" {
		return f, err
	}
	if os.Geteuid() == 0 && uid != 0 {
		if err := f.Chown(uid, gid); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("output pipe: %w", err)
		}
	}
	// The task inherits the mode of the open file. os.File.Fd does not do it: the file was non-blocking before it was os's.
	if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("output pipe %s: %w", path, err)
	}
	return f, nil
}

// Silence is an input on which nothing ever comes and which does not end: a pipe without a name whose holder could write to it.
func Silence() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	f, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(r.Fd())), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("input that stays open: %w", err)
	}
	return f, nil
}
