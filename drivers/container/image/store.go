package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Store is an image store, open. It is safe for concurrent use.
type Store struct {
	dir     string
	options Options
	logger  *slog.Logger
	remote  *registries

	images flights[string, pulled]
	layers flights[digest, layerRecord]
	work   atomic.Uint64
	boot   string

	background sync.WaitGroup
}

// The directories of a store.
const (
	layersDir = "layers"
	imagesDir = "images"
	namesDir  = "names"
	ownersDir = "owners"
	workDir   = "work"
	locksDir  = "locks"
)

// Open opens the store in dir, making it when it is not there, and removes what
// dead processes left behind. Only root can read what is in it.
func Open(dir string, options Options) (*Store, error) {
	options = options.withDefaults()
	for _, d := range []string{"", layersDir, imagesDir, namesDir, ownersDir, workDir, locksDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("image store %s: %w", dir, err)
		}
	}
	remote, err := newRegistries(options)
	if err != nil {
		return nil, fmt.Errorf("image store %s: %w", dir, err)
	}
	s := &Store{dir: dir, options: options, logger: options.Logger.With("component", "images"), remote: remote, boot: bootID()}
	s.images.last = func(p pulled) {
		if p.image != nil {
			p.work.end()
		}
	}
	if err := s.tidy(context.Background()); err != nil {
		return nil, fmt.Errorf("image store %s: %w", dir, err)
	}
	return s, nil
}

// Close gives back the store's connections. What Acquire gave out stays valid.
func (s *Store) Close() error {
	s.background.Wait()
	s.remote.close()
	return nil
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// locked runs do while nobody else, in any process, changes names in the store.
func (s *Store) locked(ctx context.Context, do func() error) error {
	l, err := takeLock(ctx, s.path("lock"))
	if err != nil {
		return err
	}
	defer l.release()
	return do()
}

// free is how many bytes the store's filesystem has left, of how many that we may use: what it keeps for root, or for itself, is in neither, as in
// the percentages of df.
func (s *Store) free() (free, size int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 0, 0, fmt.Errorf("image store %s: %w", s.dir, err)
	}
	return int64(st.Bavail) * st.Bsize, (int64(st.Blocks-st.Bfree) + int64(st.Bavail)) * st.Bsize, nil
}

// writeRecord puts v at path as JSON: wholly, or not at all.
func writeRecord(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temp := path + ".new" + strconv.Itoa(os.Getpid())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return diskKind(fmt.Errorf("write %s: %w", path, err))
	}
	return nil
}

// readRecord reads what writeRecord wrote; found is false when there is nothing,
// or nothing that can be read.
func readRecord(path string, v any) (found bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(b, v) == nil, nil
}

// bootID tells this run of the kernel from earlier ones; empty when it cannot be had.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(b)
}
