package alloc

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// Suspend stops a task from running, or (empty) all that run; with on unset it
// lets them run on. When one of several cannot be suspended, those before it run on.
func (r *Runner) Suspend(ctx context.Context, name string, on bool) error {
	tasks, err := r.running(name)
	if err != nil {
		return err
	}
	for i, t := range tasks {
		err := t.Suspend(ctx, on)
		if err == nil {
			continue
		}
		for _, before := range tasks[:i] {
			if on {
				_ = before.Suspend(context.WithoutCancel(ctx), false) // the first failure is the one to tell
			}
		}
		return fmt.Errorf("allocation %s: %w", r.id, err)
	}
	return nil
}

// Suspended is whether a task is; an empty name means the only one.
func (r *Runner) Suspended(name string) bool {
	if name == "" && len(r.order) == 1 {
		name = r.order[0]
	}
	st := r.Reported().TaskStates[name]
	return st != nil && st.Suspended
}

// running gives one task, or those that run.
func (r *Runner) running(name string) (tasks []*task.Runner, err error) {
	if name != "" {
		t, err := r.lookup(name)
		return []*task.Runner{t}, err
	}
	for _, n := range r.order {
		if _, _, ok := r.tasks[n].Handle(); ok {
			tasks = append(tasks, r.tasks[n])
		}
	}
	if len(tasks) == 0 {
		return nil, api.Errorf(api.ErrInvalid, "no task of allocation %s runs", r.id)
	}
	return tasks, nil
}
