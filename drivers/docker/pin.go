package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// pinRoot is where network namespaces of groups are kept on nodes without an engine.
const pinRoot = "/run/serai/docker-networks"

func pinPath(allocID string) string { return filepath.Join(pinRoot, filepath.Base(allocID)) }

// pinned is whether there is a namespace at path.
func pinned(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// createPin makes a network namespace that stays as long as path is mounted, or finds it.
func createPin(path, hostname string) (*drivers.NetworkIsolation, bool, error) {
	spec := &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Path: path, Hostname: hostname}
	if pinned(path) {
		return spec, false, nil
	}
	if err := os.MkdirAll(pinRoot, 0o700); err != nil {
		return nil, false, fmt.Errorf("network namespace: %w", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, false, fmt.Errorf("network namespace: %w", err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	}()
	if err := <-done; err != nil {
		_ = os.Remove(path)
		return nil, false, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return spec, true, nil
}

// removePin lets go of a namespace; there tells whether there was one.
func removePin(path string) (there bool, err error) {
	there = pinned(path)
	for pinned(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return there, fmt.Errorf("network namespace %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return there, fmt.Errorf("network namespace: %w", err)
	}
	return there, nil
}
