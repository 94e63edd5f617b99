package task

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// slowDriver finds its tasks again when it is let.
type slowDriver struct {
	drivers.Driver
	found chan struct{}
}

func (d slowDriver) Info() drivers.Info { return drivers.Info{Name: "slow"} }

func (d slowDriver) Recover(ctx context.Context, _ *drivers.TaskHandle) error {
	select {
	case <-d.found:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d slowDriver) Wait(ctx context.Context, _ string) (drivers.ExitResult, error) {
	<-ctx.Done()
	return drivers.ExitResult{}, ctx.Err()
}

func (d slowDriver) Get(context.Context, string) (drivers.Driver, error)  { return d, nil }
func (d slowDriver) Find(context.Context, string) (drivers.Driver, error) { return d, nil }

// Who wants something of a task that an earlier agent started waits until the driver has found it again, and not for ever.
func TestReachAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := slowDriver{found: make(chan struct{})}
		alloc := &api.Allocation{ID: "a"}
		r := NewRunner(Config{Alloc: alloc, Task: &api.Task{Name: "web", Driver: "slow"}, Drivers: d, Node: func() *api.Node { return nil },
			Saved:  &Record{State: State{Phase: Running}, ID: "a/web/1", Handle: &drivers.TaskHandle{}},
			Save:   func(Record) error { return nil },
			Logger: slog.New(slog.DiscardHandler), Changed: func(State, bool) {}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		if _, _, err := r.Reach(ctx); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("before it is found: %v", err)
		}
		time.AfterFunc(time.Second, func() { close(d.found) })
		if id, found, err := r.Reach(ctx); err != nil || id != "a/web/1" || found != d {
			t.Errorf("once it is found: %q %v %v", id, found, err)
		}
		cancel()
		<-ended
		fresh := NewRunner(Config{Alloc: alloc, Task: &api.Task{Name: "web"}})
		if id, _, err := fresh.Reach(t.Context()); id != "" || err != nil {
			t.Errorf("one that does not run: %q %v", id, err)
		}
	})
}
