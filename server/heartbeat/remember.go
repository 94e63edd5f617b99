package heartbeat

import (
	"time"

	"github.com/seraihq/serai/api"
)

// ShareEvery is how often the leader tells the other servers how long it would
// still wait for each node.
const ShareEvery = 10 * time.Second

// maxShared is how many nodes one message names.
const maxShared = 10_000

// memory is what a server knows of deadlines while it does not lead; Monitor.mu
// guards it.
type memory struct {
	term uint64 // of the leader that told
	at   time.Time
	left map[string]time.Duration // by node, at that time
}

// Shared gives how long each node is still waited for, in parts of a message each.
// Nodes that are out of reach already are left out: their time is in the state.
func (m *Monitor) Shared(term uint64) []*api.NodeDeadlines {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return nil
	}
	now := time.Now()
	out := []*api.NodeDeadlines{{Term: term, First: true}}
	for id, d := range m.deadline {
		if d.away {
			continue
		}
		part := out[len(out)-1]
		if len(part.NodeIDs) == maxShared {
			part = &api.NodeDeadlines{Term: term}
			out = append(out, part)
		}
		part.NodeIDs, part.Left = append(part.NodeIDs, id), append(part.Left, max(0, d.at.Sub(now).Milliseconds()))
	}
	return out
}

// Learn takes over what the leader of a term tells. What an older leader says is
// refused with an error of kind api.ErrConflict, what makes no sense with one of
// kind api.ErrInvalid.
func (m *Monitor) Learn(d *api.NodeDeadlines) error {
	if len(d.NodeIDs) != len(d.Left) || len(d.NodeIDs) > maxShared {
		return api.Errorf(api.ErrInvalid, "deadlines of nodes: %d nodes and %d times; as many of both are taken, and at most %d", len(d.NodeIDs), len(d.Left), maxShared)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running || d.Term < m.memory.term {
		return api.Errorf(api.ErrConflict, "deadlines of nodes: they are of term %d, and this server knows a newer leader", d.Term)
	}
	if d.First || d.Term != m.memory.term || m.memory.left == nil {
		m.memory = memory{term: d.Term, left: map[string]time.Duration{}}
	}
	m.memory.at = time.Now()
	for i, id := range d.NodeIDs {
		m.memory.left[id] = time.Duration(min(max(d.Left[i], 0), m.Failover.Milliseconds())) * time.Millisecond
	}
	return nil
}

// keep remembers, when this server ceases to lead, what it knew itself. The caller
// holds mu.
func (m *Monitor) keep() {
	now := time.Now()
	m.memory = memory{term: m.memory.term, at: now, left: make(map[string]time.Duration, len(m.deadline))}
	for id, d := range m.deadline {
		if !d.away {
			m.memory.left[id] = d.at.Sub(now)
		}
	}
}

// remembered gives how long a new leader waits for one of so many nodes: for as
// long as the one before it would have, with the time in which nobody led left
// out; for no less than a node that lives may take to be heard again, since it may
// have been heard after this server was told; and for the failover time where
// nobody has told. The caller holds mu.
func (m *Monitor) remembered(nodeID string, nodes int) time.Duration {
	left, known := m.memory.left[nodeID]
	if !known {
		return m.Failover
	}
	passed := min(time.Since(m.memory.at), 2*ShareEvery) // after that, no leader was heard
	again := m.ttl(nodes) * 3 / 2 / 2                    // clients leave time for a second attempt
	return min(max(left-passed, again+m.Grace), m.Failover)
}
