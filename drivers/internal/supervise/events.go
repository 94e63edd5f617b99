package supervise

import (
	"context"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
)

// eventBacklog is how many events wait for a listener; the oldest go first.
const eventBacklog = 64

// events hands what drivers tell about tasks to whoever listens.
type events struct {
	mu        sync.Mutex
	backlog   []drivers.TaskEvent
	listeners map[chan drivers.TaskEvent]struct{}
}

// tell sends an event about a task. A listener that does not keep up loses events; without a listener they are kept for the next one.
func (e *events) tell(t *drivers.TaskConfig, message string) {
	ev := drivers.TaskEvent{TaskID: t.ID, AllocID: t.AllocID, TaskName: t.Name, Time: time.Now(), Message: message}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		e.backlog = append(e.backlog, ev)
		e.backlog = e.backlog[max(0, len(e.backlog)-eventBacklog):]
	}
	for ch := range e.listeners {
		select {
		case ch <- ev:
		default:
		}
	}
}

// listen returns a channel that gets all further events until ctx ends.
func (e *events) listen(ctx context.Context) <-chan drivers.TaskEvent {
	ch := make(chan drivers.TaskEvent, eventBacklog)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.backlog {
		ch <- ev
	}
	e.backlog = nil
	if e.listeners == nil {
		e.listeners = map[chan drivers.TaskEvent]struct{}{}
	}
	e.listeners[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, ch)
		close(ch)
	})
	return ch
}
