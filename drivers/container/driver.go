package container

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container/image"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/failpoint"
)

// Name is what job files write.
const Name = "container"

const version = "0.1.0"

// Driver is container.
type Driver struct {
	*contain.Containers

	mu       sync.Mutex
	settings config
	images   images
	// open opens the node's image store; tests put another in its place.
	open func(config, *slog.Logger) (images, error)
}

// images is what the driver needs of an image store.
type images interface {
	Acquire(ctx context.Context, owner string, req image.Request, progress func(image.Progress)) (*image.Image, error)
	Release(ctx context.Context, owner string) error
	Owners(ctx context.Context) ([]image.Owner, error)
	Collect(ctx context.Context, o image.CollectOptions) (image.Collected, error)
	Close() error
}

// New returns the driver with its default configuration.
func New(logger *slog.Logger) *Driver {
	d := &Driver{Containers: contain.New(Name, logger), open: openStore}
	d.settings, _ = decodeConfig(nil) // the defaults are sound
	d.Cleanup = d.release
	return d
}

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: version, Abilities: drivers.Abilities{
		Signal: true, Exec: true, Suspend: true, Checkpoint: true, FS: drivers.FSImage, Mounts: true, DynamicUsers: true,
		NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup, drivers.NetworkNone},
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
	d.settings = c
	if d.images != nil {
		// What goes on with it goes on; the next start opens it anew.
		err, d.images = d.images.Close(), nil
	}
	return err
}

// store returns the image store, opened when it is first needed, and the configuration.
func (d *Driver) store() (images, config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.images == nil {
		s, err := d.open(d.settings, d.Logger)
		if err != nil {
			return nil, d.settings, fmt.Errorf("image store %s: %w", d.settings.ImageDir, err)
		}
		d.images = s
	}
	return d.images, d.settings, nil
}

// Fingerprint implements drivers.Driver.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	fp := d.Containers.Fingerprint(Name)
	if fp.Health == drivers.HealthHealthy {
		if why := contain.LayersUnsupported(); why != "" {
			fp = drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "container needs overlayfs: " + why}
		}
	}
	d.mu.Lock()
	settings := d.settings
	d.mu.Unlock()
	if fp.Health == drivers.HealthHealthy {
		fp.Attributes["driver."+Name+".version"] = version
		fp.Attributes["driver."+Name+".volumes.enabled"] = settings.Volumes.Enabled
		fp.Attributes["driver."+Name+".privileged.enabled"] = settings.AllowPrivileged
		fp.Attributes["driver."+Name+".pids.limit"] = settings.PIDsLimit
		fp.Attributes["driver."+Name+".userns_mode"] = settings.UsernsMode
	}
	out := make(chan drivers.Fingerprint, 1)
	out <- fp
	context.AfterFunc(ctx, func() { close(out) })
	if settings.GC.Image && fp.Health == drivers.HealthHealthy {
		go d.collectLoop(ctx)
	}
	return out, nil
}

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	return d.begin(ctx, task, "")
}

// Restore implements drivers.Checkpointer.
func (d *Driver) Restore(ctx context.Context, task *drivers.TaskConfig, dir string) (*drivers.TaskHandle, error) {
	return d.begin(ctx, task, dir)
}

func (d *Driver) begin(ctx context.Context, task *drivers.TaskConfig, from string) (*drivers.TaskHandle, error) {
	h, err := d.start(ctx, task, from)
	if err != nil {
		return nil, contain.StartError(err)
	}
	return h, nil
}

// start starts a task, from a checkpoint when there is one.
func (d *Driver) start(ctx context.Context, task *drivers.TaskConfig, from string) (*drivers.TaskHandle, error) {
	if _, there := d.Lookup(task.ID); there {
		return nil, fmt.Errorf("task %s is there already", task.ID)
	}
	opts, err := decodeOptions(task.Config)
	if err != nil {
		return nil, err
	}
	store, settings, err := d.store()
	if err != nil {
		return nil, err
	}
	p, err := specify(task, opts, settings)
	if err != nil {
		return nil, err
	}
	img, err := d.acquire(ctx, store, p)
	if err != nil {
		return nil, err
	}
	failpoint.Kill("container:acquired")
	if err := p.use(img); err != nil {
		return nil, d.undo(ctx, task.ID, err)
	}
	p.spec.From = from
	return d.Containers.Start(ctx, task, p.spec)
}

// undo gives the image back after a start that failed before there was a container.
func (d *Driver) undo(ctx context.Context, taskID string, err error) error {
	if failed := d.release(context.WithoutCancel(ctx), taskID); failed != nil {
		d.Logger.Warn("an image cannot be given back", "task_id", taskID, "err", failed)
	}
	return err
}

// release gives a task's image back.
func (d *Driver) release(ctx context.Context, taskID string) error {
	store, _, err := d.store()
	if err != nil {
		return err
	}
	err = store.Release(ctx, taskID)
	failpoint.Kill("container:released")
	return err
}

// Stop implements drivers.Driver. Without a signal it is that of the image, or SIGTERM.
func (d *Driver) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	if t, there := d.Lookup(id); there && signal == "" {
		if signal = t.State.Driver[keepSignal]; signal == "" {
			signal = "SIGTERM"
		}
	}
	return d.Set.Stop(ctx, id, timeout, signal)
}

// Inspect implements drivers.Driver.
func (d *Driver) Inspect(ctx context.Context, id string) (drivers.TaskStatus, error) {
	s, err := d.Set.Inspect(ctx, id)
	if t, there := d.Lookup(id); err == nil && there {
		for _, key := range []string{keepImage, keepDigest} {
			s.Attributes[key] = t.State.Driver[key]
		}
	}
	return s, err
}
