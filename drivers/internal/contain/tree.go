package contain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Tree is a container's root as seen from the host. Paths in it are followed as the container would, and no link leads out of it.
type Tree struct{ dir int }

// openTree opens the directory as a Tree.
func openTree(path string) (*Tree, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("root of the container: %w", err)
	}
	return &Tree{dir: fd}, nil
}

func (t *Tree) close() { _ = unix.Close(t.dir) }

func (t *Tree) open(path string, flags uint64) (int, error) {
	return unix.Openat2(t.dir, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// ReadFile returns a regular file of at most limit bytes; fs.ErrNotExist when there is none.
func (t *Tree) ReadFile(path string, limit int64) ([]byte, error) {
	fd, err := t.open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if errors.Is(err, unix.ENOTDIR) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%s of the container: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s of the container is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s of the container: %w", path, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s of the container has more than %d bytes: that is refused", path, limit)
	}
	return text, nil
}

// Stat tells about what is at a path; fs.ErrNotExist when there is nothing.
func (t *Tree) Stat(path string) (st unix.Stat_t, err error) {
	fd, err := t.open(path, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return st, fs.ErrNotExist
	}
	if err != nil {
		return st, fmt.Errorf("%s of the container: %w", path, err)
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st)
}

// executable is nil when the path is a file that can be executed, fs.ErrNotExist when there is none. Nothing is opened that a task could notice.
func (t *Tree) executable(path string) error {
	fd, err := t.open(path, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return fs.ErrNotExist
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return errors.New("it is a directory")
	case st.Mode&0o111 == 0:
		return errors.New("it has no execute permission: chmod +x it")
	}
	return nil
}
