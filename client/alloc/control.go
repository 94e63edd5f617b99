package alloc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/client/task"
	"github.com/seraihq/serai/drivers"
)

// Dir gives the allocation's directory on the host.
func (r *Runner) Dir() string { return r.dir }

// Update hands over a new version of the allocation from the servers.
func (r *Runner) Update(a *api.Allocation) {
	r.box.Put(func() { r.updated(a) })
}

func (r *Runner) updated(a *api.Allocation) {
	if group := a.Job.LookupTaskGroup(a.TaskGroup); group != nil {
		r.alloc.Store(a)
		for _, t := range group.Tasks {
			if runner := r.tasks[t.Name]; runner != nil {
				runner.Update(a, t, specOf(a.Job, group, t, r.shared.MaxKill))
			}
		}
	}
	if a.ServerTerminal() || a.ClientTerminal() {
		noDelay := a.DesiredTransition.NoShutdownDelay != nil && *a.DesiredTransition.NoShutdownDelay
		r.kill(noDelay)
		return
	}
	r.advance(false)
}

// Kill ends all tasks, in order. Ended tells when that is done.
func (r *Runner) Kill(noDelay bool) { r.box.Put(func() { r.kill(noDelay) }) }

func (r *Runner) kill(noDelay bool) {
	first := !r.wish.kill
	r.wish.kill = true
	r.wish.noDelay = r.wish.noDelay || noDelay
	if !r.ready && r.giveUp != nil {
		r.giveUp() // it may wait for another allocation's end
	}
	delay := r.group().ShutdownDelay.Std()
	switch {
	case r.wish.noDelay && r.delay != nil:
		r.delay.Stop()
		r.delay = nil
	case first && !r.wish.noDelay && delay > 0:
		for _, m := range r.members() {
			if m.running() {
				e := api.TaskEvent{
					Type:           api.TaskWaitingShutdownDelay,
					DisplayMessage: fmt.Sprintf("Waiting for the group's shutdown_delay of %v before killing the task.", delay),
				}
				r.note(m.task.Name, &e)
			}
		}
		r.delay = time.AfterFunc(delay, func() {
			r.box.Put(func() {
				r.delay = nil
				r.advance(false)
			})
		})
	}
	r.advance(false)
}

// note puts an event into a task's history, noteAll into those of all tasks.
func (r *Runner) note(name string, e *api.TaskEvent) {
	r.tasks[name].Send(task.Event{Kind: task.Note, Cause: e})
}

func (r *Runner) noteAll(e *api.TaskEvent) {
	for _, name := range r.order {
		r.note(name, e)
	}
}

// lookup gives one task; an empty name means the only one.
func (r *Runner) lookup(name string) (*task.Runner, error) {
	if name == "" && len(r.order) == 1 {
		name = r.order[0]
	}
	if name == "" {
		return nil, api.Errorf(api.ErrInvalid, "allocation %s has several tasks: name one of %s", r.id, strings.Join(r.order, ", "))
	}
	t := r.tasks[name]
	if t == nil {
		return nil, api.Errorf(api.ErrNotFound, "unknown task %q: allocation %s has %s", name, r.id, strings.Join(r.order, ", "))
	}
	return t, nil
}

// Restart restarts a task, or (empty) all that run; with dead also those that
// have ended. The lifecycle's order is not gone through again.
func (r *Runner) Restart(name string, dead bool) error {
	if r.Over() {
		return api.Errorf(api.ErrInvalid, "allocation %s has ended and cannot be restarted", r.id)
	}
	if name != "" {
		t, err := r.lookup(name)
		if err != nil {
			return err
		}
		if _, _, running := t.Handle(); !running {
			return api.Errorf(api.ErrInvalid, "task %q of allocation %s does not run", name, r.id)
		}
		t.Send(task.Event{Kind: task.Restart, Cause: task.RestartRequested("User requested task to restart")})
		return nil
	}
	reason := "User requested running tasks to restart"
	if dead {
		reason = "User requested all tasks to restart"
	}
	r.box.Put(func() {
		for _, m := range r.members() {
			if m.hook() != api.HookPoststop {
				r.tasks[m.task.Name].Send(task.Event{Kind: task.Restart, Revive: dead, Cause: task.RestartRequested(reason)})
			}
		}
	})
	return nil
}

// Signal sends a signal to a task, or (empty) to all that run.
func (r *Runner) Signal(ctx context.Context, name, signal string) error {
	names := []string{name}
	if name == "" {
		names = r.order
	}
	sent := 0
	for _, n := range names {
		t, err := r.lookup(n)
		if err != nil {
			return err
		}
		id, d, err := t.Reach(ctx)
		if err != nil {
			return err
		}
		if id == "" {
			continue
		}
		s, ok := drivers.SignalerOf(d)
		if !ok {
			return api.Errorf(api.ErrInvalid, "driver %q cannot send signals", d.Info().Name)
		}
		if err := s.Signal(ctx, id, signal); err != nil {
			return fmt.Errorf("allocation %s: signal task %q: %w", r.id, n, err)
		}
		t.Send(task.Event{Kind: task.Note, Cause: task.Signaling(signal, "User asked for it")})
		sent++
	}
	if sent == 0 {
		return api.Errorf(api.ErrInvalid, "no task of allocation %s runs", r.id)
	}
	return nil
}

// Running gives a running task's driver and ID.
func (r *Runner) Running(ctx context.Context, name string) (drivers.Driver, string, error) {
	t, err := r.lookup(name)
	if err != nil {
		return nil, "", err
	}
	id, d, err := t.Reach(ctx)
	if err == nil && id == "" {
		err = api.Errorf(api.ErrInvalid, "task %q of allocation %s does not run", name, r.id)
	}
	return d, id, err
}

// TaskNames gives the names of the tasks, as in the job.
func (r *Runner) TaskNames() []string { return r.order }

// Open opens the allocation's directory for readers; what holds secrets is refused.
func (r *Runner) Open() (*files.Root, error) {
	var guarded []files.ID
	for _, results := range r.Results() {
		guarded = append(guarded, steps.Guarded(results[steps.TaskDir{}.Name()])...)
	}
	root, err := files.Open(r.dir, guarded...)
	if err != nil {
		return nil, err
	}
	if _, err := root.Guard(task.Checkpoints); err != nil && !errors.Is(err, api.ErrNotFound) {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// Live gives the stream that carries a task's output now, and whether none will
// come any more.
func (r *Runner) Live(name, kind string) logs.Live {
	return func() (*logs.Stream, bool) {
		s := r.logs[name].Stream(kind)
		if s != nil {
			return s, false
		}
		st := r.Reported().TaskStates[name]
		return nil, r.Over() || (st != nil && st.State == api.TaskStateDead)
	}
}
