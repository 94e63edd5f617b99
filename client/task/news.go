package task

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// listen records what the driver tells about a start, such as how far its image is, until the returned function is called. A driver that cannot be
// heard starts the task all the same.
func (r *Runner) listen(ctx context.Context, id string) (stop func()) {
	source, ok := drivers.EventSourceOf(r.driver)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	news, err := source.Events(ctx)
	if err != nil {
		return cancel
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
	return func() { cancel(); <-done }
}
