package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// maxTreeDepth is how deep a tree may be that is adopted or measured.
const maxTreeDepth = 255

// Adoption says how a tree that somebody else made becomes an allocation's own.
type Adoption struct {
	UID, GID int // of all that is in it; -1: the agent's own
	// OutsideLinks keeps symbolic links that lead out of the tree; else they are refused.
	OutsideLinks bool
	// Stays says whether a link of this name, from the top of the tree, stays within.
	Stays func(name, target string) bool
}

// Adopt takes over what lies at path: it gets a new owner and modes without the
// bits that lend rights. Anything but directories, files with one name, and
// links that stay within is refused. Nothing may write there meanwhile.
func (r *Root) Adopt(path string, a Adoption) error {
	dir, name, err := splitLast(path)
	if err != nil {
		return err
	}
	h, err := r.lookup(dir, false)
	if err != nil {
		return err
	}
	defer h.close()
	return a.take(h.fd, name, "", 0)
}

// take adopts one entry of a directory; at is its name from the top of the tree.
func (a Adoption) take(dirfd int, name, at string, depth int) error {
	if depth > maxTreeDepth {
		return api.Errorf(api.ErrDenied, "%.100q… lies deeper than %d directories", at, maxTreeDepth)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return a.takeDirectory(dirfd, name, at, depth)
	case unix.S_IFREG:
		if st.Nlink > 1 {
			return api.Errorf(api.ErrDenied, "file %.200q has a second name", at)
		}
		return a.takeFile(dirfd, name)
	case unix.S_IFLNK:
		return a.takeLink(dirfd, name, at)
	}
	return api.Errorf(api.ErrDenied, "%.200q is neither file, directory nor link", at)
}

func (a Adoption) takeFile(dirfd int, name string) error {
	fd, err := unix.Openat(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return a.own(fd)
}

// own sets owner and mode of what a descriptor made with O_PATH stands for.
func (a Adoption) own(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	uid, gid := a.owner()
	if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), st.Mode&0o777)
}

func (a Adoption) owner() (uid, gid int) {
	uid, gid = a.UID, a.GID
	if uid < 0 {
		uid = os.Geteuid()
	}
	if gid < 0 {
		gid = os.Getegid()
	}
	return uid, gid
}

