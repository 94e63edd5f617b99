package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/events"
	"github.com/seraihq/serai/drivers/internal/process"
	"github.com/seraihq/serai/drivers/internal/signals"
	"github.com/seraihq/serai/drivers/internal/tasktable"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/failpoint"
)

// handleVersion is the version of State.
const handleVersion = 1

// Set is a driver's tasks. Its methods implement the parts of drivers.Driver, and of Signaler, Stater and EventSource, that do not
// depend on how a process is started.
type Set struct {
	Logger *slog.Logger
	// CleanupFor returns what Task.Cleanup is for a recovered task; nil when nothing.
	CleanupFor func(*Task) func(context.Context) error

	tasks  tasktable.Table[*Task]
	tidied sync.Once
	layout func() (*cgroup.Layout, error)
	events events.Feed
}

// NewSet returns an empty Set. It looks at the machine when first asked for Layout.
func NewSet(logger *slog.Logger) *Set {
	return &Set{Logger: logger, layout: sync.OnceValues(cgroup.Find)}
}

// Layout is where groups can be made.
func (s *Set) Layout() (*cgroup.Layout, error) { return s.layout() }

// abandoned is the age at which what a killed start has left, and nobody has asked for, is removed.
const abandoned = time.Hour

// Tidy removes what earlier, killed processes of drivers have left behind for long, once; more is what the driver itself has to remove. Drivers
// call it before their first start.
func (s *Set) Tidy(more func(age time.Duration)) {
	s.tidied.Do(func() {
		if more != nil {
			more(abandoned)
		}
		if l, err := s.layout(); err == nil && os.Geteuid() == 0 {
			l.RemoveAbandoned(abandoned)
		}
	})
}

// Lookup returns a task.
func (s *Set) Lookup(id string) (*Task, bool) { return s.tasks.Lookup(id) }

// Get returns a task, or drivers.ErrTaskNotFound.
func (s *Set) Get(id string) (*Task, error) { return s.tasks.Get(id) }

// Tasks returns how many tasks run and how many are known altogether.
func (s *Set) Tasks() (running, known int) { return s.tasks.Count((*Task).Running) }

// Begin watches over a task whose process has just been started, and returns its handle.
func (s *Set) Begin(t *Task, p *process.Process) (*drivers.TaskHandle, error) {
	t.process, t.done, t.tell = p, make(chan struct{}), func(text string) { s.Tell(t.Config, text) }
	t.State.Process = p.Identity()
	t.holdOutputs()
	text, err := json.Marshal(t.State)
	if err != nil {
		return nil, err
	}
	if !s.tasks.Add(t.ID, t) {
		_ = p.Signal(unix.SIGKILL)
		_, _ = p.Wait(context.Background())
		_ = p.Close()
		t.releaseOutputs()
		return nil, fmt.Errorf("task %s is there already", t.ID)
	}
	go t.watch()
	failpoint.Kill("supervise:begun")
	return &drivers.TaskHandle{Version: handleVersion, Config: t.Config, State: drivers.TaskRunning, DriverState: text}, nil
}

