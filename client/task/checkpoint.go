package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/drivers"
)

// Checkpoints is where the checkpoints of an allocation's tasks lie, by task,
// beneath the allocation's directory. They hold all that the tasks had in
// memory: nobody may read them but the agent, and no task sees the directory.
const Checkpoints = ".checkpoints"

// fresh is what a checkpoint is called until it is whole. No task has the name.
func (r *Runner) fresh() string { return Checkpoints + "/.new/" + r.cfg.Task.Name }

func (r *Runner) kept() string { return Checkpoints + "/" + r.cfg.Task.Name }

// Checkpoint writes the running task down. The one before is kept until that is done.
func (r *Runner) Checkpoint(ctx context.Context) error {
	id, _, err := r.Reach(ctx)
	if err == nil && id == "" {
		err = api.Errorf(api.ErrInvalid, "task %q does not run", r.cfg.Task.Name)
	}
	if err != nil {
		return err
	}
	c, err := r.checkpointer(ctx)
	if err != nil {
		return err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	root, err := files.Open(r.cfg.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, dir := range []string{Checkpoints, Checkpoints + "/.new"} {
		if err := root.Mkdir(dir, 0o700, -1, -1); err != nil {
			return err
		}
	}
	if err := errors.Join(root.RemoveAll(r.fresh()), root.Mkdir(r.fresh(), 0o700, -1, -1)); err != nil {
		return err
	}
	if err := c.Checkpoint(ctx, id, root.HostPath(r.fresh())); err != nil {
		err = errors.Join(err, root.RemoveAll(r.fresh()))
		return refusal(fmt.Errorf("checkpoint task %q: %w", r.cfg.Task.Name, err))
	}
	if err := errors.Join(root.RemoveAll(r.kept()), files.Move(root, r.fresh(), root, r.kept())); err != nil {
		return err
	}
	r.Send(Event{Kind: Note, Cause: &api.TaskEvent{Type: api.TaskCheckpointed, DisplayMessage: "Task written down: it can be restored from here"}})
	return nil
}

// refusal makes what the node or the driver cannot do the caller's error.
func refusal(err error) error {
	if errors.Is(err, drivers.ErrUnsupported) {
		return api.Errorf(api.ErrInvalid, "%v", err)
	}
	return err
}

// Restore stops the task, if it runs, and starts it from its checkpoint.
func (r *Runner) Restore(ctx context.Context) error {
	if _, err := r.checkpointer(ctx); err != nil {
		return err
	}
	if !r.HasCheckpoint() {
		return api.Errorf(api.ErrInvalid, "task %q has no checkpoint: make one first (serai alloc checkpoint)", r.cfg.Task.Name)
	}
	r.Send(Event{Kind: Restart, Revive: true, FromCheckpoint: true, Cause: RestartRequested("User asked for the task to go on from its checkpoint")})
	return nil
}

// HasCheckpoint is whether the task has been written down.
func (r *Runner) HasCheckpoint() bool {
	root, err := files.Open(r.cfg.Dir)
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Stat(r.kept())
	return err == nil && info.IsDir()
}

func (r *Runner) checkpointer(ctx context.Context) (drivers.Checkpointer, error) {
	d, err := r.Driver(ctx)
	if err != nil {
		return nil, err
	}
	c, ok := drivers.CheckpointerOf(d)
	if !ok {
		return nil, api.Errorf(api.ErrInvalid, "driver %q cannot write tasks down: checkpoints need the driver container or exec", d.Info().Name)
	}
	if g := r.cfg.Alloc.Job.LookupTaskGroup(r.cfg.Alloc.TaskGroup); g == nil || g.LookupTask(Checkpoints) != nil {
		// Its own directory would be where checkpoints lie, which nobody but the agent may write: CRIU believes them.
		return nil, api.Errorf(api.ErrInvalid, "a group with a task called %q has no checkpoints: rename the task", Checkpoints)
	}
	return c, nil
}

// begin starts the task, from its checkpoint when that is asked for.
func (r *Runner) begin(ctx context.Context, task *drivers.TaskConfig, fromCheckpoint bool) (*drivers.TaskHandle, error) {
	if !fromCheckpoint {
		return r.driver.Start(ctx, task)
	}
	c, err := r.checkpointer(ctx)
	if err != nil {
		return nil, err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	root, err := files.Open(r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	h, err := c.Restore(ctx, task, root.HostPath(r.kept()))
	if err != nil {
		// The next attempt begins anew.
		return nil, drivers.Recoverable(fmt.Errorf("from its checkpoint: %w", err))
	}
	return h, nil
}
