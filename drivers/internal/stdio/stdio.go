// Package stdio opens the named pipes that carry a task's output.
//
// A pipe is opened for reading and writing and handed to the task like that: whoever reads at the other end may go and come back, and the task
// neither loses a byte that the pipe can hold nor gets SIGPIPE.
package stdio

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens the named pipe at path, which must be one: a symbolic link or any other file in its place is refused. An empty path is the null
// device.
func Open(path string) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
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

// ForTask opens the pipe at path as a file for a task, which expects it to block, and gives it to the task's user: programs open /dev/stdout
// anew, and the kernel then asks whose it is.
func ForTask(path string, uid, gid int) (*os.File, error) {
	f, err := Open(path)
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
