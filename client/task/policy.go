package task

import (
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
)

// jitterPart is the part of a delay that jitter may add.
const jitterPart = 0.25

// byPolicy restarts the task if its policy allows, else ends it.
func (m *machine) byPolicy(failed bool) {
	p := m.Policy
	if p.Attempts == 0 {
		m.giveUp("Policy allows no restarts", failed)
		return
	}
	interval := p.Interval.Std()
	if m.st.Since.IsZero() || m.ev.Time.Sub(m.st.Since) > interval {
		m.st.Since, m.st.Count = m.ev.Time, 0
	}
	m.st.Count++
	if m.st.Count <= p.Attempts {
		m.again("Restart within policy", m.jittered(p.Delay.Std()))
		return
	}
	reason := fmt.Sprintf("Exceeded allowed attempts %d in interval %v and mode is %q", p.Attempts, interval, p.Mode)
	if p.Mode == api.RestartModeFail {
		m.giveUp(reason, true)
		return
	}
	m.again(reason, m.jittered(m.st.Since.Add(interval).Sub(m.ev.Time)))
}

func (m *machine) jittered(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*jitterPart*m.ev.Jitter)
}
