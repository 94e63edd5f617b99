package driverset

import (
	"context"
	"errors"
	"time"

	"github.com/seraihq/serai/drivers"
)

// Suspend implements drivers.Suspender.
func (h *host) Suspend(ctx context.Context, id string) error {
	return h.suspender(ctx, func(s drivers.Suspender) error { return s.Suspend(ctx, id) })
}

// Resume implements drivers.Suspender.
func (h *host) Resume(ctx context.Context, id string) error {
	return h.suspender(ctx, func(s drivers.Suspender) error { return s.Resume(ctx, id) })
}

func (h *host) suspender(ctx context.Context, f func(drivers.Suspender) error) error {
	return callErr(ctx, h, func(b backend) error {
		if s, ok := drivers.SuspenderOf(b.driver()); ok {
			return f(s)
		}
		return h.unsupported("suspending tasks")
	})
}

// Checkpoint implements drivers.Checkpointer. It is not repeated: the directory may have something in it.
func (h *host) Checkpoint(ctx context.Context, id, dir string) error {
	b, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer h.done()
	if c, ok := drivers.CheckpointerOf(b.driver()); ok {
		return c.Checkpoint(ctx, id, dir)
	}
	return h.unsupported("checkpoints")
}

// Restore implements drivers.Checkpointer. As with Start, what a host that died may have started is ended.
func (h *host) Restore(ctx context.Context, task *drivers.TaskConfig, dir string) (*drivers.TaskHandle, error) {
	b, err := h.acquire(ctx)
	if err != nil {
		return nil, drivers.Recoverable(err)
	}
	c, ok := drivers.CheckpointerOf(b.driver())
	if !ok {
		h.done()
		return nil, h.unsupported("checkpoints")
	}
	handle, err := c.Restore(ctx, task, dir)
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
