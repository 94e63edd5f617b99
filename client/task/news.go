package task

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// lastWords is how long the driver is still heard when a task has ended by itself: it may tell why.
const lastWords = 100 * time.Millisecond

// listen records what the driver tells about a task, such as how far its image is or that a limit was reached, until the returned function is called.
// A driver that cannot be heard (false) runs the task all the same.
func (r *Runner) listen(ctx context.Context, d drivers.Driver, id string) (stop func(), heard bool) {
	source, ok := drivers.EventSourceOf(d)
	if !ok {
		return func() {}, false
	}
	ctx, cancel := context.WithCancel(ctx)
	news, err := source.Events(ctx)
	if err != nil {
		return cancel, false
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range news {
			if n.TaskID == id && n.Err == nil && ctx.Err() == nil {
				told := detailed(api.TaskEvent{Type: api.TaskDriverMessage, DriverMessage: n.Message, DisplayMessage: n.Message}, "driver_message", n.Message)
				r.Send(Event{Kind: Note, Cause: &told})
			}
		}
	}()
	return func() { cancel(); <-done }, true
}

// attend waits for the exit and listens to the driver meanwhile, and for a moment more: how a task ended is not kept back for why.
func (r *Runner) attend(ctx context.Context, d drivers.Driver, id string) (drivers.ExitResult, error) {
	hushed, heard := r.listen(context.WithoutCancel(ctx), d, id)
	exit, err := d.Wait(ctx, id)
	if heard && err == nil && exit.Signal == 0 && exit.ExitCode != 0 {
		time.AfterFunc(lastWords, hushed)
	} else {
		hushed()
	}
	return exit, err
}