// Recover implements drivers.Driver.
func (s *Set) Recover(ctx context.Context, h *drivers.TaskHandle) error {
	if h == nil || h.Config == nil {
		return errors.New("recover: the handle has no task")
	}
	if _, there := s.tasks.Lookup(h.Config.ID); there {
		return nil
	}
	t := &Task{ID: h.Config.ID, Name: h.Config.Name, Config: h.Config, done: make(chan struct{}), recovered: true}
	if h.Version != handleVersion {
		return fmt.Errorf("task %s: its handle has version %d, and this driver knows %d: %w", t.ID, h.Version, handleVersion, drivers.ErrTaskNotFound)
	}
	if err := json.Unmarshal(h.DriverState, &t.State); err != nil {
		return fmt.Errorf("task %s: its handle cannot be read: %w: %w", t.ID, err, drivers.ErrTaskNotFound)
	}
	t.tell = func(text string) { s.Tell(t.Config, text) }
	_, t.forks = t.State.Group.Forks() // told by the one before
	if s.CleanupFor != nil {
		t.Cleanup = s.CleanupFor(t)
	}
	p, err := process.Open(t.State.Process)
	switch {
	case err == nil:
		t.process = p
		t.holdOutputs()
		if s.tasks.Add(t.ID, t) {
			go t.watch()
		} else {
			_ = p.Close()
			t.releaseOutputs()
		}
		return nil
	case !errors.Is(err, process.ErrGone):
		return fmt.Errorf("task %s: %w", t.ID, err)
	}
	// It ended while nobody watched; what it left behind ends now.
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	killErr := t.State.Group.Kill(ctx)
	if !s.tasks.Add(t.ID, t) {
		return nil
	}
	if e, known := t.returned(); known {
		t.finish(e.result(), e.Completed)
		return nil
	}
	t.end(process.Exit{}, killErr)
	return nil
}

// Inspect implements drivers.Driver.
func (s *Set) Inspect(_ context.Context, id string) (drivers.TaskStatus, error) {
	t, err := s.tasks.Get(id)
	if err != nil {
		return drivers.TaskStatus{}, err
	}
	return t.status(), nil
}

// Wait implements drivers.Driver.
func (s *Set) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	t, err := s.tasks.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	select {
	case <-t.done:
		return t.Result(), nil
	case <-ctx.Done():
		return drivers.ExitResult{}, ctx.Err()
	}
}

// Stop implements drivers.Driver. Without a signal it is SIGINT, as job files expect.
func (s *Set) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	t, err := s.tasks.Get(id)
	if err != nil {
		return err
	}
	sig, err := signals.Parse(signal, "SIGINT")
	if err != nil {
		return err
	}
	if !t.Running() {
		return nil
	}
	return t.stop(ctx, timeout, sig)
}

// Signal implements drivers.Signaler.
func (s *Set) Signal(_ context.Context, id, signal string) error {
	t, err := s.tasks.Get(id)
	if err != nil {
		return err
	}
	sig, err := signals.Parse(signal, "")
	if err != nil {
		return err
	}
	return t.Signal(sig)
}

// Destroy implements drivers.Driver. With force, a group that an unknown task has left behind, started by a host that died before it
// could tell, is ended too.
func (s *Set) Destroy(ctx context.Context, id string, force bool) error {
	t, there := s.tasks.Lookup(id)
	if !there {
		if force {
			return s.sweep(ctx, id)
		}
		return nil
	}
	if t.Running() {
		if !force {
			return fmt.Errorf("task %s still runs: stop it first, or force", id)
		}
		if err := t.kill(ctx); err != nil {
			return err
		}
	}
	failpoint.Kill("supervise:destroying")
	var errs []error
	if t.Cleanup != nil {
		errs = append(errs, t.Cleanup(ctx))
	}
	failpoint.Kill("supervise:cleaned")
	if err := errors.Join(append(errs, t.State.Group.Remove(ctx))...); err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	failpoint.Kill("supervise:removed")
	t.releaseOutputs()
	if t.recovered {
		t.forgetEnded()
	}
	s.tasks.Delete(id)
	return nil
}

func (s *Set) sweep(ctx context.Context, id string) error {
	l, err := s.layout()
	if err != nil {
		return nil
	}
	g, there := l.Lookup(cgroup.Name(id))
	if !there {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	if err := errors.Join(g.Kill(ctx), g.Remove(ctx)); err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	return nil
}

// Events implements drivers.EventSource.
func (s *Set) Events(ctx context.Context) (<-chan drivers.TaskEvent, error) {
	return s.events.Listen(ctx), nil
}

// Tell tells listeners about a task.
func (s *Set) Tell(t *drivers.TaskConfig, message string) { s.events.Tell(t, message) }
