// Package events carries what a driver tells about its tasks between start and end to whoever listens. It owns no goroutine.
package events

import (
	"context"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
)

// backlog is how many events wait for a listener; the oldest go first.
const backlog = 64

// Feed hands what a driver tells about its tasks to whoever listens. The zero Feed is ready.
type Feed struct {
	mu        sync.Mutex
	waiting   []drivers.TaskEvent
	listeners map[chan drivers.TaskEvent]struct{}
}

// Tell sends an event about a task. A listener that does not keep up loses events; without a listener they are kept for the next one.
func (e *Feed) Tell(t *drivers.TaskConfig, message string) {
	ev := drivers.TaskEvent{TaskID: t.ID, AllocID: t.AllocID, TaskName: t.Name, Time: time.Now(), Message: message}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		e.waiting = append(e.waiting, ev)
		e.waiting = e.waiting[max(0, len(e.waiting)-backlog):]
	}
	for ch := range e.listeners {
		select {
		case ch <- ev:
		default:
		}
	}
}

// Listen returns a channel that gets all further events until ctx ends.
func (e *Feed) Listen(ctx context.Context) <-chan drivers.TaskEvent {
	ch := make(chan drivers.TaskEvent, backlog)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.waiting {
		ch <- ev
	}
	e.waiting = nil
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
