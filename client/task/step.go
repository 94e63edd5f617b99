package task

import (
	"time"

	"github.com/seraihq/serai/api"
)

// stopRetry is how long a task that could not be stopped is left before it is tried again.
const stopRetry = 10 * time.Second

// Step gives what follows from an event in a state: the new state, and what is
// to be done, in order. It is pure. An event that a state does not expect (an
// answer to something that was given up) changes nothing.
func (s Spec) Step(st State, ev Event) (State, []Action) {
	m := &machine{Spec: s, st: st, ev: ev}
	switch ev.Kind {
	case Create:
		m.record(received())
		m.st.Phase, m.st.Task.State = Waiting, api.TaskStatePending
		m.do(Action{Kind: Tell})
	case Go:
		m.goAhead()
	case Kill:
		m.kill()
	case Restart:
		m.restart()
	case Restore:
		m.restore()
	case Note:
		m.record(*ev.Cause)
		m.do(Action{Kind: Tell})
	case Keep:
		m.keep()
	case Suspend, Resume:
		m.suspended(ev.Kind == Suspend)
	case SetUpDone:
		m.setUpDone()
	case StartDone:
		m.startDone()
	case Exited:
		m.exited()
	case Recovered:
		m.recovered()
	case StopFailed:
		m.stopFailed()
	case TimerFired:
		m.timerFired()
	case TornDown:
		m.tornDown()
	}
	return m.st, m.actions
}

// machine is one step being made.
type machine struct {
	Spec
	st      State
	ev      Event
	actions []Action
}

func (m *machine) do(a ...Action) { m.actions = append(m.actions, a...) }

// record adds an event to the task's history. The history is copied: earlier
// states, which others read, keep theirs.
func (m *machine) record(e api.TaskEvent) {
	e.Time = m.ev.Time.UnixNano()
	old := m.st.Task.Events
	if n := len(old) - api.MaxTaskEvents + 1; n > 0 {
		old = old[n:]
	}
	m.st.Task.Events = append(append(make([]*api.TaskEvent, 0, len(old)+1), old...), &e)
}

// keep saves what has changed beside the state. Before a start that is done by
// the start itself, whose ID a further record would replace.
func (m *machine) keep() {
	switch m.st.Phase {
	case Running, Delayed, Stopping:
		m.do(Action{Kind: Save})
	}
}

func (m *machine) goAhead() {
	if m.st.Phase != Waiting || m.st.Killed {
		return
	}
	m.setUp()
}

func (m *machine) setUp() {
	m.st.Phase = Preparing
	m.record(setup())
	m.do(Action{Kind: Tell}, Action{Kind: SetUp})
}

func (m *machine) setUpDone() {
	if m.st.Phase != Preparing {
		return
	}
	switch {
	case m.st.Killed:
		m.end()
	case m.ev.Err == "":
		m.start()
	default:
		if m.ev.Cause != nil {
			m.record(*m.ev.Cause)
		} else {
			m.record(setupFailure(m.ev.Err))
		}
		m.failure("", m.ev.Recoverable)
	}
}

// start asks for a start. It is saved before, so that after a crash what may
// run is looked for.
func (m *machine) start() {
	m.st.Phase = Starting
	m.do(Action{Kind: Save}, Action{Kind: Start})
}

func (m *machine) startDone() {
	if m.st.Phase != Starting {
		return
	}
	m.st.FromCheckpoint = false
	if m.ev.Err != "" {
		m.record(driverFailure(m.ev.Err, m.ev.Exit.ExitCode))
		if m.st.Killed {
			m.end()
			return
		}
		m.failure("", m.ev.Recoverable)
		return
	}
	first := m.st.Task.StartedAt.IsZero()
	m.st.Phase = Running
	m.st.Task.State, m.st.Task.StartedAt = api.TaskStateRunning, m.ev.Time
	m.record(started())
	m.do(Action{Kind: Save}, Action{Kind: Tell, Urgent: first}, Action{Kind: Watch})
	if m.st.Killed || m.st.Again {
		m.stop()
	}
}

func (m *machine) exited() {
	switch m.st.Phase {
	case Running, Delayed, Stopping:
	default:
		return
	}
	m.st.Task.Suspended = false
	m.record(terminated(m.ev.Exit))
	m.do(Action{Kind: Destroy})
	switch {
	case m.st.Killed:
		m.record(killed())
		m.end()
	case m.st.Again:
		m.again("", 0)
	case m.ev.Exit.Successful():
		m.success()
	default:
		m.failure("", true)
	}
}

// success is the end of a task that ended well by itself.
func (m *machine) success() {
	if !m.RestartOnSuccess {
		m.end()
		return
	}
	m.byPolicy(false)
}

// failure is the end of an attempt. What will not get better by trying again
// fails the task.
func (m *machine) failure(reason string, recoverable bool) {
	if !recoverable {
		if reason == "" {
			reason = "Error was unrecoverable"
		}
		m.giveUp(reason, true)
		return
	}
	m.byPolicy(true)
}

// again starts the task anew after a delay.
func (m *machine) again(reason string, delay time.Duration) {
	m.st.Task.Restarts++
	m.st.Task.LastRestart = m.ev.Time
	m.st.Task.State = api.TaskStatePending
	m.st.Again = false
	m.record(restarting(reason, delay))
	if delay <= 0 {
		m.do(Action{Kind: Tell})
		m.resume()
		return
	}
	m.st.Phase = Backoff
	m.wait(delay)
	m.do(Action{Kind: Save}, Action{Kind: Tell})
}

// resume goes back to the set-up; steps that stand are passed over at once.
func (m *machine) resume() {
	m.st.Phase, m.st.Until = Preparing, time.Time{}
	m.do(Action{Kind: SetUp})
}

// wait asks for a timer. Until tells it from those that were given up.
func (m *machine) wait(delay time.Duration) {
	delay = max(0, delay)
	m.st.Until = m.ev.Time.Add(delay)
	m.do(Action{Kind: Timer, Delay: delay})
}

func (m *machine) timerFired() {
	if m.st.Until.IsZero() || m.ev.Time.Before(m.st.Until) {
		return
	}
	m.st.Until = time.Time{}
	switch m.st.Phase {
	case Backoff:
		m.resume()
	case Delayed:
		m.stop()
	case Stopping:
		m.do(Action{Kind: Stop, Signal: m.KillSignal})
	}
}

// giveUp ends the task for good.
func (m *machine) giveUp(reason string, failed bool) {
	m.st.Failed = m.st.Failed || failed
	m.record(notRestarting(reason, failed))
	m.end()
}

// end takes down what was set up.
func (m *machine) end() {
	m.st.Phase, m.st.Until = Ending, time.Time{}
	m.do(Action{Kind: Save}, Action{Kind: TearDown})
}

func (m *machine) tornDown() {
	if m.st.Phase != Ending {
		return
	}
	m.st.Phase, m.st.Again = Dead, false
	m.st.Task.State, m.st.Task.Failed, m.st.Task.FinishedAt = api.TaskStateDead, m.st.Failed, m.ev.Time
	if m.ev.Err != "" {
		m.record(teardownFailure(m.ev.Err))
	}
	m.do(Action{Kind: Save}, Action{Kind: Tell, Urgent: true})
}
