package heartbeat

import (
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// Brake bounds how many nodes are given up within a while. When a large part of
// them falls silent at once it is rather the servers, or the network between,
// that failed: everything that runs would be started again on the nodes that are
// left.
type Brake struct {
	// Share of the nodes, 0 to 1, of which no more are given up within Window; 0:
	// there is no brake.
	Share  float64
	Window time.Duration
	// Least is how many nodes it takes: a few may always be given up.
	Least int
}

// maxNamed is how many held nodes are named.
const maxNamed = 100

// brake is the state of it; Monitor.mu guards it.
type brake struct {
	lost      map[string]time.Time // given up within the window, or since it holds, and not heard since
	held      map[string]bool      // would be given up; the value as in Monitor.late
	since     time.Time            // when it began to hold; zero: it does not
	confirmed time.Time            // until when an operator lets everything go on
}

func newBrake() brake {
	return brake{lost: map[string]time.Time{}, held: map[string]bool{}}
}

// heard notes that a node lives.
func (b *brake) heard(nodeID string) {
	delete(b.lost, nodeID)
	delete(b.held, nodeID)
}

// restrain says which of the nodes that are late, or were held before, are given
// up now.
func (m *Monitor) restrain(v *state.View, late map[string]bool, now time.Time) map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &m.brake
	maps.Copy(b.held, late)
	for id, away := range b.held {
		if !overdue(v, id, away) {
			delete(b.held, id)
		}
	}
	b.forget(v, now, m.Brake.Window)
	if holds, of := m.exceeds(v); holds && !now.Before(b.confirmed) {
		if b.since.IsZero() {
			b.since = now
			m.Logger.Error("too many nodes fell silent at once: no more of them are given up until they come back or an operator confirms with \"serai operator node-brake release\"",
				"silent", len(b.held)+len(b.lost), "nodes", of, "given_up", len(b.lost))
		}
		return nil
	}
	if !b.since.IsZero() {
		b.since = time.Time{}
		m.Logger.Warn("nodes that are silent are given up again", "given_up_now", len(b.held))
	}
	gone := b.held
	b.held = map[string]bool{}
	for id := range gone {
		b.lost[id] = now
	}
	return gone
}

// overdue says whether a node is still one to be given up.
func overdue(v *state.View, id string, away bool) bool {
	n, ok := v.Node(id)
	return ok && n.Status != api.NodeStatusDown && away == (n.Status == api.NodeStatusDisconnected)
}

// forget drops what was given up before the window. While the brake holds it
// counts on.
func (b *brake) forget(v *state.View, now time.Time, window time.Duration) {
	for id, at := range b.lost {
		n, ok := v.Node(id)
		back := !ok || n.Status != api.NodeStatusDown && n.Status != api.NodeStatusDisconnected
		// The log may not have what was given up a moment ago.
		if back && now.Sub(at) > settleTime || b.since.IsZero() && now.Sub(at) > window {
			delete(b.lost, id)
		}
	}
}

// settleTime is how long it may take until the state shows that a node was given
// up.
const settleTime = 5 * time.Second

// exceeds says whether the nodes that are silent are too many, and of how many.
func (m *Monitor) exceeds(v *state.View) (bool, int) {
	b := &m.brake
	silent, all := len(b.held), 0
	for id := range b.lost {
		if _, too := b.held[id]; !too {
			silent++
		}
	}
	for n := range v.Nodes() {
		if _, lost := b.lost[n.ID]; lost || n.Status != api.NodeStatusDown {
			all++
		}
	}
	return m.Brake.Share > 0 && silent >= m.Brake.Least && float64(silent) > m.Brake.Share*float64(all), all
}

// holding says whether nodes are held.
func (m *Monitor) holding() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.brake.since.IsZero()
}

// BrakeState tells about the brake.
func (m *Monitor) BrakeState() api.NodeBrake {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &m.brake
	out := api.NodeBrake{Holds: !b.since.IsZero(), Held: len(b.held), GivenUp: len(b.lost), Percent: int(m.Brake.Share*100 + 0.5)}
	if out.Holds {
		since := b.since.UTC()
		out.Since = &since
	}
	if time.Now().Before(b.confirmed) {
		until := b.confirmed.UTC()
		out.ReleasedUntil = &until
	}
	out.Nodes = slices.Sorted(maps.Keys(b.held))
	out.Nodes = out.Nodes[:min(len(out.Nodes), maxNamed)]
	return out
}

// Release has all nodes given up that are silent, and those that turn out to be
// within the window.
func (m *Monitor) Release() {
	m.mu.Lock()
	m.brake.confirmed = time.Now().Add(m.Brake.Window)
	m.Logger.Warn("an operator lets silent nodes be given up", "held", len(m.brake.held), "for", m.Brake.Window)
	m.wake = time.Now()
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default:
	}
}
