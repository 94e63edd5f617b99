package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/client/steps"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/pause"
)

const (
	// startDeadline leaves a driver time to fetch a large image.
	startDeadline = 15 * time.Minute
	// stopGrace is what a driver may take longer than the task's kill timeout.
	stopGrace = 30 * time.Second
	// recoverFor is how long a driver that does not answer is asked for its tasks.
	recoverFor = time.Minute
	// driverPause is the time between two such questions.
	driverPause = 200 * time.Millisecond
)

// in gives the set-up steps what they work on.
func (r *Runner) in() steps.In {
	in := r.cfg.In
	in.Alloc, in.Task, in.Dir, in.Node = r.alloc, r.task, r.cfg.Dir, r.cfg.Node()
	in.Control, in.Keep = control{r}, r.keep
	return in
}

func (r *Runner) setUp() {
	ctx, cancel := context.WithCancel(r.ctx)
	r.cancel = cancel
	in := r.in()
	r.ordered(func(context.Context) *Event {
		defer cancel()
		select {
		case <-r.cfg.Hold:
		case <-ctx.Done():
			return outcome(SetUpDone, ctx.Err())
		}
		return outcome(SetUpDone, r.raise(ctx, in, r.cfg.Drivers.Get))
	})
}

// raise gets the driver and puts up the steps. It runs in an ordered operation.
func (r *Runner) raise(ctx context.Context, in steps.In, find func(context.Context, string) (drivers.Driver, error)) error {
	d, err := find(ctx, in.Task.Driver)
	if err != nil {
		return err
	}
	r.driver = d
	in.Driver = d.Info()
	err = r.seq.Up(ctx, &in)
	results := r.seq.Results()
	r.results.Store(&results)
	return err
}

func (r *Runner) start() {
	in := steps.ConfigInput{In: r.in(), ID: r.record.ID, Region: r.cfg.Region}
	from := r.record.State.FromCheckpoint
	r.ordered(func(ctx context.Context) *Event {
		in.Driver, in.Extra = r.driver.Info(), r.seq.Env()
		all := ctx
		ctx, cancel := context.WithTimeout(ctx, startDeadline)
		defer cancel()
		if r.cfg.Stand != nil {
			if err := r.cfg.Stand(ctx); err != nil {
				return outcome(StartDone, err)
			}
		}
		hushed, _ := r.listen(ctx, r.driver, in.ID)
		defer hushed()
		failpoint.Kill("task:starting")
		handle, err := r.begin(ctx, steps.TaskConfig(in), from)
		failpoint.Kill("task:started")
		if err == nil {
			r.handle.Store(handle)
			return outcome(StartDone, nil)
		}
		if errors.Is(err, drivers.ErrUnavailable) || ctx.Err() != nil {
			r.free(all, in.ID) // it died over it: what it began may be there, or run
		}
		ev := outcome(StartDone, err)
		ev.Recoverable = drivers.IsRecoverable(err)
		if se, ok := errors.AsType[*drivers.StartError](err); ok {
			ev.Exit.ExitCode = se.ExitCode
		}
		return ev
	})
}

// watch waits for the exit, over any number of deaths of the driver's process.
func (r *Runner) watch(id string) func(context.Context) *Event {
	return func(ctx context.Context) *Event {
		d, err := r.cfg.Drivers.Find(ctx, r.cfg.Task.Driver)
		var lost time.Time
		for ctx.Err() == nil {
			var exit drivers.ExitResult
			if err == nil {
				exit, err = r.attend(ctx, d, id)
			}
			if err == nil {
				failpoint.Kill("task:exited")
				return &Event{Kind: Exited, Exit: exit}
			}
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, drivers.ErrTaskNotFound) {
				return &Event{Kind: Exited, Exit: drivers.ExitResult{ExitCode: -1, Err: drivers.ErrExitUnknown}}
			}
			if lost.IsZero() {
				lost = time.Now()
				r.cfg.Logger.Warn("the driver does not answer for a running task", "task_id", id, "err", err)
			} else if time.Since(lost) > recoverFor {
				return &Event{Kind: Exited, Exit: drivers.ExitResult{ExitCode: -1, Err: err}}
			}
			pause.For(ctx, driverPause)
			d, err = r.cfg.Drivers.Find(ctx, r.cfg.Task.Driver)
			if err == nil {
				if handle := r.handle.Load(); handle != nil {
					err = d.Recover(ctx, handle)
				}
			}
			if err == nil {
				lost = time.Time{}
			}
		}
		return nil
	}
}

func (r *Runner) recover() {
	in, handle := r.in(), r.record.Handle
	r.ordered(func(ctx context.Context) *Event {
		if handle == nil {
			return outcome(Recovered, errors.New("its handle was not kept"))
		}
		deadline := time.Now().Add(recoverFor)
		for {
			err := r.raise(ctx, in, r.cfg.Drivers.Find)
			if err == nil {
				err = r.driver.Recover(ctx, handle)
			}
			if err == nil || !errors.Is(err, drivers.ErrUnavailable) || time.Now().After(deadline) {
				return outcome(Recovered, err)
			}
			pause.For(ctx, driverPause)
			if ctx.Err() != nil {
				return nil
			}
		}
	})
}

func (r *Runner) stop(id string, a Action) func(context.Context) *Event {
	return func(ctx context.Context) *Event {
		ctx, cancel := context.WithTimeout(ctx, a.Timeout+stopGrace)
		defer cancel()
		for deadline := time.Now().Add(recoverFor); ; pause.For(ctx, driverPause) {
			d, err := r.cfg.Drivers.Find(ctx, r.cfg.Task.Driver)
			if err == nil {
				failpoint.Kill("task:stopping")
				err = d.Stop(ctx, id, a.Timeout, a.Signal)
			}
			switch {
			case err == nil, errors.Is(err, drivers.ErrTaskNotFound):
				return nil
			case errors.Is(err, drivers.ErrUnavailable) && ctx.Err() == nil && time.Now().Before(deadline):
				continue // it died over it: the next one finds the task again
			}
			return outcome(StopFailed, fmt.Errorf("stop: %w", err))
		}
	}
}

// destroy lets the driver forget an ended start, or end one that may run.
func (r *Runner) destroy(id string) {
	if id == "" {
		return
	}
	r.ordered(func(ctx context.Context) *Event {
		r.free(ctx, id)
		failpoint.Kill("task:destroyed")
		return nil
	})
}

// free asks the driver to destroy, again when its process dies over it.
func (r *Runner) free(ctx context.Context, id string) {
	for deadline := time.Now().Add(recoverFor); ; {
		d, err := r.cfg.Drivers.Find(ctx, r.cfg.Task.Driver)
		if err == nil {
			err = d.Destroy(ctx, id, true)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if !errors.Is(err, drivers.ErrUnavailable) || time.Now().After(deadline) {
			r.cfg.Logger.Warn("the driver could not free what an ended task held", "task_id", id, "err", err)
			return
		}
		pause.For(ctx, driverPause)
	}
}

func (r *Runner) tearDown() {
	in := r.in()
	r.ordered(func(ctx context.Context) *Event {
		if r.driver != nil {
			in.Driver = r.driver.Info()
		}
		err := r.seq.Down(ctx, &in)
		failpoint.Kill("task:down")
		return outcome(TornDown, err)
	})
}

// newID names the next start.
func (r *Runner) newID() string {
	return steps.TaskID(r.alloc.ID, r.task.Name, uuid.NewString()[:8])
}
