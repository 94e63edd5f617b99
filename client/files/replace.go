package files

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// ReplaceFile puts a whole file in the place of what stands there, in one step:
// who opens it sees the old or the new one, never a part. A link or a second name
// that stands there is replaced and not written through; a directory is an error.
func (r *Root) ReplaceFile(path string, data []byte, mode fs.FileMode, uid, gid int) error {
	return r.inParent(path, func(dirfd int, name string) error {
		aside := ".new-" + rand.Text()
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err := unix.Openat(dirfd, aside, flags, 0o600)
		if err != nil {
			return err
		}
		err = fill(os.NewFile(uintptr(fd), path), data, mode, uid, gid)
		if err == nil {
			err = unix.Renameat(dirfd, aside, dirfd, name)
		}
		if err != nil {
			_ = unix.Unlinkat(dirfd, aside, 0)
		}
		return err
	})
}

// fill writes a file that is not seen yet, and closes it.
func fill(f *os.File, data []byte, mode fs.FileMode, uid, gid int) error {
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Close()
}

// MkdirMissing makes the directories that path goes through and that are not
// there, as Mkdir does; those that are there are left as they are.
func (r *Root) MkdirMissing(path string, mode fs.FileMode, uid, gid int) error {
	for i := range len(path) + 1 {
		if i == 0 || i < len(path) && path[i] != '/' {
			continue
		}
		_, err := r.Stat(path[:i])
		if err == nil {
			continue
		}
		if !errors.Is(err, api.ErrNotFound) {
			return err
		}
		if err := r.Mkdir(path[:i], mode, uid, gid); err != nil {
			return err
		}
	}
	return nil
}
