package fsm

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// What a node's last drain came to.
const (
	DrainDraining = "draining"
	DrainComplete = "complete"
	DrainCanceled = "canceled"
)

// NodeDrain starts a drain, changes the one that goes on, or with no Strategy
// ends it. The result is the *api.Node.
type NodeDrain struct {
	NodeID       string
	Strategy     *api.DrainStrategy
	MarkEligible bool // when there is no Strategy
	Meta         map[string]string
	AccessorID   string
	Time         int64 // Unix nanoseconds
	Event        *api.NodeEvent
	Evals        []*api.Evaluation
}

func (c *NodeDrain) apply(tx *state.Tx) (any, error) {
	old, ok := tx.Node(c.NodeID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "node not found")
	}
	n := *old
	at := time.Unix(0, c.Time).UTC()
	if c.Strategy != nil {
		c.begin(&n, at)
	} else {
		c.end(&n, at)
	}
	n.Events = addEvent(old.Events, c.Event, tx.Index())
	tx.PutNode(&n)
	putEvals(tx, c.Evals)
	return &n, nil
}

func (c *NodeDrain) begin(n *api.Node, at time.Time) {
	s := *c.Strategy
	if s.StartedAt.IsZero() {
		s.StartedAt = at
	}
	last := api.DrainMetadata{StartedAt: s.StartedAt, UpdatedAt: at, Status: DrainDraining, AccessorID: c.AccessorID, Meta: c.Meta}
	if n.DrainStrategy != nil { // goes on since it began
		s.StartedAt = n.DrainStrategy.StartedAt
		last.StartedAt = s.StartedAt
		if c.Meta == nil && n.LastDrain != nil {
			last.Meta = n.LastDrain.Meta
		}
	}
	n.DrainStrategy, n.Drain, n.LastDrain = &s, true, &last
	n.SchedulingEligibility = api.NodeIneligible
}

func (c *NodeDrain) end(n *api.Node, at time.Time) {
	if n.DrainStrategy != nil {
		n.LastDrain = lastDrain(n, DrainCanceled, at)
		if c.Meta != nil {
			n.LastDrain.Meta = c.Meta
		}
		n.LastDrain.AccessorID = c.AccessorID
	}
	n.DrainStrategy, n.Drain = nil, false
	if c.MarkEligible {
		n.SchedulingEligibility = api.NodeEligible
	}
}

func lastDrain(n *api.Node, status string, at time.Time) *api.DrainMetadata {
	last := api.DrainMetadata{StartedAt: at}
	if n.LastDrain != nil {
		last = *n.LastDrain
	}
	last.Status, last.UpdatedAt = status, at
	return &last
}

// DrainStep carries the drains of all nodes on: allocations that shall move,
// the evaluations that move them, nodes that are done, and what there is to
// tell. What is no longer so when it is applied is left out. No result.
type DrainStep struct {
	Time   int64 // Unix nanoseconds
	Allocs []string
	Evals  []*api.Evaluation
	Done   []DrainNode
	Notes  []DrainNode
}

// DrainNode is a node of a DrainStep and the drain that is meant.
type DrainNode struct {
	NodeID    string
	StartedAt time.Time
	Event     *api.NodeEvent
}

func (c *DrainStep) apply(tx *state.Tx) (any, error) {
	yes := true
	for _, id := range c.Allocs {
		old, ok := tx.Allocation(id)
		if !ok || old.Terminal() || !draining(tx, old.NodeID) {
			continue
		}
		a := *old
		a.DesiredTransition.Migrate, a.ModifyTime = &yes, c.Time
		tx.PutAllocation(&a)
	}
	putEvals(tx, c.Evals)
	at := time.Unix(0, c.Time).UTC()
	for _, d := range c.Notes {
		if n, ok := d.node(tx); ok {
			n.Events = addEvent(n.Events, d.Event, tx.Index())
			tx.PutNode(n)
		}
	}
	for _, d := range c.Done {
		if n, ok := d.node(tx); ok {
			n.LastDrain = lastDrain(n, DrainComplete, at)
			n.DrainStrategy, n.Drain = nil, false
			n.Events = addEvent(n.Events, d.Event, tx.Index())
			tx.PutNode(n)
		}
	}
	return nil, nil
}

func draining(tx *state.Tx, nodeID string) bool {
	n, ok := tx.Node(nodeID)
	return ok && n.DrainStrategy != nil
}

// node gives a copy of the node if the drain that is meant goes on.
func (d *DrainNode) node(tx *state.Tx) (*api.Node, bool) {
	old, ok := tx.Node(d.NodeID)
	if !ok || old.DrainStrategy == nil || !old.DrainStrategy.StartedAt.Equal(d.StartedAt) {
		return nil, false
	}
	n := *old
	return &n, true
}
