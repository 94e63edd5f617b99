package alloc

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/task"
)

// member is a task of the group with its state.
type member struct {
	task  *api.Task
	state task.State
}

func (m member) hook() string {
	if m.task.Lifecycle == nil {
		return ""
	}
	return m.task.Lifecycle.Hook
}

func (m member) sidecar() bool {
	return m.task.Lifecycle != nil && m.task.Lifecycle.Sidecar && m.hook() != api.HookPoststop
}

func (m member) dead() bool    { return m.state.Phase == task.Dead }
func (m member) failed() bool  { return m.dead() && m.state.Task.Failed }
func (m member) started() bool { return !m.state.Task.StartedAt.IsZero() }
func (m member) running() bool { return m.state.Task.State == api.TaskStateRunning }

// ending: the task is dead, or was told to end.
func (m member) ending() bool { return m.dead() || m.state.Killed }

// wish is what the allocation as a whole is to do.
type wish struct {
	kill         bool // all tasks end
	noDelay      bool // without their shutdown delays
	now          bool // and without a grace
	skipPoststop bool
	cause        *api.TaskEvent // told to each task, or nil
}

// failed says whether all tasks end because the allocation itself has failed.
func (w wish) failed() bool { return w.cause != nil && w.cause.FailsTask }

// order is an event for one task.
type order struct {
	task  string
	event task.Event
}

// decide says what the tasks are to be told now. It may say the same again
// until the task's state shows it.
func decide(tasks []member, w wish) []order {
	var d decision
	d.tasks, d.wish = tasks, w
	var active []member
	for _, m := range tasks {
		if m.hook() != api.HookPoststop {
			active = append(active, m)
		}
	}
	switch cause, end := d.ends(active); {
	case end:
		d.stop(active, cause)
	default:
		d.start(active)
	}
	if all(active, member.dead) {
		d.poststop(active)
	}
	return d.orders
}

type decision struct {
	tasks  []member
	wish   wish
	orders []order
}

// ends says whether all tasks are to end, and for which cause.
func (d *decision) ends(active []member) (*api.TaskEvent, bool) {
	if d.wish.kill {
		return d.wish.cause, true
	}
	for _, m := range active {
		if m.failed() {
			return task.SiblingFailed(m.task.Name), true
		}
	}
	for _, m := range active {
		if m.task.Leader && m.dead() {
			return task.LeaderDead(), true
		}
	}
	return nil, false
}

// stop ends tasks in stages: the leader, then its followers, sidecars last.
// Those that wait to be started are ended at once.
func (d *decision) stop(active []member, cause *api.TaskEvent) {
	for _, m := range active {
		if m.state.Phase == task.Waiting {
			d.kill(m, cause)
		}
	}
	for _, stage := range []func(member) bool{
		func(m member) bool { return m.task.Leader },
		func(m member) bool { return !m.task.Leader && !m.sidecar() },
		func(m member) bool { return !m.task.Leader && m.sidecar() },
	} {
		alive := false
		for _, m := range active {
			if stage(m) && !m.dead() {
				alive = true
				if m.state.Phase != task.Waiting {
					d.kill(m, cause)
				}
			}
		}
		if alive {
			return
		}
	}
}

func (d *decision) kill(m member, cause *api.TaskEvent) {
	// One that is in its shutdown delay, or has its grace, is told again when that is to be skipped.
	hurry := d.wish.noDelay && m.state.Phase == task.Delayed || d.wish.now && !m.state.Now
	if m.dead() || m.state.Killed && !hurry {
		return
	}
	d.order(m, task.Event{Kind: task.Kill, Cause: cause, NoDelay: d.wish.noDelay, Now: d.wish.now})
}

func (d *decision) order(m member, ev task.Event) {
	d.orders = append(d.orders, order{task: m.task.Name, event: ev})
}

// start lets tasks go whose turn it is, and ends those that only served others.
func (d *decision) start(active []member) {
	var pre, main, post []member
	for _, m := range active {
		switch m.hook() {
		case api.HookPrestart:
			pre = append(pre, m)
		case api.HookPoststart:
			post = append(post, m)
		default:
			main = append(main, m)
		}
	}
	d.release(pre, true)
	d.release(main, all(pre, func(m member) bool { return m.dead() || (m.sidecar() && m.started()) }))
	if all(main, member.dead) {
		for _, m := range append(pre, post...) {
			if m.sidecar() || m.state.Phase == task.Waiting {
				d.kill(m, task.MainDead())
			}
		}
		return
	}
	d.release(post, all(main, member.started))
}

func (d *decision) release(tasks []member, ready bool) {
	if !ready {
		return
	}
	for _, m := range tasks {
		if m.state.Phase == task.Waiting && !m.state.Killed {
			d.order(m, task.Event{Kind: task.Go})
		}
	}
}

// poststop runs what cleans up after the others, unless none of them ever ran.
func (d *decision) poststop(active []member) {
	run := !d.wish.skipPoststop && !all(active, func(m member) bool { return !m.started() })
	for _, m := range d.tasks {
		if m.hook() != api.HookPoststop {
			continue
		}
		if run {
			d.release([]member{m}, true)
		} else {
			d.kill(m, d.wish.cause)
		}
	}
}

func all(tasks []member, is func(member) bool) bool {
	for _, m := range tasks {
		if !is(m) {
			return false
		}
	}
	return true
}
