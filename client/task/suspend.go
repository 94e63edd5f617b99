package task

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// Suspend stops the running task from running, or with on unset lets it run on.
// Its state tells, also after the agent has restarted; the driver keeps it so.
func (r *Runner) Suspend(ctx context.Context, on bool) error {
	id, d, err := r.Reach(ctx)
	if err == nil && id == "" {
		err = api.Errorf(api.ErrInvalid, "task %q does not run", r.cfg.Task.Name)
	}
	if err != nil {
		return err
	}
	s, ok := drivers.SuspenderOf(d)
	if !ok {
		return api.Errorf(api.ErrInvalid, "driver %q cannot suspend tasks", d.Info().Name)
	}
	do, ev := s.Suspend, Event{Kind: Suspend}
	if !on {
		do, ev = s.Resume, Event{Kind: Resume}
	}
	if err := do(ctx, id); err != nil {
		return fmt.Errorf("%s task %q: %w", ev.Kind, r.cfg.Task.Name, err)
	}
	r.Send(ev)
	return nil
}

// suspended notes that a running task was suspended or resumed. A task that is
// being stopped runs whatever was asked for before.
func (m *machine) suspended(on bool) {
	switch m.st.Phase {
	case Running, Delayed:
	default:
		return
	}
	if m.st.Task.Suspended == on {
		return
	}
	m.st.Task.Suspended = on
	if on {
		m.record(api.TaskEvent{Type: api.TaskSuspended, DisplayMessage: "Task suspended: it keeps its memory and does not run"})
	} else {
		m.record(api.TaskEvent{Type: api.TaskResumed, DisplayMessage: "Task resumed"})
	}
	m.do(Action{Kind: Save}, Action{Kind: Tell, Urgent: true})
}
