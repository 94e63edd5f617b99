package files

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// ID tells one file or directory from all others on the host.
type ID struct {
	Dev uint64
	Ino uint64
}

// Root is an open directory beneath which every access happens. It is safe for
// concurrent use.
type Root struct {
	dir  string
	root *os.Root
	self *os.File // the directory itself, for the *at calls

	mu     sync.RWMutex // guards denied
	denied map[ID]bool
}

// Open opens a directory whose own path the agent controls. What is guarded is
// refused to every later access.
func Open(dir string, guarded ...ID) (*Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, kindOf(err, dir)
	}
	self, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, kindOf(err, dir)
	}
	r := &Root{dir: dir, root: root, self: self, denied: map[ID]bool{}}
	for _, id := range guarded {
		r.denied[id] = true
	}
	return r, nil
}

// Close gives the directory back.
func (r *Root) Close() error {
	return errors.Join(r.self.Close(), r.root.Close())
}

// Guard refuses a directory and all beneath it from now on, and gives its
// identity so that a later Open can refuse it too.
func (r *Root) Guard(path string) (ID, error) {
	h, err := r.lookup(path, false)
	if err != nil {
		return ID{}, err
	}
	defer h.close()
	id := h.id()
	r.mu.Lock()
	r.denied[id] = true
	r.mu.Unlock()
	return id, nil
}

func (r *Root) isDenied(id ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.denied[id]
}

func (r *Root) fd() int { return int(r.self.Fd()) }

// HostPath gives the path of something directly beneath the root, for handing
// to a driver or to mount; never open it from here.
func (r *Root) HostPath(parts ...string) string {
	return r.dir + "/" + strings.Join(parts, "/")
}

// Mkdir makes one directory with exactly this mode and owner (-1: the agent's
// own); one that is there already gets them too. What else stands there is an
// error.
func (r *Root) Mkdir(path string, mode fs.FileMode, uid, gid int) error {
	return r.inParent(path, func(dirfd int, name string) error {
		if err := unix.Mkdirat(dirfd, name, uint32(mode.Perm())); err != nil && err != unix.EEXIST {
			return err
		}
		fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if uid >= 0 || gid >= 0 {
			if err := unix.Fchown(fd, uid, gid); err != nil {
				return err
			}
		}
		return unix.Fchmod(fd, unixMode(mode))
	})
}

// Remove removes one file or empty directory; links are not followed.
func (r *Root) Remove(path string) error {
	return r.inParent(path, func(dirfd int, name string) error {
		err := unix.Unlinkat(dirfd, name, 0)
		if err == unix.EISDIR {
			err = unix.Unlinkat(dirfd, name, unix.AT_REMOVEDIR)
		}
		return err
	})
}

// RemoveAll removes a file or a whole tree beneath the root; links are not
// followed. What is not there is no error.
func (r *Root) RemoveAll(path string) error {
	if err := r.root.RemoveAll(path); err != nil {
		return kindOf(err, path)
	}
	return nil
}

// inParent runs fn on the directory that holds path's last component.
func (r *Root) inParent(path string, fn func(dirfd int, name string) error) error {
	dir, name, err := splitLast(path)
	if err != nil {
		return err
	}
	h, err := r.lookup(dir, true)
	if err != nil {
		return err
	}
	defer h.close()
	if h.st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return api.Errorf(api.ErrInvalid, "%q is not a directory", dir)
	}
	if err := fn(h.fd, name); err != nil {
		return kindOf(err, path)
	}
	return nil
}

// splitLast cuts a path into directory and last component, which must name something.
func splitLast(path string) (dir, name string, err error) {
	path = strings.TrimRight(path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	} else {
		name = path
	}
	if name == "" || name == "." || name == ".." {
		return "", "", api.Errorf(api.ErrInvalid, "path %q names no file", path)
	}
	return dir, name, nil
}

// kindOf gives a system error the kind that the API answers with.
func kindOf(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &api.Error{Kind: api.ErrNotFound, Text: fmt.Sprintf("file %q: no such file or directory", path)}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Kind: api.ErrDenied, Text: fmt.Sprintf("file %q: permission denied", path)}
	case errors.Is(err, unix.ELOOP):
		return &api.Error{Kind: api.ErrDenied, Text: fmt.Sprintf("file %q: a symbolic link in the way", path)}
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.EINVAL):
		return &api.Error{Kind: api.ErrInvalid, Text: fmt.Sprintf("file %q: %v", path, unwrapErrno(err))}
	}
	return fmt.Errorf("file %q: %w", path, err)
}

func unwrapErrno(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// unixMode gives the bits of a mode as the kernel wants them.
func unixMode(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	if m&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return bits
}

// Sub opens a directory beneath the root as a root of its own, with the same guards.
func (r *Root) Sub(path string) (*Root, error) {
	dir, err := r.OpenDirectory(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())))
	if err != nil {
		dir.Close()
		return nil, kindOf(err, path)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return &Root{dir: r.dir + "/" + path, root: root, self: dir, denied: maps.Clone(r.denied)}, nil
}
