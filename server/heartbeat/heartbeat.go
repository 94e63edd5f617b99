package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
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
	Failover  time.Duration // what a new leader gives every node
	MaxPerSec float64       // heartbeats of all nodes together
}

// Monitor watches nodes. See the package comment.
type Monitor struct {
	Config
	changed chan struct{} // a deadline may be earlier than the one slept for

	mu       sync.Mutex
	deadline map[string]time.Time // by node; nodes that are down have none
	running  bool
}

// New makes a monitor.
func New(c Config) *Monitor {
	return &Monitor{Config: c, changed: make(chan struct{}, 1), deadline: map[string]time.Time{}}
}

// Beat notes that a node lives, and says how soon the next heartbeat is due.
func (m *Monitor) Beat(nodeID string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	ttl := m.MinTTL
	if m.MaxPerSec > 0 {
		ttl = max(ttl, time.Duration(float64(len(m.deadline))/m.MaxPerSec*float64(time.Second)))
	}
	ttl += rand.N(ttl/2 + 1)
	if m.running {
		m.deadline[nodeID] = time.Now().Add(ttl + m.Grace)
		m.nudge()
	}
	return ttl
}

func (m *Monitor) nudge() {
	select {
	case m.changed <- struct{}{}:
	default:
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
	clear(m.deadline)
}

func (m *Monitor) watch(ctx context.Context) error {
	view, sub := m.Store.Subscribe(1024, state.TableNodes)
	defer sub.Close()
	m.start(view)
	timer := time.NewTimer(m.next(time.Now()))
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
			m.expire(ctx)
		}
		timer.Reset(m.next(time.Now()))
	}
}

// start gives every node that is not down the failover time.
func (m *Monitor) start(v *state.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = true
	for n := range v.Nodes() {
		if _, known := m.deadline[n.ID]; !known && n.Status != api.NodeStatusDown {
			m.deadline[n.ID] = time.Now().Add(m.Failover)
		}
	}
}

// follow forgets nodes that are gone or down, and watches new ones.
func (m *Monitor) follow(sub *state.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		c, ok, err := sub.Try()
		if err != nil || !ok {
			return err
		}
		for _, x := range c.Changes {
			if n, ok := x.New.(*api.Node); ok && n.Status != api.NodeStatusDown {
				if _, known := m.deadline[n.ID]; !known {
					m.deadline[n.ID] = time.Now().Add(m.MinTTL + m.Grace)
				}
			} else if ok {
				delete(m.deadline, n.ID)
			} else if n, ok := x.Old.(*api.Node); ok {
				delete(m.deadline, n.ID)
			}
		}
	}
}

// next says how long it is until the first deadline.
func (m *Monitor) next(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := now.Add(time.Hour)
	for _, d := range m.deadline {
		if d.Before(first) {
			first = d
		}
	}
	return max(first.Sub(now), time.Millisecond)
}

// expire marks the nodes as down whose deadline is over.
func (m *Monitor) expire(ctx context.Context) {
	now := time.Now()
	c := &fsm.NodeStatus{Time: now.UnixNano()}
	view := m.Store.View()
	for _, id := range m.late(now) {
		n, ok := view.Node(id)
		if !ok || n.Status == api.NodeStatusDown {
			continue
		}
		m.Logger.Warn("node is down: no heartbeat", "node_id", id, "node", n.Name)
		c.Updates = append(c.Updates, fsm.NodeStatusUpdate{NodeID: id, Status: api.NodeStatusDown, Event: &api.NodeEvent{
			Message: "Node heartbeat missed", Subsystem: "Cluster", Timestamp: now.UTC(),
		}})
		down := *n
		down.Status = api.NodeStatusDown
		c.Evals = append(c.Evals, trigger.ForNode(view, &down, api.TriggerNodeUpdate, now)...)
	}
	if len(c.Updates) == 0 {
		return
	}
	if _, _, err := m.Log.Apply(ctx, c); err != nil && ctx.Err() == nil {
		m.Logger.Error("nodes could not be marked as down; it is tried again", "err", fmt.Errorf("apply node status: %w", err))
	}
}

// late takes the nodes whose deadline is over; they get another one, which the
// feed removes when they are down.
func (m *Monitor) late(now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, d := range m.deadline {
		if !d.After(now) {
			ids = append(ids, id)
			m.deadline[id] = now.Add(m.Grace)
		}
	}
	return ids
}
