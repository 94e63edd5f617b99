package heartbeat

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Config is what New needs.
type Config struct {
	Store     *state.Store
	Log       Log
	Logger    *slog.Logger
	MinTTL    time.Duration // shortest time between heartbeats
	Grace     time.Duration // beyond the TTL before a node is down
	Failover  time.Duration // what a new leader gives a node of which it knows nothing
	MaxPerSec float64       // heartbeats of all nodes together
	Brake     Brake
}

// Monitor watches nodes. See the package comment.
type Monitor struct {
	Config
	changed chan struct{} // a deadline is earlier than the one slept for

	mu       sync.Mutex
	deadline map[string]deadline // by node; nodes that are down have none
	wake     time.Time           // no deadline is earlier
	running  bool
	brake    brake
	memory   memory
}

// deadline is when a node is given up. Times are compared by the monotonic
// clock: a change of the wall clock moves none of them.
type deadline struct {
	at time.Time
	// away says that the node is out of reach already, and what is waited for is
	// the end of the patience with its allocations.
	away bool
}

// New makes a monitor.
func New(c Config) *Monitor {
	return &Monitor{Config: c, changed: make(chan struct{}, 1), deadline: map[string]deadline{}, brake: newBrake()}
}

// Beat notes that a node lives, and says how soon the next heartbeat is due.
func (m *Monitor) Beat(nodeID string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	ttl := m.ttl(len(m.deadline))
	ttl += rand.N(ttl/2 + 1)
	m.brake.heard(nodeID)
	if m.running {
		m.set(nodeID, deadline{at: time.Now().Add(ttl + m.Grace)})
	}
	return ttl
}

// ttl is the shortest time between the heartbeats of one of so many nodes; each is
// given up to half of it more.
func (m *Monitor) ttl(nodes int) time.Duration {
	if m.MaxPerSec <= 0 {
		return m.MinTTL
	}
	return max(m.MinTTL, time.Duration(float64(nodes)/m.MaxPerSec*float64(time.Second)))
}

// set changes a deadline, and wakes the loop when it would sleep past it.
func (m *Monitor) set(nodeID string, d deadline) {
	m.deadline[nodeID] = d
	if d.at.Before(m.wake) {
		m.wake = d.at
		select {
		case m.changed <- struct{}{}:
		default:
		}
	}
}

// Run watches until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	defer m.stop()
	for {
		err := m.watch(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
	}
}

func (m *Monitor) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	m.keep()
	clear(m.deadline)
	m.brake = newBrake()
}

func (m *Monitor) watch(ctx context.Context) error {
	view, sub := m.Store.Subscribe(1024, state.TableNodes)
	defer sub.Close()
	m.start(view)
	timer := time.NewTimer(m.sleep())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.changed:
		case <-sub.Ready():
			if err := m.follow(sub); err != nil {
				return err
			}
		case <-timer.C:
		}
		m.stalled(time.Now())
		if late := m.late(time.Now()); len(late) > 0 || m.holding() {
			m.expire(ctx, m.restrain(m.Store.View(), late, time.Now()))
		}
		timer.Reset(m.sleep())
	}
}

// start gives every node that is not down the time that the leader before would
// have given it, and the failover time where that is not known.
func (m *Monitor) start(v *state.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running, m.wake = true, time.Now() // the first pass finds the next one
	nodes := v.NodeCount()
	for n := range v.Nodes() {
		if _, known := m.deadline[n.ID]; known || n.Status == api.NodeStatusDown {
			continue
		}
		d := deadline{at: time.Now().Add(m.remembered(n.ID, nodes))}
		if n.Status == api.NodeStatusDisconnected {
			d = m.away(v, n)
		}
		m.set(n.ID, d)
	}
	m.memory.left = nil
}

// follow forgets nodes that are gone or down, and watches those that are new or
// out of reach.
func (m *Monitor) follow(sub *state.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sub.Each(func(c *state.Commit, x *state.Change) {
		old, _ := x.Old.(*api.Node)
		if n, _ := x.New.(*api.Node); n != nil {
			m.note(c.View, n)
		} else if old != nil {
			delete(m.deadline, old.ID)
		}
	})
}

func (m *Monitor) note(v *state.View, n *api.Node) {
	d, known := m.deadline[n.ID]
	switch {
	case n.Status == api.NodeStatusDown:
		delete(m.deadline, n.ID)
	case n.Status == api.NodeStatusDisconnected:
		if !known || !d.away {
			m.set(n.ID, m.away(v, n))
		}
	case d.away: // the heartbeat that it is back with says when the next is due
		m.set(n.ID, deadline{at: time.Now().Add(m.Failover)})
	case !known:
		m.set(n.ID, deadline{at: time.Now().Add(m.MinTTL + m.Grace)})
	}
}

// away gives the deadline of a node that is out of reach: when none of its
// allocations may be without it any longer. It has the time of a heartbeat in any
// case, for a new leader that it has not met yet.
func (m *Monitor) away(v *state.View, n *api.Node) deadline {
	patience := Patience(v, n.ID)
	left := min(time.Until(time.Unix(n.StatusUpdatedAt, 0).Add(patience)), patience)
	return deadline{at: time.Now().Add(max(left, m.MinTTL+m.Grace)), away: true}
}

// sleep says how long it is until the first deadline.
func (m *Monitor) sleep() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(time.Until(m.wake), time.Millisecond)
}

// stalled notices that this process was stopped, or starved, for a while in
// which it could have heard nobody: the nodes are not to blame.
func (m *Monitor) stalled(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	over := now.Sub(m.wake)
	if over < max(m.Grace/2, time.Second) {
		return
	}
	m.Logger.Warn("this server did nothing for a while, nodes get more time", "for", over)
	over += m.Grace
	for id, d := range m.deadline {
		d.at = d.at.Add(over)
		m.deadline[id] = d
	}
	m.wake = now
}

// late takes the nodes whose deadline is over, and says whether each was out of
// reach already; they get another one, until the feed tells what became of them.
func (m *Monitor) late(now time.Time) map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.wake) {
		return nil
	}
	ids := map[string]bool{}
	m.wake = now.Add(time.Hour)
	for id, d := range m.deadline {
		if !d.at.After(now) {
			ids[id] = d.away
			d.at = now.Add(max(m.Grace, time.Second))
			m.deadline[id] = d
		}
		if d.at.Before(m.wake) {
			m.wake = d.at
		}
	}
	return ids
}
