package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/ability"
	"github.com/seraihq/serai/drivers/plugin/internal/wire/driver"
)

// What serai's drivers can do beyond the protocol that others speak goes over a
// service of its own, which a driver of others does not have.

// learnAbilities asks what the driver can do beyond the protocol. One that does not know the question can nothing of it.
func (r *remote) learnAbilities(ctx context.Context) error {
	a, err := r.beyond.List(ctx, &ability.ListRequest{})
	if err != nil {
		if err = r.fail(ctx, err); errors.Is(err, drivers.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		return nil
	}
	r.info.Abilities.Suspend, r.info.Abilities.Checkpoint = a.GetSuspend(), a.GetCheckpoint()
	return nil
}

// Suspend implements drivers.Suspender.
func (r *remote) Suspend(ctx context.Context, id string) error {
	_, err := r.beyond.Suspend(ctx, &ability.TaskRequest{TaskId: id})
	return r.fail(ctx, err)
}

// Resume implements drivers.Suspender.
func (r *remote) Resume(ctx context.Context, id string) error {
	_, err := r.beyond.Resume(ctx, &ability.TaskRequest{TaskId: id})
	return r.fail(ctx, err)
}

// Checkpoint implements drivers.Checkpointer.
func (r *remote) Checkpoint(ctx context.Context, id, dir string) error {
	_, err := r.beyond.Checkpoint(ctx, &ability.CheckpointRequest{TaskId: id, Dir: dir})
	return r.fail(ctx, err)
}

// Restore implements drivers.Checkpointer.
func (r *remote) Restore(ctx context.Context, task *drivers.TaskConfig, dir string) (*drivers.TaskHandle, error) {
	t, err := taskToWire(task, r.task)
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	resp, err := r.beyond.Restore(ctx, &ability.RestoreRequest{Task: t, Dir: dir})
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return r.started(resp, task)
}

// abilities serves them.
type abilities struct {
	ability.UnimplementedAbilitiesServer
	*server
}

// List tells what there is.
func (s *abilities) List(context.Context, *ability.ListRequest) (*ability.ListResponse, error) {
	_, suspend := drivers.SuspenderOf(s.impl)
	_, checkpoint := drivers.CheckpointerOf(s.impl)
	return &ability.ListResponse{Suspend: suspend, Checkpoint: checkpoint}, nil
}

// Suspend suspends a task.
func (s *abilities) Suspend(ctx context.Context, req *ability.TaskRequest) (*ability.Done, error) {
	d, ok := drivers.SuspenderOf(s.impl)
	if !ok {
		return nil, s.unsupported("suspending tasks")
	}
	return &ability.Done{}, toStatus(d.Suspend(ctx, req.GetTaskId()))
}

// Resume resumes a task.
func (s *abilities) Resume(ctx context.Context, req *ability.TaskRequest) (*ability.Done, error) {
	d, ok := drivers.SuspenderOf(s.impl)
	if !ok {
		return nil, s.unsupported("suspending tasks")
	}
	return &ability.Done{}, toStatus(d.Resume(ctx, req.GetTaskId()))
}

// Checkpoint writes a task to a directory.
func (s *abilities) Checkpoint(ctx context.Context, req *ability.CheckpointRequest) (*ability.Done, error) {
	d, ok := drivers.CheckpointerOf(s.impl)
	if !ok {
		return nil, s.unsupported("checkpoints")
	}
	return &ability.Done{}, toStatus(d.Checkpoint(ctx, req.GetTaskId(), req.GetDir()))
}

// Restore starts a task from a directory.
func (s *abilities) Restore(ctx context.Context, req *ability.RestoreRequest) (*driver.StartTaskResponse, error) {
	d, ok := drivers.CheckpointerOf(s.impl)
	if !ok {
		return nil, s.unsupported("checkpoints")
	}
	task, err := taskFromWire(req.GetTask())
	if err != nil {
		return nil, toStatus(err)
	}
	h, err := d.Restore(ctx, task, req.GetDir())
	if err != nil {
		if errors.Is(err, drivers.ErrUnsupported) {
			return nil, toStatus(fmt.Errorf("driver %q: %w", s.impl.Info().Name, err))
		}
		return startFailure(err), nil
	}
	return startSuccess(h, req.GetTask()), nil
}