func (a Adoption) takeLink(dirfd int, name, at string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dirfd, name, buf)
	if err != nil {
		return err
	}
	if !a.OutsideLinks && !a.Stays(at, string(buf[:n])) {
		return api.Errorf(api.ErrDenied, "link %.200q to %.200q leads out of the artifact", at, buf[:n])
	}
	uid, gid := a.owner()
	return unix.Fchownat(dirfd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (a Adoption) takeDirectory(dirfd int, name, at string, depth int) error {
	dir, err := openDirectory(dirfd, name)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := a.take(int(dir.Fd()), n, path.Join(at, n), depth+1); err != nil {
			return err
		}
	}
	fd, err := unix.Openat(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return a.own(fd)
}

// openDirectory opens a directory itself, never what a link leads to.
func openDirectory(dirfd int, name string) (*os.File, error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Merge moves what lies at source to target, beneath another root: a directory
// goes into one that stands there, a file takes the place of another. The way
// to the target is made where it is missing, with this owner; no link in it is
// followed. What lies on another file system is copied.
func Merge(from *Root, source string, to *Root, target string, uid, gid int) error {
	sourceDir, sourceName, err := splitLast(source)
	if err != nil {
		return err
	}
	h, err := from.lookup(sourceDir, false)
	if err != nil {
		return err
	}
	defer h.close()
	dir, name, err := splitLast(path.Clean(target))
	if err != nil {
		return err
	}
	at, err := to.straight(dir, uid, gid)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return merge(h.fd, sourceName, at, name)
}

// straight opens a directory without following any link, and makes what is
// missing of it.
func (r *Root) straight(dir string, uid, gid int) (int, error) {
	at, err := unix.FcntlInt(r.self.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(dir, "/") {
		if name == "" || name == "." {
			continue
		}
		next, err := r.straightStep(at, name, uid, gid)
		unix.Close(at)
		if err != nil {
			return -1, kindOf(err, dir)
		}
		at = next
	}
	return at, nil
}

func (r *Root) straightStep(at int, name string, uid, gid int) (int, error) {
	if name == ".." {
		return -1, api.Errorf(api.ErrDenied, "a path with \"..\" is not gone")
	}
	err := unix.Mkdirat(at, name, 0o755)
	made := err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) {
		return -1, api.Errorf(api.ErrDenied, "%q is no directory, or a symbolic link, which is not followed", name)
	}
	if err != nil {
		return -1, err
	}
	if made {
		if err = errors.Join(unix.Fchmod(fd, 0o755), unix.Fchown(fd, uid, gid)); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// merge moves one entry of a directory to another directory.
func merge(fromFD int, from string, toFD int, to string) error {
	var st, there unix.Stat_t
	if err := unix.Fstatat(fromFD, from, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	err := unix.Fstatat(toFD, to, &there, unix.AT_SYMLINK_NOFOLLOW)
	exists := err == nil
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	switch thereDir := exists && there.Mode&unix.S_IFMT == unix.S_IFDIR; {
	case isDir && thereDir:
		return mergeDirectory(fromFD, from, toFD, to)
	case exists && isDir != thereDir:
		return api.Errorf(api.ErrInvalid, "%.200q is there already, as a %s", to, map[bool]string{true: "directory", false: "file"}[thereDir])
	}
	err = unix.Renameat(fromFD, from, toFD, to)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	return carry(fromFD, from, toFD, to, &st)
}

func mergeDirectory(fromFD int, from string, toFD int, to string) error {
	source, err := openDirectory(fromFD, from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := openDirectory(toFD, to)
	if err != nil {
		return err
	}
	defer target.Close()
	names, err := source.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := merge(int(source.Fd()), n, int(target.Fd()), n); err != nil {
			return fmt.Errorf("%.200q: %w", n, err)
		}
	}
	return nil
}

// carry copies an entry to another file system, with its owner and mode.
func carry(fromFD int, from string, toFD int, to string, st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := unix.Mkdirat(toFD, to, 0o700); err != nil {
			return err
		}
		if err := mergeDirectory(fromFD, from, toFD, to); err != nil {
			return err
		}
		dir, err := openDirectory(toFD, to)
		if err != nil {
			return err
		}
		defer dir.Close()
		return errors.Join(dir.Chown(int(st.Uid), int(st.Gid)), dir.Chmod(os.FileMode(st.Mode&0o777)))
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fromFD, from, buf)
		if err != nil {
			return err
		}
		if err := unlink(toFD, to); err != nil {
			return err
		}
		return unix.Symlinkat(string(buf[:n]), toFD, to)
	}
	return carryFile(fromFD, from, toFD, to, st)
}

func carryFile(fromFD int, from string, toFD int, to string, st *unix.Stat_t) error {
	fd, err := unix.Openat(fromFD, from, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	source := os.NewFile(uintptr(fd), from)
	defer source.Close()
	if err := unlink(toFD, to); err != nil {
		return err
	}
	if fd, err = unix.Openat(toFD, to, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600); err != nil {
		return err
	}
	target := os.NewFile(uintptr(fd), to)
	defer target.Close()
	if _, err := io.Copy(target, source); err != nil {
		// What is there of it is of no use to anybody.
		return errors.Join(err, unlink(toFD, to))
	}
	return errors.Join(target.Chown(int(st.Uid), int(st.Gid)), target.Chmod(os.FileMode(st.Mode&0o777)))
}

func unlink(dirfd int, name string) error {
	if err := unix.Unlinkat(dirfd, name, 0); err != nil && err != unix.ENOENT {
		return err
	}
	return nil
}
