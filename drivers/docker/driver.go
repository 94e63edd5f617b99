package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/events"
	"github.com/seraihq/serai/drivers/internal/tasktable"
)

// Name is what job files write.
const Name = "docker"

// abandoned is the age at which what a killed start has left, and nobody has asked for, is taken away.
const abandoned = time.Hour

// Driver is docker.
type Driver struct {
	logger *slog.Logger
	engine engine
	// seen is when the engine was there last, in nanoseconds since 1970.
	seen     atomic.Int64
	fallback fallback
	pulls    pulls
	tasks    tasktable.Table[*task]
	events   events.Feed
	tidied   sync.Once
	// looking: a goroutine looks for containers nobody knows. nodes are the IDs of the nodes whose tasks this process has had.
	looking atomic.Bool
	nodes   sync.Map
	// every is how often the engine is looked at.
	every    time.Duration
	settings atomic.Pointer[config]
}

// New returns the driver. It looks for the engine when asked for something.
func New(logger *slog.Logger) *Driver {
	logger = orDiscard(logger)
	d := &Driver{logger: logger, fallback: newFallback(logger), every: 5 * time.Second}
	c, err := decodeConfig(nil)
	if err != nil {
		panic(err) // the defaults are ours
	}
	d.apply(c)
	return d
}

func (d *Driver) apply(c config) {
	d.settings.Store(&c)
	d.engine.use(c)
}

// Info implements drivers.Driver. Whether output is collected is the operator's choice, made before the first task.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		Signal: true, Exec: true, FS: drivers.FSImage, Mounts: true, DynamicUsers: true, MustCreateNetwork: true,
		NetworkModes:         []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup, drivers.NetworkTask, drivers.NetworkNone},
		DisableLogCollection: d.settings.Load().DisableLogs,
	}}
}

// ConfigSchema implements drivers.Driver.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema() }

// TaskSchema implements drivers.Driver.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure implements drivers.Driver.
func (d *Driver) Configure(ctx context.Context, raw map[string]any) error {
	c, err := decodeConfig(raw)
	if err != nil {
		return err
	}
	d.apply(c)
	return d.fallback.configure(ctx, c)
}

// Tasks returns how many tasks run and how many are known altogether.
func (d *Driver) Tasks() (running, known int) {
	running, known = d.tasks.Count((*task).running)
	more, others := d.fallback.inner.Tasks()
	return running + more, known + others
}

// Leave implements plugin.Leaver: the engine knows how its containers ended.
func (d *Driver) Leave() error { return d.fallback.inner.Leave() }

// tell tells listeners about a task.
func (d *Driver) tell(t *drivers.TaskConfig, message string) { d.events.Tell(t, message) }

// Events implements drivers.EventSource.
func (d *Driver) Events(ctx context.Context) (<-chan drivers.TaskEvent, error) {
	others, err := d.fallback.inner.Events(ctx)
	if err != nil {
		return nil, err
	}
	own, out := d.events.Listen(ctx), make(chan drivers.TaskEvent)
	go func() {
		defer close(out)
		for own != nil || others != nil {
			var ev drivers.TaskEvent
			var open bool
			select {
			case ev, open = <-own:
				if !open {
					own = nil
					continue
				}
			case ev, open = <-others:
				if !open {
					others = nil
					continue
				}
			}
			select {
			case out <- ev:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// Inspect implements drivers.Driver.
func (d *Driver) Inspect(ctx context.Context, id string) (drivers.TaskStatus, error) {
	if d.fallback.has(id) {
		return d.fallback.inner.Inspect(ctx, id)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return drivers.TaskStatus{}, err
	}
	return t.status(), nil
}

// Wait implements drivers.Driver.
func (d *Driver) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	if d.fallback.has(id) {
		return d.fallback.inner.Wait(ctx, id)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	select {
	case <-t.done:
		return t.exit(), nil
	case <-ctx.Done():
		return drivers.ExitResult{}, ctx.Err()
	}
}

// Stop implements drivers.Driver. Without a signal it is the one that the image asks for, or SIGTERM.
func (d *Driver) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	if d.fallback.has(id) {
		return d.fallback.inner.Stop(ctx, id, timeout, signal)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return err
	}
	return t.stop(ctx, timeout, signal)
}

// Signal implements drivers.Signaler.
func (d *Driver) Signal(ctx context.Context, id, signal string) error {
	if d.fallback.has(id) {
		return d.fallback.inner.Signal(ctx, id, signal)
	}
	t, err := d.tasks.Get(id)
	if err != nil {
		return err
	}
	if !t.running() {
		return fmt.Errorf("task %s has ended: there is nothing to signal", id)
	}
	if signal == "" {
		return errors.New("name a signal such as SIGHUP")
	}
	return t.kill(ctx, signal)
}

// Destroy implements drivers.Driver. With force, what a start that was cut short has left of an unknown task is removed too.
func (d *Driver) Destroy(ctx context.Context, id string, force bool) error {
	if d.fallback.has(id) {
		return d.fallback.inner.Destroy(ctx, id, force)
	}
	t, there := d.tasks.Lookup(id)
	if !there {
		if !force {
			return nil
		}
		if err := d.sweep(ctx, id); err != nil {
			return fmt.Errorf("task %s: %w", id, err)
		}
		return nil
	}
	if t.running() && !force {
		return fmt.Errorf("task %s still runs: stop it first, or force", id)
	}
	if err := t.destroy(ctx); err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	d.tasks.Delete(id)
	return nil
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
