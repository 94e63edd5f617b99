package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/signals"
	"github.com/seraihq/serai/internal/failpoint"
)

const (
	// killPatience is how long the engine is given to end a container, drainPatience how long the last of its output may
	// come to a stand.
	killPatience  = 30 * time.Second
	drainPatience = 10 * time.Second
	// firstDelay and lastDelay are how long is waited before the engine is asked again when it does not answer.
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// state is what a handle keeps of a task, as JSON in DriverState.
type state struct {
	Container string `json:",omitempty"`
	Name      string `json:",omitempty"`
	Started   time.Time
	// StopSignal is the image's.
	StopSignal string `json:",omitempty"`
	TTY        bool   `json:",omitempty"`
	Pid        int    `json:",omitempty"`
	// Fallback is set when the container driver has started the task; the rest is empty then.
	Fallback *fallbackState `json:",omitempty"`
}

// task is one task from its start to Destroy.
type task struct {
	driver *Driver
	cfg    *drivers.TaskConfig
	state  state
	net    *drivers.Network
	logs   *logReader

	// stopWatching ends the goroutines of a task whose container is taken away.
	stopWatching context.CancelFunc
	watched      chan struct{}
	done         chan struct{}

	mu        sync.Mutex
	completed time.Time
	result    drivers.ExitResult
}

func (d *Driver) newTask(cfg *drivers.TaskConfig, s state) *task {
	return &task{driver: d, cfg: cfg, state: s, done: make(chan struct{}), watched: make(chan struct{})}
}

func (t *task) running() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}

func (t *task) exit() drivers.ExitResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.result
}

// begin starts to watch over the task.
func (t *task) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	t.stopWatching = cancel
	go t.watch(ctx)
}

// watch follows the container to its end, however often the engine goes away meanwhile, and its output to the last line.
func (t *task) watch(ctx context.Context) {
	defer close(t.watched)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	var logs sync.WaitGroup
	ended := make(chan struct{})
	logs.Go(func() { t.logs.run(reading, t.driver, t.state, ended) })
	result, known := t.await(ctx)
	close(ended)
	stalled := time.AfterFunc(drainPatience, stopReading)
	t.logs.passed.Store(&drain{timer: stalled})
	logs.Wait()
	stalled.Stop()
	if known {
		t.end(result)
	}
}

func (t *task) end(r drivers.ExitResult) {
	t.mu.Lock()
	t.result, t.completed = r, time.Now()
	t.mu.Unlock()
	close(t.done)
}

// await returns how the container ended; not known when ctx ends before.
func (t *task) await(ctx context.Context) (drivers.ExitResult, bool) {
	var last *drivers.ExitResult
	for delay := firstDelay; ctx.Err() == nil; delay = min(2*delay, lastDelay) {
		began := time.Now()
		r, ended, err := t.look(ctx)
		if err == nil && ended {
			return r, true
		}
		if gone(err) {
			if last != nil {
				return *last, true
			}
			return drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}, true
		}
		if err == nil {
			if code, ok := t.block(ctx); ok {
				last = exitResult(code, false)
				delay = firstDelay / 2
				continue
			}
		}
		if time.Since(began) > lastDelay {
			delay = firstDelay
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
		t.driver.engine.forget()
	}
	return drivers.ExitResult{}, false
}

// look asks the engine once how the container is.
func (t *task) look(ctx context.Context) (drivers.ExitResult, bool, error) {
	cli, err := t.driver.engine.client()
	if err != nil {
		return drivers.ExitResult{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := cli.ContainerInspect(ctx, t.state.Container, client.ContainerInspectOptions{})
	if err != nil {
		return drivers.ExitResult{}, false, err
	}
	s := c.Container.State
	if s == nil || s.Running || s.Restarting || s.Status == container.StateCreated {
		return drivers.ExitResult{}, false, nil
	}
	return *exitResult(int64(s.ExitCode), s.OOMKilled), true, nil
}

// block waits at the engine until the container has ended, or the engine goes away.
func (t *task) block(ctx context.Context) (int64, bool) {
	cli, err := t.driver.engine.client()
	if err != nil {
		return 0, false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := cli.ContainerWait(ctx, t.state.Container, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case r := <-w.Result:
		return r.StatusCode, r.Error == nil
	case <-w.Error:
		return 0, false
	case <-ctx.Done():
		return 0, false
	}
}

// exitResult reads an exit code as shells do: above 128 it is that of a signal.
func exitResult(code int64, oom bool) *drivers.ExitResult {
	r := &drivers.ExitResult{ExitCode: int(code), OOMKilled: oom}
	if code > 128 && code <= 128+64 {
		r.Signal = int(code - 128)
	}
	return r
}

// kill sends a signal to the container's first process.
func (t *task) kill(ctx context.Context, signal string) error {
	sig, err := signals.Parse(signal, t.state.StopSignal)
	if err != nil {
		return err
	}
	cli, err := t.driver.engine.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := cli.ContainerKill(ctx, t.state.Container, client.ContainerKillOptions{Signal: fmt.Sprint(int(sig))}); err != nil && t.running() {
		return fmt.Errorf("task %s: signal: %w", t.cfg.ID, err)
	}
	return nil
}

// stop signals the container, gives it timeout, and then kills it.
func (t *task) stop(ctx context.Context, timeout time.Duration, signal string) error {
	if _, err := signals.Parse(signal, t.state.StopSignal); err != nil {
		return err
	}
	if !t.running() {
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	if err := t.kill(ctx, signal); err != nil && gone(err) {
		timer.Reset(0)
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	return t.killForGood(ctx)
}

// killForGood kills the container and waits until its end has been noticed. It asks again while the engine is away.
func (t *task) killForGood(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	for {
		err := t.kill(ctx, "SIGKILL")
		wait := 5 * time.Second
		if err != nil {
			wait = 200 * time.Millisecond
		}
		select {
		case <-t.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("task %s: container %s does not end: %w", t.cfg.ID, t.state.Name, errors.Join(err, ctx.Err()))
		case <-time.After(wait):
		}
	}
}

// destroy kills what runs and removes the container.
func (t *task) destroy(ctx context.Context) error {
	if t.running() {
		if err := t.killForGood(ctx); err != nil {
			return err
		}
	}
	failpoint.Kill("docker:killed")
	if t.driver.settings.Load().GC.Container {
		cli, err := t.driver.engine.client()
		if err != nil {
			return err
		}
		if err := remove(ctx, cli, t.state.Container); err != nil {
			return err
		}
	}
	t.stopWatching()
	<-t.watched
	t.logs.close()
	return nil
}

// status describes the task.
func (t *task) status() drivers.TaskStatus {
	s := drivers.TaskStatus{ID: t.cfg.ID, Name: t.cfg.Name, State: drivers.TaskRunning, StartedAt: t.state.Started, Network: t.net,
		Attributes: map[string]string{"container_id": t.state.Container, "container_name": t.state.Name, "pid": fmt.Sprint(t.state.Pid)}}
	if !t.running() {
		t.mu.Lock()
		defer t.mu.Unlock()
		r := t.result
		s.State, s.CompletedAt, s.Exit = drivers.TaskExited, t.completed, &r
	}
	return s
}

// remove removes a container that may run, be gone, or be removed by somebody else at the moment.
func remove(ctx context.Context, cli *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	for {
		_, err := cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || gone(err) {
			return nil
		}
		if !cerrdefs.IsConflict(err) {
			return fmt.Errorf("remove container %s: %w", id, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove container %s: %w", id, errors.Join(err, ctx.Err()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
