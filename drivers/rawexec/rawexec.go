package rawexec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/supervise"
	"github.com/seraihq/serai/internal/cgroup"
)

// Name is what job files write.
const Name = "raw_exec"

// Driver is raw_exec.
type Driver struct {
	*supervise.Set

	mu     sync.Mutex
	config config
}

// New returns the driver, disabled.
func New(logger *slog.Logger) *Driver { return &Driver{Set: supervise.NewSet(logger)} }

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		Signal: true, Exec: true, Suspend: true, FS: drivers.FSNone,
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
	fp := drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "disabled"}
	if d.settings().Enabled {
		fp = drivers.Fingerprint{Attributes: map[string]any{"driver." + Name: true}, Health: drivers.HealthHealthy, Description: "Healthy"}
		if l, err := d.Layout(); err != nil || l.Version == 0 || os.Geteuid() != 0 {
			fp.Description = "Healthy, without control groups: CPU shares are not set and stray processes may survive their task"
		}
	}
	out <- fp
	context.AfterFunc(ctx, func() { close(out) })
	return out, nil
}

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	settings := d.settings()
	if !settings.Enabled {
		return nil, fmt.Errorf(`%w: enable it with plugin "raw_exec" { config { enabled = true } } in the agent's configuration`, drivers.ErrDisabled)
	}
	if _, there := d.Lookup(cfg.ID); there {
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	d.Tidy(nil)
	p, err := d.plan(cfg, settings)
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

// group makes the task's control group; the empty Group when there are none on this machine.
func (d *Driver) group(cfg *drivers.TaskConfig, p plan) (cgroup.Group, error) {
	l, err := d.Layout()
	if err != nil || l.Version == 0 || p.settings.NoCgroups || os.Geteuid() != 0 {
		if !p.override.Empty() {
			return cgroup.Group{}, errors.New("cgroup_v1_override and cgroup_v2_override need root and control groups, which this node's tasks do not have")
		}
		return cgroup.Group{}, nil
	}
	// Always in a cpuset, so that the cores can be taken from a task that runs when another reserves them.
	controllers := []string{"cpu", "cpuacct", "memory", "cpuset"}
	if _, unified := l.Parents[cgroup.Unified]; !unified || p.override.V2 != "" {
		controllers = append(controllers, "freezer")
	}
	name := cgroup.Name(cfg.ID)
	g, err := l.Create(name, controllers...)
	if err != nil {
		return g, err
	}
	if err := l.Set(g, cgroup.Limits{CPUShares: cfg.Resources.CPUShares, Cpuset: cfg.Resources.Cpuset}); err != nil {
		d.Tell(cfg, "limits could not be set, the task runs without: "+err.Error())
	}
	if p.override.Empty() {
		return g, nil
	}
	own := g
	if g, err = l.Replace(g, name, p.override); err != nil {
		_ = own.Remove(context.Background())
	}
	return g, err
}
