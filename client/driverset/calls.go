package driverset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraihq/serai/drivers"
)

// attempts is how often a call that may be repeated is tried on one host after the other.
const attempts = 4

// Info implements drivers.Driver.
func (h *host) Info() drivers.Info { return h.describe.Info() }

// ConfigSchema implements drivers.Driver.
func (h *host) ConfigSchema() *drivers.Schema { return h.describe.ConfigSchema() }

// TaskSchema implements drivers.Driver.
func (h *host) TaskSchema() *drivers.Schema { return h.describe.TaskSchema() }

// Configure implements drivers.Driver. The configuration comes with the Set.
func (h *host) Configure(context.Context, map[string]any) error {
	return fmt.Errorf("driver %q: the agent configures it", h.name)
}

// MeasuresAtOnce is what the built-in driver says; of external ones it is not known.
func (h *host) MeasuresAtOnce() bool { return !h.external && drivers.MeasuresAtOnce(h.describe) }

// Fingerprint implements drivers.Driver.
func (h *host) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	return h.fingerprints(ctx)
}

// fingerprints comes from inside the agent for a built-in driver, from its process for another.
func (h *host) fingerprints(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	if !h.external {
		return h.describe.Fingerprint(ctx)
	}
	b, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer h.done()
	return b.Fingerprint(ctx)
}

// call runs f on the current host, and again on the next one when that dies meanwhile. f must be one that may be repeated.
func call[T any](ctx context.Context, h *host, f func(backend) (T, error)) (T, error) {
	var out T
	var err error
	for i := range attempts {
		if i > 0 {
			select {
			case <-ctx.Done():
				return out, ctx.Err()
			case <-time.After(time.Duration(i*i) * 50 * time.Millisecond):
			}
		}
		var b backend
		if b, err = h.acquire(ctx); err != nil {
			if errors.Is(err, drivers.ErrUnavailable) {
				continue
			}
			return out, err
		}
		out, err = f(b)
		h.done()
		if !errors.Is(err, drivers.ErrUnavailable) {
			return out, err
		}
	}
	return out, err
}

func callErr(ctx context.Context, h *host, f func(backend) error) error {
	_, err := call(ctx, h, func(b backend) (struct{}, error) { return struct{}{}, f(b) })
	return err
}

// Start implements drivers.Driver. When the host dies under it, what it may have started is ended, and the error is recoverable.
func (h *host) Start(ctx context.Context, task *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	b, err := h.acquire(ctx)
	if err != nil {
		return nil, drivers.Recoverable(err)
	}
	handle, err := b.Start(ctx, task)
	if err == nil {
		h.keep(handle)
	}
	h.done()
	if errors.Is(err, drivers.ErrUnavailable) {
		sweep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		sweepErr := callErr(sweep, h, func(b backend) error { return b.Destroy(sweep, task.ID, true) })
		return nil, drivers.Recoverable(errors.Join(err, sweepErr))
	}
	return handle, err
}

func (h *host) keep(handle *drivers.TaskHandle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live[handle.Config.ID] = handle
}

// Recover implements drivers.Driver.
func (h *host) Recover(ctx context.Context, handle *drivers.TaskHandle) error {
	if handle == nil || handle.Config == nil {
		return errors.New("recover: the handle has no task")
	}
	return callErr(ctx, h, func(b backend) error {
		if err := b.Recover(ctx, handle); err != nil {
			return err
		}
		h.keep(handle)
		return nil
	})
}

// Inspect implements drivers.Driver.
func (h *host) Inspect(ctx context.Context, id string) (drivers.TaskStatus, error) {
	return call(ctx, h, func(b backend) (drivers.TaskStatus, error) { return b.Inspect(ctx, id) })
}

// Wait implements drivers.Driver. It goes on over as many deaths of the host as it takes.
func (h *host) Wait(ctx context.Context, id string) (drivers.ExitResult, error) {
	for {
		r, err := call(ctx, h, func(b backend) (drivers.ExitResult, error) { return b.Wait(ctx, id) })
		if ctx.Err() != nil || !errors.Is(err, drivers.ErrUnavailable) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// Stop implements drivers.Driver.
func (h *host) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	return callErr(ctx, h, func(b backend) error { return b.Stop(ctx, id, timeout, signal) })
}

// Destroy implements drivers.Driver.
func (h *host) Destroy(ctx context.Context, id string, force bool) error {
	return callErr(ctx, h, func(b backend) error {
		if err := b.Destroy(ctx, id, force); err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.live, id)
		return nil
	})
}

// unsupported is the answer for an ability that the driver does not have.
func (h *host) unsupported(what string) error {
	return fmt.Errorf("driver %q: %s: %w", h.name, what, drivers.ErrUnsupported)
}

// Signal implements drivers.Signaler.
func (h *host) Signal(ctx context.Context, id, signal string) error {
	return callErr(ctx, h, func(b backend) error {
		if s, ok := drivers.SignalerOf(b.driver()); ok {
			return s.Signal(ctx, id, signal)
		}
		return h.unsupported("signals")
	})
}

// Exec implements drivers.Execer. It is not repeated: the command may have run.
func (h *host) Exec(ctx context.Context, id string, req drivers.ExecRequest) (drivers.ExitResult, error) {
	b, err := h.acquire(ctx)
	if err != nil {
		return drivers.ExitResult{}, err
	}
	defer h.done()
	if e, ok := drivers.ExecerOf(b.driver()); ok {
		return e.Exec(ctx, id, req)
	}
	return drivers.ExitResult{}, h.unsupported("exec")
}

// Stats implements drivers.Stater.
func (h *host) Stats(ctx context.Context, id string, interval time.Duration) (<-chan drivers.ResourceUsage, error) {
	return call(ctx, h, func(b backend) (<-chan drivers.ResourceUsage, error) {
		if s, ok := drivers.StaterOf(b.driver()); ok {
			return s.Stats(ctx, id, interval)
		}
		return nil, h.unsupported("stats")
	})
}

// Events implements drivers.EventSource.
func (h *host) Events(ctx context.Context) (<-chan drivers.TaskEvent, error) {
	return call(ctx, h, func(b backend) (<-chan drivers.TaskEvent, error) {
		if s, ok := drivers.EventSourceOf(b.driver()); ok {
			return s.Events(ctx)
		}
		return nil, h.unsupported("events")
	})
}

// CreateNetwork implements drivers.Networker.
func (h *host) CreateNetwork(ctx context.Context, allocID, hostname string) (spec *drivers.NetworkIsolation, created bool, err error) {
	err = callErr(ctx, h, func(b backend) error {
		n, ok := drivers.NetworkerOf(b.driver())
		if !ok {
			return h.unsupported("networks")
		}
		var err error
		spec, created, err = n.CreateNetwork(ctx, allocID, hostname)
		return err
	})
	return spec, created, err
}

// DestroyNetwork implements drivers.Networker.
func (h *host) DestroyNetwork(ctx context.Context, allocID string, spec *drivers.NetworkIsolation) error {
	return callErr(ctx, h, func(b backend) error {
		if n, ok := drivers.NetworkerOf(b.driver()); ok {
			return n.DestroyNetwork(ctx, allocID, spec)
		}
		return h.unsupported("networks")
	})
}
