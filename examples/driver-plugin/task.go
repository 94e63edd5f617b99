package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// task is one script from its start to Destroy.
type task struct {
	handle
	config *drivers.TaskConfig
	pidfd  int // of the interpreter; -1 when it had ended before this process knew it
	// done is closed once the task has ended; result and ended hold from then on.
	done   chan struct{}
	result drivers.ExitResult
	ended  time.Time
	// outputs keep what the task wrote last in its pipes while the agent is away.
	outputs []*os.File
}

// start runs the script in a control group of its own.
func start(cfg *drivers.TaskConfig, c taskConfig) (t *task, err error) {
	cmd, err := command(cfg, c.Command)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(cfg.TaskDir().Root, "private", "script")
	if err := os.WriteFile(file, []byte(c.Script), 0o600); err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	script, err := os.Open(file) // given to the interpreter as an open file: only root enters the directory
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	defer script.Close()
	if u := cmd.SysProcAttr.Credential; u != nil {
		if err := script.Chown(int(u.Uid), int(u.Gid)); err != nil {
			return nil, fmt.Errorf("script: %w", err)
		}
	}
	cmd.ExtraFiles = []*os.File{script}
	cmd.Args = append([]string{c.Command, "/dev/fd/3"}, c.Args...)
	if c.Command == "awk" {
		cmd.Args = append([]string{c.Command, "-f", "/dev/fd/3"}, c.Args...)
	}
	t = &task{config: cfg, done: make(chan struct{})}
	if t.outputs, err = outputs(cfg); err != nil {
		return nil, errors.Join(err, t.closeOutputs())
	}
	cmd.Stdout, cmd.Stderr = t.outputs[0], t.outputs[1]
	if t.Group, err = makeGroup(cfg.ID); err != nil {
		return nil, errors.Join(err, t.closeOutputs())
	}
	if t.PID, t.pidfd, err = startIn(t.Group, cfg.Resources.Cpuset, cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start %q: %w", c.Command, err), removeGroup(t.Group), t.closeOutputs())
	}
	t.Started = time.Now()
	t.StartTime, _ = startTime(t.PID)
	go t.watch()
	return t, nil
}

// command is the program with the task's user, directory and environment: nothing of this process's own.
func command(cfg *drivers.TaskConfig, name string) (*exec.Cmd, error) {
	env := cfg.Environ()
	if env["PATH"] == "" {
		env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	path, err := find(name, env["PATH"])
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: []string{name}, Dir: cfg.TaskDir().Root, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if cfg.User != "" {
		if cmd.SysProcAttr.Credential, err = credential(cfg.User); err != nil {
			return nil, err
		}
	}
	return cmd, nil
}

func find(name, searchPath string) (string, error) {
	if filepath.IsAbs(name) {
		if _, err := os.Stat(name); err != nil {
			return "", drivers.CommandNotFound(name, "on this node")
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && filepath.IsAbs(file) && !st.IsDir() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", drivers.CommandNotFound(name, "in PATH "+searchPath)
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("user %q does not exist on this node", name)
		}
	}
	uid, errU := strconv.ParseUint(u.Uid, 10, 31)
	gid, errG := strconv.ParseUint(u.Gid, 10, 31)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errU, errG)
}

// outputs opens the task's pipes for reading and writing, so that nobody's end can kill the task by SIGPIPE. The allocation's directory is the
// task's to write: what stands there is opened beneath it, and must be a pipe.
func outputs(cfg *drivers.TaskConfig) ([]*os.File, error) {
	root, err := os.OpenRoot(cfg.AllocDir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []*os.File
	for _, path := range []string{cfg.StdoutPath, cfg.StderrPath} {
		var f *os.File
		if path == "" { // the job wants no logs
			f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
		} else if name, relErr := filepath.Rel(cfg.AllocDir, path); relErr == nil {
			f, err = root.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
		} else {
			err = relErr
		}
		if err != nil {
			return out, fmt.Errorf("output: %w", err)
		}
		out = append(out, f)
		if st, err := f.Stat(); err != nil || path != "" && st.Mode().Type() != os.ModeNamedPipe {
			return out, fmt.Errorf("output: %s is not a pipe (%v)", path, err)
		}
		// The task inherits the mode of the open file, and would lose what it writes to a full pipe that does not block. os/exec does not change
		// the mode of a file that was opened as non-blocking.
		if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
			return out, fmt.Errorf("output: %s: %w", path, err)
		}
	}
	return out, nil
}

func (t *task) closeOutputs() error {
	for _, f := range t.outputs {
		_ = f.Close()
	}
	return nil
}

// resume finds a running task again. One that is gone has ended, and nobody can say how.
func resume(cfg *drivers.TaskConfig, h handle) *task {
	t := &task{handle: h, config: cfg, pidfd: -1, done: make(chan struct{})}
	t.outputs, _ = outputs(cfg)
	if fd, err := unix.PidfdOpen(h.PID, 0); err == nil {
		if at, err := startTime(h.PID); err == nil && at == h.StartTime { // the number may be another's by now
			t.pidfd = fd
		} else {
			_ = unix.Close(fd)
		}
	}
	go t.watch()
	return t
}

// watch waits for the interpreter's end, and ends what it has left behind.
func (t *task) watch() {
	exit := drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}
	if t.pidfd >= 0 {
		exit = waitEnd(t.PID, t.pidfd)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := killGroup(ctx, t.Group); err != nil && exit.Err == nil {
		exit.Err = err
	}
	t.result, t.ended = exit, time.Now()
	close(t.done)
}

// waitEnd waits for a process that may or may not be our child.
func waitEnd(pid, fd int) drivers.ExitResult {
	for {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err == nil && n > 0 {
			break
		}
	}
	var status unix.WaitStatus
	if got, err := unix.Wait4(pid, &status, 0, nil); err == nil && got == pid {
		return exitOf(status)
	}
	// Not ours: an earlier process of the driver was its parent. Linux 6.15 and newer tell all the same, once it has been reaped.
	for range 400 {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if unix.IoctlPidfdInfo(fd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return exitOf(unix.WaitStatus(info.Exit_code))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}
}

func exitOf(s unix.WaitStatus) drivers.ExitResult {
	if s.Signaled() {
		return drivers.ExitResult{Signal: int(s.Signal())}
	}
	return drivers.ExitResult{ExitCode: s.ExitStatus()}
}

func (t *task) running() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}

func (t *task) signal(sig unix.Signal) error {
	if !t.running() {
		return fmt.Errorf("task %s has ended: there is nothing to signal", t.config.ID)
	}
	return unix.PidfdSendSignal(t.pidfd, sig, nil, 0)
}

// kill ends all processes of the task and waits until that has been seen.
func (t *task) kill(ctx context.Context) error {
	if err := killGroup(ctx, t.Group); err != nil {
		return fmt.Errorf("task %s: %w", t.config.ID, err)
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *task) status() drivers.TaskStatus {
	s := drivers.TaskStatus{ID: t.config.ID, Name: t.config.Name, State: drivers.TaskRunning, StartedAt: t.Started,
		Attributes: map[string]string{"pid": strconv.Itoa(t.PID)}}
	if !t.running() {
		r := t.result
		s.State, s.CompletedAt, s.Exit = drivers.TaskExited, t.ended, &r
	}
	return s
}

// startTime is when a process was started, in clock ticks since boot: with its number, that names it for good.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// signalNumber reads "SIGHUP", "hup" or "HUP".
func signalNumber(name, fallback string) (unix.Signal, error) {
	if name == "" {
		name = fallback
	}
	full := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if n := unix.SignalNum(full); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("signal %q does not exist", name)
}
