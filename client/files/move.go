package files

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Move moves a directory from beneath one root to beneath another on the same
// file system, without copying. An empty directory that stands there is
// replaced; what is not a directory itself is refused.
func Move(from *Root, source string, to *Root, target string) error {
	return from.inParent(source, func(sourceFD int, sourceName string) error {
		var st unix.Stat_t
		if err := unix.Fstatat(sourceFD, sourceName, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return unix.ENOTDIR
		}
		return to.inParent(target, func(targetFD int, targetName string) error {
			return unix.Renameat(sourceFD, sourceName, targetFD, targetName)
		})
	})
}

// create makes a new file with this mode and owner (-1: the agent's own); that
// something of its name is there is an error.
func (r *Root) create(path string, mode fs.FileMode, uid, gid int) (f *os.File, err error) {
	err = r.inParent(path, func(dirfd int, name string) error {
		fd, err := unix.Openat(dirfd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), path)
		if uid >= 0 || gid >= 0 {
			err = f.Chown(uid, gid)
		}
		if err == nil {
			err = f.Chmod(mode)
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	return f, err
}

// symlink makes a symbolic link; that something of its name is there is an error.
func (r *Root) symlink(target, path string, uid, gid int) error {
	return r.inParent(path, func(dirfd int, name string) error {
		if err := unix.Symlinkat(target, dirfd, name); err != nil {
			return err
		}
		if uid < 0 && gid < 0 {
			return nil
		}
		return unix.Fchownat(dirfd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}
