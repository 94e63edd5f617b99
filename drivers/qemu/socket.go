package qemu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The sockets that QEMU listens on. They are made here and handed over open, in a directory that only the agent can enter: a task can neither
// reach a monitor, which rules the machine, nor put another socket in its place. Their names are short, for the kernel takes about 100 bytes.
const (
	monitorSocket = ".monitor"
	agentSocket   = ".agent"
)

// privateDir returns the directory of the sockets, made when it is not there.
func privateDir() (string, error) {
	dir := "/run/serai/qemu"
	if os.Geteuid() != 0 {
		dir = filepath.Join(os.TempDir(), "serai-qemu-"+strconv.Itoa(os.Geteuid()))
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if owner, ok := st.Sys().(*syscall.Stat_t); !ok || !st.IsDir() || st.Mode().Perm() != 0o700 || int(owner.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s must be a directory that the agent's user alone can enter: remove it", dir)
	}
	return dir, nil
}

// socketPath is where a task's socket of that kind lies.
func socketPath(dir, taskID, kind string) string {
	sum := sha256.Sum256([]byte(taskID))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])+kind)
}

// listen makes a listening socket to hand over. One that a killed start has left is replaced.
func listen(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	return l.File()
}

// removeSockets removes a task's sockets. Their absence is no error.
func removeSockets(taskID string) error {
	dir, err := privateDir()
	if err != nil {
		return nil // then there are none
	}
	var errs []error
	for _, kind := range []string{monitorSocket, agentSocket} {
		if err := os.Remove(socketPath(dir, taskID, kind)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeAbandoned removes sockets older than age at which nobody listens any more.
func removeAbandoned(age time.Duration) {
	dir, err := privateDir()
	if err != nil {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || st.Mode().Type() != os.ModeSocket || time.Since(st.ModTime()) < age {
			continue
		}
		if !strings.HasSuffix(e.Name(), monitorSocket) && !strings.HasSuffix(e.Name(), agentSocket) {
			continue
		}
		conn, err := dial(context.Background(), filepath.Join(dir, e.Name()))
		if err == nil {
			_ = conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
