package exec

import (
	"context"
	"log/slog"
	"sync"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/hostroot"
)

// Name is what job files write.
const Name = "exec"

// Driver is exec.
type Driver struct {
	*contain.Containers

	mu     sync.Mutex
	config hostroot.Config
}

// New returns the driver with its default configuration.
func New(logger *slog.Logger) *Driver {
	d := &Driver{Containers: contain.New(Name, logger)}
	d.config, _ = hostroot.DecodeConfig(configSchema, nil) // the defaults are sound
	return d
}

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		Signal: true, Exec: true, Suspend: true, Checkpoint: true, FS: drivers.FSChroot, Mounts: true, DynamicUsers: true,
		NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup},
	}}
}

// ConfigSchema implements drivers.Driver.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema }

// TaskSchema implements drivers.Driver.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure implements drivers.Driver.
func (d *Driver) Configure(_ context.Context, raw map[string]any) error {
	c, err := hostroot.DecodeConfig(configSchema, raw)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
	return nil
}

func (d *Driver) settings() hostroot.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Fingerprint implements drivers.Driver.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	out := make(chan drivers.Fingerprint, 1)
	out <- d.Containers.Fingerprint(Name)
	context.AfterFunc(ctx, func() { close(out) })
	return out, nil
}

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	return d.start(ctx, task, "")
}

// Restore implements drivers.Checkpointer.
func (d *Driver) Restore(ctx context.Context, task *drivers.TaskConfig, dir string) (*drivers.TaskHandle, error) {
	return d.start(ctx, task, dir)
}

// start starts a task, from a checkpoint when there is one.
func (d *Driver) start(ctx context.Context, task *drivers.TaskConfig, from string) (*drivers.TaskHandle, error) {
	c, err := decodeTask(task.Config)
	if err != nil {
		return nil, contain.StartError(err)
	}
	spec, err := hostroot.Specify(task, d.settings(), c.Task, append([]string{c.Command}, c.Args...))
	if err != nil {
		return nil, contain.StartError(err)
	}
	spec.From = from
	return d.Containers.Start(ctx, task, spec)
}
