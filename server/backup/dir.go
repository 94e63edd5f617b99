package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	lockName = ".serai-snapshot.lock"
	partName = ".part" // end of the name of a file that is being written
)

// Dir keeps snapshots in a directory. Agents on other machines that see the
// same one need a file system that keeps locks between them, as NFS 4 does.
type Dir struct{ path string }

// NewDir takes a directory, which is made when it is not there.
func NewDir(path string) (*Dir, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("snapshot path %q is not absolute", path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("snapshot path: %w", err)
	}
	return &Dir{path}, nil
}

// String names the directory.
func (d *Dir) String() string { return "directory " + d.path }

// Lock holds a lock of the kernel, which ends with the process. Files that a
// writer left half-way are removed.
func (d *Dir) Lock(context.Context) (func(), error) {
	f, err := os.OpenFile(filepath.Join(d.path, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", d, ErrBusy)
		}
		return nil, fmt.Errorf("lock %s: %w", d, err)
	}
	names, _ := d.Names(nil)
	for _, n := range names {
		if whole, ok := strings.CutSuffix(n, partName); ok && pattern.MatchString(whole) {
			_ = os.Remove(filepath.Join(d.path, n))
		}
	}
	return func() { f.Close() }, nil
}

// Names lists the directory.
func (d *Dir) Names(context.Context) ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", d, err)
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out, nil
}

// Put writes a file beside its place, makes it durable and moves it there.
func (d *Dir) Put(_ context.Context, name string, content io.ReadSeeker, size int64, _ [32]byte) error {
	place := filepath.Join(d.path, name)
	f, err := os.OpenFile(place+partName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write to %s: %w", d, err)
	}
	n, err := io.Copy(f, content)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes of %d were written", n, size)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(place+partName, place)
	}
	if err != nil {
		_ = os.Remove(place + partName)
		return fmt.Errorf("write to %s: %w", d, err)
	}
	return d.sync()
}

func (d *Dir) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("write to %s: %w", d, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write to %s: %w", d, err)
	}
	return nil
}

// Remove removes a file.
func (d *Dir) Remove(_ context.Context, name string) error {
	return os.Remove(filepath.Join(d.path, name))
}
