package java

import (
	"context"
	"log/slog"
	"sync"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/hostroot"
)

// Name is what job files write.
const Name = "java"

// Driver is java.
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
		Signal: true, Exec: true, Suspend: true, FS: drivers.FSChroot, Mounts: true, DynamicUsers: true,
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

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	spec, err := specify(task, d.settings())
	if err != nil {
		return nil, contain.StartError(err)
	}
	return d.Containers.Start(ctx, task, spec)
}

func specify(task *drivers.TaskConfig, settings hostroot.Config) (*contain.Spec, error) {
	c, err := decodeTask(task.Config)
	if err != nil {
		return nil, err
	}
	file, err := find()
	if err != nil {
		return nil, drivers.CommandNotFound("java", "in PATH of this node")
	}
	spec, err := hostroot.Specify(task, settings, c.Task, c.command(file))
	if err != nil {
		return nil, err
	}
	spec.Cgroup = true // by it the virtual machine knows its memory and its cores
	return spec, nil
}
