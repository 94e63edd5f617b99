package supervise

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/drivers"
)

// suspendPatience is how long a task's processes may take to come to rest.
const suspendPatience = 10 * time.Second

// Suspend implements drivers.Suspender: everything in the task's group is frozen. It keeps its memory and gets no processor time.
func (s *Set) Suspend(ctx context.Context, id string) error {
	t, err := s.freezable(id, "suspended")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, suspendPatience)
	defer cancel()
	if err := t.State.Group.Freeze(ctx); err != nil {
		return fmt.Errorf("task %s: suspend: %w", id, err)
	}
	return nil
}

// Resume implements drivers.Suspender.
func (s *Set) Resume(_ context.Context, id string) error {
	t, err := s.freezable(id, "resumed")
	if err != nil {
		return err
	}
	if err := t.State.Group.Thaw(); err != nil {
		return fmt.Errorf("task %s: resume: %w", id, err)
	}
	return nil
}

// freezable returns a running task that has a group.
func (s *Set) freezable(id, what string) (*Task, error) {
	t, err := s.tasks.Get(id)
	switch {
	case err != nil:
		return nil, err
	case !t.Running():
		return nil, fmt.Errorf("task %s has ended: it cannot be %s", id, what)
	case len(t.State.Group.Paths) == 0:
		return nil, fmt.Errorf("task %s has no control group, so it cannot be %s: run the agent as root and leave no_cgroups off: %w", id, what, drivers.ErrUnsupported)
	}
	return t, nil
}

// Suspended is whether the task is frozen now. The kernel keeps that, whatever becomes of this process.
func (t *Task) Suspended() bool { return t.State.Group.Frozen() }

// Awake is an error while the task is suspended: what joins its group then would not run either.
func (t *Task) Awake() error {
	if t.Suspended() {
		return fmt.Errorf("task %s is suspended: resume it first", t.ID)
	}
	return nil
}
