package task

import (
	"time"

	"github.com/seraihq/serai/api"
)

// kill begins the end of the task, for the cause that the event carries.
func (m *machine) kill() {
	if m.st.Phase == Dead || m.st.Phase == Ending {
		return
	}
	if m.st.Killed {
		m.hurry()
		return
	}
	m.st.Killed, m.st.Again, m.st.Now = true, false, m.ev.Now
	if m.ev.Cause != nil {
		m.record(*m.ev.Cause)
		m.st.Failed = m.st.Failed || m.ev.Cause.FailsTask
	}
	switch m.st.Phase {
	case Waiting, Backoff:
		m.record(killed())
		m.end()
	case Preparing:
		m.do(Action{Kind: Cancel})
	case Running:
		m.beginStop()
	case Stopping: // for a restart: the same stop now ends it
		m.do(Action{Kind: Save})
	}
}

// hurry shortens the end of a task that is ending already.
func (m *machine) hurry() {
	now := m.ev.Now && !m.st.Now
	if now {
		m.st.Now = true
		if m.ev.Cause != nil {
			m.record(*m.ev.Cause)
			m.st.Failed = m.st.Failed || m.ev.Cause.FailsTask
		}
	}
	switch {
	case m.ev.NoDelay && m.st.Phase == Delayed:
		m.record(skippingDelay(m.ShutdownDelay))
		m.stop()
	case now && m.st.Phase == Stopping:
		m.do(Action{Kind: Save}, Action{Kind: Tell}, Action{Kind: Stop, Signal: m.KillSignal})
	}
}

// grace is how long the task may take to end.
func (m *machine) grace() time.Duration {
	if m.st.Now {
		return 0
	}
	return m.KillTimeout
}

// beginStop stops a running task, after its shutdown delay.
func (m *machine) beginStop() {
	if m.ShutdownDelay <= 0 {
		m.stop()
		return
	}
	if m.ev.NoDelay {
		m.record(skippingDelay(m.ShutdownDelay))
		m.stop()
		return
	}
	m.st.Phase = Delayed
	m.record(waitingForDelay(m.ShutdownDelay))
	m.wait(m.ShutdownDelay)
	m.do(Action{Kind: Save}, Action{Kind: Tell})
}

func (m *machine) stop() {
	m.st.Phase, m.st.Until = Stopping, time.Time{}
	m.st.Task.Suspended = false // its driver lets it run, so that it can end
	if m.st.Killed {
		m.record(killing(m.grace()))
	}
	m.do(Action{Kind: Save}, Action{Kind: Tell},
		Action{Kind: Stop, Signal: m.KillSignal, Timeout: m.grace()})
}

// stopFailed tells that something of the task still runs, and tries again.
func (m *machine) stopFailed() {
	if m.st.Phase != Stopping {
		return
	}
	m.record(killError(m.ev.Err))
	m.do(Action{Kind: Tell})
	m.wait(stopRetry)
}

// restart stops a running task and starts it anew, outside the policy's count.
func (m *machine) restart() {
	if m.st.Killed && m.st.Phase != Dead {
		return
	}
	switch m.st.Phase {
	case Running:
		m.record(*m.ev.Cause)
		m.st.Again, m.st.FromCheckpoint = true, m.ev.FromCheckpoint
		m.stop()
	case Backoff:
		m.record(*m.ev.Cause)
		m.st.FromCheckpoint = m.ev.FromCheckpoint
		m.do(Action{Kind: Tell})
		m.resume()
	case Dead:
		if !m.ev.Revive {
			return
		}
		m.record(*m.ev.Cause)
		m.st = State{Phase: Preparing, Task: m.st.Task, FromCheckpoint: m.ev.FromCheckpoint}
		m.st.Task.State, m.st.Task.Failed, m.st.Task.FinishedAt = api.TaskStatePending, false, time.Time{}
		m.st.Task.Restarts++
		m.st.Task.LastRestart = m.ev.Time
		m.do(Action{Kind: Save}, Action{Kind: Tell}, Action{Kind: SetUp})
	}
}

// restore takes up a task where the agent left it.
func (m *machine) restore() {
	switch m.st.Phase {
	case Running, Delayed, Stopping:
		m.do(Action{Kind: Recover})
	case Preparing, Starting:
		// What may have been started is destroyed by the loop, which kept its ID.
		if m.st.Killed {
			m.end()
			return
		}
		m.do(Action{Kind: Destroy})
		m.resume()
	case Backoff:
		m.wait(m.st.Until.Sub(m.ev.Time))
	case Ending:
		// The driver may have been asked and not have come to an end.
		m.do(Action{Kind: Destroy}, Action{Kind: TearDown})
	}
}

func (m *machine) recovered() {
	switch m.st.Phase {
	case Running, Delayed, Stopping:
	default:
		return
	}
	if m.ev.Err != "" {
		m.st.Task.Suspended = false
		m.record(restoreFailure(m.ev.Err))
		m.do(Action{Kind: Destroy})
		switch {
		case m.st.Killed:
			m.end()
		case m.st.Again:
			m.again("", 0)
		default:
			m.failure("", true)
		}
		return
	}
	m.do(Action{Kind: Watch})
	switch m.st.Phase {
	case Delayed:
		m.wait(m.st.Until.Sub(m.ev.Time))
	case Stopping:
		m.do(Action{Kind: Stop, Signal: m.KillSignal, Timeout: m.grace()})
	}
}
