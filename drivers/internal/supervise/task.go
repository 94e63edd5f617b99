package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/stdio"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/failpoint"
)

// killPatience is how long the kernel is given to end processes that were sent SIGKILL.
const killPatience = 10 * time.Second

// State is what a handle keeps of a task, as JSON in DriverState.
type State struct {
	Process process.Identity
	Group   cgroup.Group
	Started time.Time
	// OOMKills is the group's count at the start.
	OOMKills uint64 `json:",omitempty"`
	// OverLimit: the task was killed because it used more memory than it may before the limit could be set.
	OverLimit bool `json:",omitempty"`
	// Driver is the driver's own.
	Driver map[string]string `json:",omitempty"`
}

// Task is one task from its start to Destroy.
type Task struct {
	ID, Name string
	Config   *drivers.TaskConfig
	State    State
	// Cleanup frees what the driver holds for the task beyond its group; nil when nothing. It is called once, by Destroy.
	Cleanup func(context.Context) error

	process *process.Process
	done    chan struct{}
	// recovered: another process of the driver has started it.
	recovered bool
	// outputs are the task's pipes, held open so that what it wrote last stays in them until it is destroyed, even when the task and the
	// agent that reads them end at the same time.
	outputs []*os.File

	// tell is for the task's events.
	tell func(string)

	mu        sync.Mutex
	completed time.Time
	result    drivers.ExitResult
	looks     looks
	// forks is how often the kernel had refused the task a process when that was last told.
	forks uint64
}

// Running is whether the task's main process has not ended yet.
func (t *Task) Running() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}

// holdOutputs opens the task's pipes. A pipe that is not there any more holds nothing.
func (t *Task) holdOutputs() {
	for _, path := range []string{t.Config.StdoutPath, t.Config.StderrPath} {
		if path == "" {
			continue
		}
		if f, err := stdio.Open(t.Config.AllocDir, path); err == nil {
			t.outputs = append(t.outputs, f)
		}
	}
}

func (t *Task) releaseOutputs() {
	for _, f := range t.outputs {
		_ = f.Close()
	}
}

// watch waits for the end of the main process, ends what it left behind, and keeps how it ended.
func (t *Task) watch() {
	if len(t.State.Group.Paths) == 0 && t.process.Ended(context.Background()) == nil {
		t.killSession() // before its number is free for others
	}
	exit, err := t.process.Wait(context.Background())
	if err != nil {
		exit = process.Exit{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	killErr := t.State.Group.Kill(ctx)
	failpoint.Kill("supervise:ended")
	t.tellForks()
	t.end(exit, killErr)
	_ = t.process.Close()
}

// tellForks tells the task's events, once, that it has come to the limit of its processes: all that the task itself sees are calls that fail.
func (t *Task) tellForks() {
	limit, refused := t.State.Group.Forks()
	t.mu.Lock()
	first := refused > 0 && limit > 0 && t.forks == 0
	t.forks = max(t.forks, refused)
	t.mu.Unlock()
	if first && t.tell != nil {
		t.tell(fmt.Sprintf("The task has reached its limit of %d processes and threads, and could not start another: raise pids_limit, or start fewer", limit))
	}
}

func (t *Task) end(exit process.Exit, err error) {
	r := drivers.ExitResult{ExitCode: exit.Code, Signal: exit.Signal}
	if !exit.Known {
		r.ExitCode, r.Err = -1, drivers.ErrExitUnknown
	}
	if !r.Successful() && (t.State.OverLimit || t.State.Group.OOMKills() > t.State.OOMKills) {
		r.OOMKilled = true
	}
	if r.Err == nil {
		r.Err = err
	}
	t.finish(r, time.Now())
}

// finish keeps how the task ended, and tells those who wait.
func (t *Task) finish(r drivers.ExitResult, at time.Time) {
	t.mu.Lock()
	t.result, t.completed = r, at
	t.mu.Unlock()
	close(t.done)
}

// Result is how the task ended; it holds once Running is false.
func (t *Task) Result() drivers.ExitResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}

// Signal sends a signal to the main process.
func (t *Task) Signal(sig unix.Signal) error {
	if !t.Running() {
		return fmt.Errorf("task %s has ended: there is nothing to signal", t.ID)
	}
	if err := t.process.Signal(sig); err != nil {
		return fmt.Errorf("task %s: signal: %w", t.ID, err)
	}
	return nil
}

// stop signals the main process, gives it timeout, and then kills the whole group.
func (t *Task) stop(ctx context.Context, timeout time.Duration, sig unix.Signal) error {
	if t.Suspended() { // it could not hear the signal
		if err := t.State.Group.Thaw(); err != nil {
			timeout = 0
		}
	}
	if err := t.process.Signal(sig); err != nil && t.Running() && !errors.Is(err, process.ErrGone) {
		timeout = 0
	}
	failpoint.Kill("supervise:signalled")
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	return t.kill(ctx)
}

// kill ends the whole group and waits until the end has been noticed.
func (t *Task) kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	if len(t.State.Group.Paths) == 0 {
		t.killSession()
	}
	_ = t.process.Signal(unix.SIGKILL)
	failpoint.Kill("supervise:killing")
	if err := t.State.Group.Kill(ctx); err != nil {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("task %s: process %d does not end after SIGKILL: %w", t.ID, t.State.Process.PID, ctx.Err())
	}
}

// killSession is the next best where there are no groups: it reaches what has not left the task's process group.
func (t *Task) killSession() { _ = unix.Kill(-t.State.Process.PID, unix.SIGKILL) }

func (t *Task) status() drivers.TaskStatus {
	s := drivers.TaskStatus{ID: t.ID, Name: t.Name, State: drivers.TaskRunning, StartedAt: t.State.Started,
		Attributes: map[string]string{"pid": fmt.Sprint(t.State.Process.PID)}}
	if !t.Running() {
		t.mu.Lock()
		defer t.mu.Unlock()
		r := t.result
		s.State, s.CompletedAt, s.Exit = drivers.TaskExited, t.completed, &r
	}
	return s
}
