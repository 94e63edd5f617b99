package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seraihq/serai/client"
)

// devPrefix begins the names of dev agents' directories.
const devPrefix = "serai-dev-"

// newDevDir makes the directory of a dev agent, locked for as long as this
// process lives.
func newDevDir() (dir string, held *lock, err error) {
	if dir, err = os.MkdirTemp("", devPrefix); err != nil {
		return "", nil, fmt.Errorf("make a directory for the dev agent: %w", err)
	}
	if held, err = takeLock(dir); err == nil {
		// Tasks that run as other users have to reach their own directories.
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		held.release()
		_ = os.RemoveAll(dir)
		return "", nil, err
	}
	return dir, held, nil
}

// sweepDevDirs ends and removes what dev agents that were killed have left. The
// kernel let go of their locks; one that lives still holds its own.
func sweepDevDirs(logger *slog.Logger) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), devPrefix+"*"))
	for _, dir := range dirs {
		if !ownDir(dir) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, lockFile)); err != nil {
			continue // one that is just being made
		}
		held, err := takeLock(dir)
		if err != nil {
			continue
		}
		err = errors.Join(client.Sweep(filepath.Join(dir, "client"), filepath.Join(dir, "alloc"), logger), os.RemoveAll(dir))
		held.release()
		if err != nil {
			logger.Warn("what a killed dev agent left is not removed", "dir", dir, "err", err)
			continue
		}
		logger.Info("what a killed dev agent left is removed", "dir", dir)
	}
}

// ownDir says whether a path is a directory of this user, and no link.
func ownDir(path string) bool {
	st, err := os.Lstat(path)
	if err != nil || !st.IsDir() {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}
