package task

import (
	"context"
	"io"
	"maps"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/drivers"
)

// control is how a task's templates reach it: see template.Control.
type control struct{ r *Runner }

func (c control) Running() bool {
	_, _, ok := c.r.Handle()
	return ok
}

func (c control) Reachable() bool { return c.Running() && c.r.watched.Load() }

func (c control) Restart(reason string) {
	c.r.Send(Event{Kind: Restart, Cause: RestartRequested(reason)})
}

func (c control) Kill(reason string) {
	c.r.Send(Event{Kind: Kill, Cause: KillReason(reason, true)})
}

func (c control) Note(text string) { c.r.Send(Event{Kind: Note, Cause: Message(text)}) }

func (c control) Signal(ctx context.Context, signal, reason string) error {
	id, d, err := c.running(ctx)
	if err != nil {
		return err
	}
	s, ok := drivers.SignalerOf(d)
	if !ok {
		return api.Errorf(api.ErrInvalid, "driver %q cannot send signals", d.Info().Name)
	}
	if err := s.Signal(ctx, id, signal); err != nil {
		return err
	}
	c.r.Send(Event{Kind: Note, Cause: Signaling(signal, reason)})
	return nil
}

func (c control) Exec(ctx context.Context, command []string) (code int, err error) {
	id, d, err := c.running(ctx)
	if err != nil {
		return 0, err
	}
	e, ok := drivers.ExecerOf(d)
	if !ok {
		return 0, api.Errorf(api.ErrInvalid, "driver %q cannot run commands in its tasks", d.Info().Name)
	}
	exit, err := e.Exec(ctx, id, drivers.ExecRequest{Command: command, Stdout: io.Discard, Stderr: io.Discard})
	switch {
	case err != nil:
		return 0, err
	case exit.Signal != 0:
		return 128 + exit.Signal, exit.Err
	}
	return exit.ExitCode, exit.Err
}

// Keep stores the step's result where Save finds it. Steps change their results
// only while templates are not followed.
func (c control) Keep(results map[string]string) {
	c.r.keep((*steps.Templates)(nil).Name(), results)
}

// keep stores the result of a step that has changed since it went up.
func (r *Runner) keep(step string, out steps.Result) {
	for {
		old := r.results.Load()
		all := map[string]steps.Result{}
		if old != nil {
			maps.Copy(all, *old)
		}
		all[step] = out
		if r.results.CompareAndSwap(old, &all) {
			break
		}
	}
	r.Send(Event{Kind: Keep})
}

func (c control) running(ctx context.Context) (string, drivers.Driver, error) {
	id, _, ok := c.r.Handle()
	if !ok {
		return "", nil, api.Errorf(api.ErrInvalid, "the task does not run")
	}
	d, err := c.r.Driver(ctx)
	return id, d, err
}
