package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// groupsRoot is where the control groups (version 2) of scripts are. A group is how all processes of a script are found, whatever they do.
func groupsRoot() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			dir = filepath.Join(dir, "script-driver")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return "", fmt.Errorf("control groups: %w", err)
			}
			return dir, nil
		}
	}
	return "", errors.New("control groups of version 2 are not mounted")
}

// makeGroup makes the group of one start of a task.
func makeGroup(taskID string) (string, error) {
	root, err := groupsRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, strings.ReplaceAll(taskID, "/", "."))
	return dir, os.Mkdir(dir, 0o755)
}

// startIn starts cmd inside the group, on the cores given as in "0-3,7" (empty: all). The process is ours to wait for, by its number or by the
// returned pidfd.
func startIn(group, cores string, cmd *exec.Cmd) (pid, pidfd int, err error) {
	back, err := pin(cores)
	if err != nil {
		return 0, -1, err
	}
	defer back()
	dir, err := os.Open(group)
	if err != nil {
		return 0, -1, err
	}
	defer dir.Close()
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	cmd.SysProcAttr.PidFD = &pidfd
	if err := cmd.Start(); err != nil {
		return 0, -1, err
	}
	pid = cmd.Process.Pid
	return pid, pidfd, cmd.Process.Release()
}

// killGroup ends all processes of a group at once, and returns when they are gone.
func killGroup(ctx context.Context, group string) error {
	for {
		procs, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(procs) == 0 {
			return nil
		}
		if err := os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("processes %s do not end: %w", strings.Fields(string(procs)), ctx.Err())
		}
	}
}

func removeGroup(group string) error {
	if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// pin keeps this thread, and what it starts, to some cores until back is called.
func pin(cores string) (back func(), err error) {
	if cores == "" {
		return func() {}, nil
	}
	var old, set unix.CPUSet
	for part := range strings.SplitSeq(cores, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		first, errF := strconv.Atoi(low)
		last, errL := strconv.Atoi(high)
		if errF != nil || errL != nil {
			return nil, fmt.Errorf("cores %q cannot be read", cores)
		}
		for c := first; c <= last; c++ {
			set.Set(c)
		}
	}
	runtime.LockOSThread()
	if err := errors.Join(unix.SchedGetaffinity(0, &old), unix.SchedSetaffinity(0, &set)); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("cores %s: %w", cores, err)
	}
	return func() {
		if unix.SchedSetaffinity(0, &old) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with its goroutine
		}
	}, nil
}
