package alloc

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// Checkpoint writes a task, or (empty) all that run, down.
func (r *Runner) Checkpoint(ctx context.Context, name string) error {
	tasks, err := r.running(name)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if err := t.Checkpoint(ctx); err != nil {
			return fmt.Errorf("allocation %s: %w", r.id, err)
		}
	}
	return nil
}

// Restore lets a task, or (empty) all that have a checkpoint, go on from there.
func (r *Runner) Restore(ctx context.Context, name string) error {
	if r.Over() {
		return api.Errorf(api.ErrInvalid, "allocation %s has ended and cannot be restored", r.id)
	}
	var tasks []*task.Runner
	if name != "" {
		t, err := r.lookup(name)
		if err != nil {
			return err
		}
		tasks = append(tasks, t)
	} else {
		for _, n := range r.order {
			if r.tasks[n].HasCheckpoint() {
				tasks = append(tasks, r.tasks[n])
			}
		}
	}
	if len(tasks) == 0 {
		return api.Errorf(api.ErrInvalid, "no task of allocation %s has a checkpoint: make one first (serai alloc checkpoint)", r.id)
	}
	for _, t := range tasks {
		if err := t.Restore(ctx); err != nil {
			return fmt.Errorf("allocation %s: %w", r.id, err)
		}
	}
	return nil
}
