package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/runc/libcontainer"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/supervise"
)

// Name is what job files write.
const Name = "exec"

// stateDir is where libcontainer describes running containers. It does not survive a boot, and neither do they.
const stateDir = "/run/serai/exec"

// Driver is exec.
type Driver struct {
	*supervise.Set

	mu     sync.Mutex
	config config
}

// New returns the driver with its default configuration.
func New(logger *slog.Logger) *Driver {
	d := &Driver{Set: supervise.NewSet(logger)}
	d.config, _ = decodeConfig(nil) // the defaults are sound
	d.CleanupFor = cleanup
	return d
}

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		Signal: true, Exec: true, FS: drivers.FSChroot, Mounts: true, DynamicUsers: true,
		NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup},
	}}
}

// ConfigSchema implements drivers.Driver.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema }

// TaskSchema implements drivers.Driver.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure implements drivers.Driver.
func (d *Driver) Configure(_ context.Context, raw map[string]any) error {
	c, err := decodeConfig(raw)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
	return nil
}

func (d *Driver) settings() config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Fingerprint implements drivers.Driver.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	out := make(chan drivers.Fingerprint, 1)
	out <- d.fingerprint()
	context.AfterFunc(ctx, func() { close(out) })
	return out, nil
}

func (d *Driver) fingerprint() drivers.Fingerprint {
	if os.Geteuid() != 0 {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "exec needs the agent to run as root"}
	}
	l, err := d.Layout()
	if err != nil || l.Version == 0 {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "exec needs control groups, and none are mounted"}
	}
	fp := drivers.Fingerprint{Attributes: map[string]any{"driver." + Name: true}, Health: drivers.HealthHealthy, Description: "Healthy"}
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !l.Has(c) {
			fp.Description = fmt.Sprintf("Healthy, without limits of %s: the controller is missing on this node", c)
		}
	}
	return fp
}

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	if _, there := d.Lookup(cfg.ID); there {
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	d.Tidy(removeAbandoned)
	p, err := d.plan(cfg, d.settings())
	if err != nil {
		return nil, startError(err)
	}
	t, proc, err := d.launch(ctx, cfg, p)
	if err != nil {
		return nil, startError(err)
	}
	return d.Begin(t, proc)
}

// startError makes every error of Start a StartError, so that it looks the same on both sides of a plugin connection.
func startError(err error) error {
	if _, ok := errors.AsType[*drivers.StartError](err); ok {
		return err
	}
	return &drivers.StartError{Err: err}
}

// Destroy implements drivers.Driver. With force, what is left of a task unknown to this process goes too.
func (d *Driver) Destroy(ctx context.Context, id string, force bool) error {
	_, there := d.Lookup(id)
	if err := d.Set.Destroy(ctx, id, force); err != nil || there || !force {
		return err
	}
	return removeContainer(id)
}

// cleanup is what Destroy does for a task beyond ending its group.
func cleanup(t *supervise.Task) func(context.Context) error {
	return func(context.Context) error { return removeContainer(t.ID) }
}

// removeContainer removes the container of a task that has ended.
func removeContainer(taskID string) error {
	if err := removeFiles(taskID); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	c, err := libcontainer.Load(stateDir, containerID(taskID))
	if errors.Is(err, libcontainer.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("container: %w", err)
	}
	if err := c.Destroy(); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	return nil
}

// removeAbandoned removes containers of this age whose tasks have ended and that nobody has removed.
func removeAbandoned(age time.Duration) {
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if st, err := e.Info(); err != nil || time.Since(st.ModTime()) < age {
			continue
		}
		c, err := libcontainer.Load(stateDir, e.Name())
		if err != nil {
			continue
		}
		if status, err := c.Status(); err == nil && status == libcontainer.Stopped {
			_ = c.Destroy()
			_ = os.RemoveAll(filepath.Join(filesDir, e.Name()))
		}
	}
}
