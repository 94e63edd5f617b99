package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
)

// Driver is the script driver.
type Driver struct {
	mu     sync.Mutex
	config config
	tasks  map[string]*task
}

// New returns the driver with its default configuration.
func New() *Driver {
	d := &Driver{tasks: map[string]*task{}}
	_ = configSchema.DecodeInto(nil, &d.config) // the defaults are sound
	return d
}

// Info says what the driver is and can do beyond the minimum.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: "script", Version: "1.0.0", Abilities: drivers.Abilities{Signal: true, Exec: true, FS: drivers.FSNone}}
}

// ConfigSchema and TaskSchema are in config.go.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema }

// TaskSchema describes a task's config block.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure takes the operator's configuration; it holds for tasks started later.
func (d *Driver) Configure(_ context.Context, raw map[string]any) error {
	var c config
	if err := configSchema.DecodeInto(raw, &c); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
	return nil
}

// Fingerprint tells the node whether scripts can run here. It is asked once and would send again if the answer changed.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	fp := drivers.Fingerprint{Health: drivers.HealthHealthy, Description: "Healthy",
		Attributes: map[string]any{"driver.script": true, "driver.script.version": d.Info().Version}}
	if _, err := groupsRoot(); err != nil {
		fp = drivers.Fingerprint{Health: drivers.HealthUndetected, Description: err.Error()}
	}
	out := make(chan drivers.Fingerprint, 1)
	out <- fp
	context.AfterFunc(ctx, func() { close(out) })
	return out, nil
}

// handle is what the agent keeps for us, to find the task again when this process has been started anew.
type handle struct {
	PID       int
	StartTime uint64
	Group     string
	Started   time.Time
}

const handleVersion = 1

// Start runs the script and returns when it runs.
func (d *Driver) Start(_ context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tasks[cfg.ID] != nil {
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	c, err := decodeTask(cfg.Config, d.config)
	if err != nil {
		return nil, err
	}
	t, err := start(cfg, c)
	if err != nil {
		return nil, err
	}
	d.tasks[cfg.ID] = t
	state, err := json.Marshal(t.handle)
	return &drivers.TaskHandle{Version: handleVersion, Config: cfg, State: drivers.TaskRunning, DriverState: state}, err
}

// Recover takes charge of a task that an earlier process of this driver started.
func (d *Driver) Recover(_ context.Context, h *drivers.TaskHandle) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tasks[h.Config.ID] != nil {
		return nil
	}
	var state handle
	if err := json.Unmarshal(h.DriverState, &state); err != nil || h.Version != handleVersion {
		return fmt.Errorf("task %s: its handle cannot be read (%v): %w", h.Config.ID, err, drivers.ErrTaskNotFound)
	}
	d.tasks[h.Config.ID] = resume(h.Config, state)
	return nil
}

func (d *Driver) task(id string) (*task, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tasks[id]; t != nil {
		return t, nil
	}
	return nil, drivers.TaskNotFound(id)
}

// Inspect describes a task.
func (d *Driver) Inspect(_ context.Context, id string) (drivers.TaskStatus, error) {
	t, err := d.task(id)
	if err != nil {
		return drivers.TaskStatus{}, err
	}
	return t.status(), nil
}

// Wait returns when the task has ended.
func (d *Driver) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	t, err := d.task(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	select {
	case <-t.done:
		return t.result, nil
	case <-ctx.Done():
		return drivers.ExitResult{}, ctx.Err()
	}
}

// Stop asks the task to end, and ends it after timeout.
func (d *Driver) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	t, err := d.task(id)
	if err != nil {
		return err
	}
	sig, err := signalNumber(signal, "SIGTERM")
	if err != nil {
		return err
	}
	_ = t.signal(sig) // it may have ended meanwhile
	select {
	case <-t.done:
		return nil
	case <-time.After(timeout):
		return t.kill(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Signal sends a signal to the script.
func (d *Driver) Signal(_ context.Context, id, signal string) error {
	t, err := d.task(id)
	if err != nil {
		return err
	}
	sig, err := signalNumber(signal, "")
	if err != nil {
		return err
	}
	return t.signal(sig)
}

// Destroy forgets the task and removes what it left.
func (d *Driver) Destroy(ctx context.Context, id string, force bool) error {
	t, err := d.task(id)
	if err != nil {
		return nil
	}
	if t.running() {
		if !force {
			return fmt.Errorf("task %s still runs: stop it first, or force", id)
		}
		if err := t.kill(ctx); err != nil {
			return err
		}
	}
	d.mu.Lock()
	delete(d.tasks, id)
	d.mu.Unlock()
	return errors.Join(removeGroup(t.Group), t.closeOutputs())
}

// Tasks lets the driver's process end by itself when no agent is left and nothing runs (plugin.Tasked).
func (d *Driver) Tasks() (running, known int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tasks {
		if t.running() {
			running++
		}
	}
	return running, len(d.tasks)
}
