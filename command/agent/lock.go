package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seraihq/serai/api"
)

// lockFile is what is locked of a directory.
const lockFile = "agent.lock"

// lock keeps other agents from a data directory for as long as this process
// lives; the kernel lets go of it however the process ends.
type lock struct{ file *os.File }

// takeLock makes the directory and locks it, without waiting.
func takeLock(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data_dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data_dir %s: %w", dir, err)
		}
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		return nil, api.Errorf(api.ErrConflict, "data_dir %s is in use by another agent (pid %s); stop it or give this one a data_dir of its own", dir, strings.TrimSpace(string(holder[:n])))
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data_dir %s: %w", dir, err)
	}
	return &lock{f}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// release lets go of the directory.
func (l *lock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
