package mock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/signals"
	"github.com/seraihq/serai/drivers/internal/tasktable"
)

// Name is what job files write.
const Name = "mock_driver"

// Driver is mock_driver.
type Driver struct {
	tasks tasktable.Table[*task]

	mu     sync.Mutex
	config config
}

// New returns the driver.
func New(*slog.Logger) *Driver { return &Driver{config: config{FSIsolation: drivers.FSNone}} }

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		Signal: true, Exec: true, FS: d.config.FSIsolation, Mounts: true,
		NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup},
	}}
}

// Tasks returns how many tasks run and how many are known altogether.
func (d *Driver) Tasks() (running, known int) { return d.tasks.Count((*task).running) }

// ConfigSchema implements drivers.Driver.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema }

// TaskSchema implements drivers.Driver.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure implements drivers.Driver.
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

// Fingerprint implements drivers.Driver. With shutdown_periodic_after it reports ill and well in turns.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	d.mu.Lock()
	c := d.config
	d.mu.Unlock()
	out := make(chan drivers.Fingerprint, 1)
	healthy := drivers.Fingerprint{Attributes: map[string]any{"driver." + Name: true}, Health: drivers.HealthHealthy, Description: "Healthy"}
	out <- healthy
	go func() {
		defer close(out)
		var tick <-chan time.Time
		if c.ShutdownPeriodicAfter && c.ShutdownPeriodicDuration > 0 {
			t := time.NewTicker(time.Duration(c.ShutdownPeriodicDuration) * time.Second)
			defer t.Stop()
			tick = t.C
		}
		next := drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "shut down as configured"}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
			select {
			case <-ctx.Done():
				return
			case out <- next:
			}
			next, healthy = healthy, next
		}
	}()
	return out, nil
}

// state is what a handle keeps.
type state struct{ Started time.Time }

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	var c taskConfig
	if err := taskSchema.DecodeInto(cfg.Config, &c); err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	if c.StartBlockFor > 0 {
		select {
		case <-time.After(time.Duration(c.StartBlockFor)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c.StartError != "" {
		return nil, &drivers.StartError{Recoverable: c.StartErrorRecoverable, Err: errors.New(c.StartError)}
	}
	t, err := newTask(cfg, c, time.Now())
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	if !d.tasks.Add(cfg.ID, t) {
		t.finish(drivers.ExitResult{})
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	text, err := json.Marshal(state{Started: t.started})
	if err != nil {
		return nil, err
	}
	return &drivers.TaskHandle{Version: 1, Config: cfg, State: drivers.TaskRunning, DriverState: text, Network: t.network}, nil
}

// Recover implements drivers.Driver.
func (d *Driver) Recover(_ context.Context, h *drivers.TaskHandle) error {
	if _, there := d.tasks.Lookup(h.Config.ID); there {
		return nil
	}
	var s state
	if err := json.Unmarshal(h.DriverState, &s); err != nil {
		return fmt.Errorf("task %s: handle: %w", h.Config.ID, err)
	}
	var c taskConfig
	if err := taskSchema.DecodeInto(h.Config.Config, &c); err != nil {
		return err
	}
	c.Stdout, c.Stderr, c.PluginExitAfter = "", "", 0
	t, err := newTask(h.Config, c, s.Started)
	if err != nil {
		return err
	}
	d.tasks.Add(h.Config.ID, t)
	return nil
}

// Inspect implements drivers.Driver.
func (d *Driver) Inspect(_ context.Context, id string) (drivers.TaskStatus, error) {
	t, err := d.tasks.Get(id)
	if err != nil {
		return drivers.TaskStatus{}, err
	}
	return t.status(), nil
}

// Wait implements drivers.Driver.
func (d *Driver) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	t, err := d.tasks.Get(id)
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

// Stop implements drivers.Driver. A task with kill_after takes that long to obey, one without obeys at once.
func (d *Driver) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	t, err := d.tasks.Get(id)
	if err != nil {
		return err
	}
	sig, err := signals.Parse(signal, "SIGTERM")
	if err != nil {
		return err
	}
	if after := time.Duration(t.config.KillAfter); after > timeout {
		t.after(timeout, drivers.ExitResult{Signal: 9})
	} else {
		t.after(after, drivers.ExitResult{Signal: int(sig)})
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Destroy implements drivers.Driver.
func (d *Driver) Destroy(_ context.Context, id string, force bool) error {
	t, there := d.tasks.Lookup(id)
	if !there {
		return nil
	}
	if t.running() {
		if !force {
			return fmt.Errorf("task %s still runs: stop it first, or force", id)
		}
		t.finish(drivers.ExitResult{Signal: 9})
	}
	d.tasks.Delete(id)
	return nil
}

// Signal implements drivers.Signaler.
func (d *Driver) Signal(_ context.Context, id, signal string) error {
	t, err := d.tasks.Get(id)
	if err != nil {
		return err
	}
	sig, err := signals.Parse(signal, "")
	if err != nil {
		return err
	}
	if t.config.SignalError != "" {
		return errors.New(t.config.SignalError)
	}
	if name := signals.Name(sig); name == "SIGKILL" || name == "SIGTERM" || name == "SIGINT" {
		t.finish(drivers.ExitResult{Signal: int(sig)})
	}
	return nil
}

// Exec implements drivers.Execer: exec_command says what every command does.
func (d *Driver) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	t, err := d.tasks.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	c := t.config.ExecCommand
	if c == nil {
		c = &command{}
	}
	for range 1 + c.StdoutRepeat {
		if req.Stdout != nil {
			_, _ = io.WriteString(req.Stdout, c.Stdout)
		}
	}
	for range 1 + c.StderrRepeat {
		if req.Stderr != nil {
			_, _ = io.WriteString(req.Stderr, c.Stderr)
		}
	}
	select {
	case <-time.After(time.Duration(c.RunFor)):
		return c.result(), nil
	case <-t.done:
		return drivers.ExitResult{Signal: 9}, nil
	case <-ctx.Done():
		return drivers.ExitResult{}, ctx.Err()
	}
}

// Stats implements drivers.Stater.
func (d *Driver) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	t, err := d.tasks.Get(id)
	if err != nil {
		return nil, err
	}
	out := make(chan drivers.ResourceUsage, 1)
	go func() {
		defer close(out)
		tick := time.NewTicker(max(interval, 100*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case out <- drivers.ResourceUsage{Time: time.Now(), Memory: drivers.MemoryUsage{RSS: 1 << 20, Measured: []string{drivers.MeasuredRSS}},
				CPU: drivers.CPUUsage{Measured: []string{drivers.MeasuredPercent}}}:
			case <-ctx.Done():
				return
			}
			select {
			case <-tick.C:
			case <-t.done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
