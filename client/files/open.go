package files

import (
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// OpenFile opens a regular file for reading, links followed beneath the root.
// Directories, FIFOs, sockets and devices are refused without being touched.
func (r *Root) OpenFile(path string) (*os.File, Info, error) {
	h, err := r.lookup(path, true)
	if err != nil {
		return nil, Info{}, err
	}
	defer h.close()
	switch h.st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return nil, Info{}, api.Errorf(api.ErrInvalid, "file %q is a directory", path)
	default:
		return nil, Info{}, api.Errorf(api.ErrInvalid, "file %q is not a regular file", path)
	}
	f, err := reopen(h, path, unix.O_RDONLY)
	if err != nil {
		return nil, Info{}, err
	}
	return f, infoOf(lastName(path), &h.st), nil
}

// OpenWrite opens a regular file for writing and makes it where there is none;
// it gives its size. A link, or a file with a second name elsewhere, is refused:
// the agent must not be led to write where the task may not.
func (r *Root) OpenWrite(path string, mode fs.FileMode) (f *os.File, size int64, err error) {
	err = r.inParent(path, func(dirfd int, name string) error {
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
		fd, err := unix.Openat(dirfd, name, flags, unixMode(mode))
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 {
			unix.Close(fd)
			return unix.ELOOP
		}
		if st.Size == 0 { // new, as far as it matters; the umask must not decide
			if err := unix.Fchmod(fd, unixMode(mode)); err != nil {
				unix.Close(fd)
				return err
			}
		}
		f, size = os.NewFile(uintptr(fd), path), st.Size
		return nil
	})
	return f, size, err
}

// WriteFile replaces a file: it is made anew (whatever stood there by that name
// is unlinked), so neither link nor second name is ever written through.
func (r *Root) WriteFile(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	return r.inParent(path, func(dirfd int, name string) error {
		if err := unix.Unlinkat(dirfd, name, 0); err != nil && err != unix.ENOENT {
			return err
		}
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err := unix.Openat(dirfd, name, flags, unixMode(mode))
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), path)
		defer f.Close()
		if uid >= 0 || gid >= 0 {
			if err := f.Chown(uid, gid); err != nil {
				return err
			}
		}
		if err := f.Chmod(mode); err != nil {
			return err
		}
		if _, err = f.Write(data); err != nil {
			// A part of it is of no use to anybody, and the space may be short.
			_ = unix.Unlinkat(dirfd, name, 0)
		}
		return err
	})
}

// MakeFIFO makes a FIFO of this mode and owner (-1: the agent's own). One that
// is there already is kept with what is in it; anything else of that name is
// removed first.
func (r *Root) MakeFIFO(path string, mode fs.FileMode, uid, gid int) error {
	return r.inParent(path, func(dirfd int, name string) error {
		err := unix.Mknodat(dirfd, name, unix.S_IFIFO|unixMode(mode), 0)
		if err == unix.EEXIST {
			var st unix.Stat_t
			if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return err
			}
			if st.Mode&unix.S_IFMT == unix.S_IFIFO {
				return nil
			}
			if err := unix.Unlinkat(dirfd, name, 0); err != nil {
				return err
			}
			err = unix.Mknodat(dirfd, name, unix.S_IFIFO|unixMode(mode), 0)
		}
		if err != nil || uid < 0 && gid < 0 {
			return err
		}
		return unix.Fchownat(dirfd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// OpenFIFO opens a FIFO for reading without waiting for a writer. It is opened
// read-write, so that it never reports an end while a task comes and goes. What
// is not a FIFO is refused untouched.
func (r *Root) OpenFIFO(path string) (*os.File, error) {
	h, err := r.lookup(path, false)
	if err != nil {
		return nil, err
	}
	defer h.close()
	if h.st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, api.Errorf(api.ErrDenied, "file %q is not a FIFO any more: it was replaced", path)
	}
	return reopen(h, path, unix.O_RDWR|unix.O_NONBLOCK)
}

// reopen opens the very inode that h holds.
func reopen(h *handle, path string, flags int) (*os.File, error) {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(h.fd), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, kindOf(err, path)
	}
	return os.NewFile(uintptr(fd), path), nil
}
