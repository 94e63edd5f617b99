package fsm

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// NodeRegister stores a node as its client describes it. What the servers know
// of it (drain, eligibility, events) is kept. A node pool that does not exist
// is made. The result is the *api.Node.
type NodeRegister struct {
	Node  *api.Node
	Time  int64 // Unix nanoseconds
	Evals []*api.Evaluation
}

func (c *NodeRegister) apply(tx *state.Tx) (any, error) {
	n := c.Node
	if n == nil || n.ID == "" {
		return nil, api.Errorf(api.ErrInvalid, "register node: no node ID given")
	}
	old, exists := tx.Node(n.ID)
	if exists && old.SecretID != "" && old.SecretID != n.SecretID {
		return nil, api.Errorf(api.ErrDenied, "node %s: the secret ID is not that of the node registered before; give the new node an ID of its own", n.ID)
	}
	if n.NodePool == "" {
		n.NodePool = api.NodePoolDefault
	}
	if _, ok := tx.NodePool(n.NodePool); !ok {
		tx.PutNodePool(&api.NodePool{Name: n.NodePool})
	}
	if exists {
		keepServerFields(n, old, c.Time, tx.Index())
	} else {
		if n.SchedulingEligibility == "" {
			n.SchedulingEligibility = api.NodeEligible
		}
		n.Events = addEvent(nil, nodeEvent("Node registered", c.Time), tx.Index())
		n.StatusUpdatedAt = c.Time / int64(time.Second)
	}
	tx.PutNode(n)
	putEvals(tx, c.Evals)
	return n, nil
}

func keepServerFields(n, old *api.Node, now int64, index uint64) {
	n.Drain, n.DrainStrategy, n.LastDrain = old.Drain, old.DrainStrategy, old.LastDrain
	n.SchedulingEligibility = old.SchedulingEligibility
	n.Events, n.StatusUpdatedAt = old.Events, old.StatusUpdatedAt
	if n.Status != old.Status {
		n.StatusUpdatedAt = now / int64(time.Second)
	}
	if old.Status == api.NodeStatusDown || old.Status == api.NodeStatusDisconnected {
		n.Events = addEvent(n.Events, nodeEvent("Node re-registered", now), index)
	}
}

func nodeEvent(message string, now int64) *api.NodeEvent {
	return &api.NodeEvent{Message: message, Subsystem: "Cluster", Timestamp: time.Unix(0, now).UTC()}
}

// addEvent appends an event to a copy of the list and drops the oldest.
func addEvent(list []*api.NodeEvent, e *api.NodeEvent, index uint64) []*api.NodeEvent {
	if e == nil {
		return list
	}
	e.CreateIndex = index
	out := append(append(make([]*api.NodeEvent, 0, len(list)+1), list...), e)
	return out[max(0, len(out)-api.MaxNodeEvents):]
}

// NodeStatus sets the status of nodes: heard from, or not. No result.
type NodeStatus struct {
	Updates []NodeStatusUpdate
	Time    int64 // Unix nanoseconds
	Evals   []*api.Evaluation
}

// NodeStatusUpdate is one node of a NodeStatus.
type NodeStatusUpdate struct {
	NodeID string
	Status string
	Event  *api.NodeEvent // may be nil
}

func (c *NodeStatus) apply(tx *state.Tx) (any, error) {
	for _, u := range c.Updates {
		old, ok := tx.Node(u.NodeID)
		if !ok {
			if len(c.Updates) == 1 {
				return nil, api.Errorf(api.ErrNotFound, "node not found")
			}
			continue
		}
		n := *old
		if n.Status != u.Status {
			n.StatusUpdatedAt = c.Time / int64(time.Second)
		}
		n.Status = u.Status
		n.Events = addEvent(old.Events, u.Event, tx.Index())
		tx.PutNode(&n)
	}
	putEvals(tx, c.Evals)
	return nil, nil
}

// NodeEligibility says whether new allocations may be placed on a node. The
// result is the *api.Node.
type NodeEligibility struct {
	NodeID      string
	Eligibility string
	Time        int64 // Unix nanoseconds
	Event       *api.NodeEvent
	Evals       []*api.Evaluation
}

func (c *NodeEligibility) apply(tx *state.Tx) (any, error) {
	old, ok := tx.Node(c.NodeID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "node not found")
	}
	if old.DrainStrategy != nil && c.Eligibility == api.NodeEligible {
		return nil, api.Errorf(api.ErrInvalid, "can not set node's scheduling eligibility to eligible while it is draining")
	}
	n := *old
	n.SchedulingEligibility = c.Eligibility
	n.Events = addEvent(old.Events, c.Event, tx.Index())
	tx.PutNode(&n)
	putEvals(tx, c.Evals)
	return &n, nil
}

// NodeDeregister removes nodes. The result is how many there were, an int.
type NodeDeregister struct {
	NodeIDs []string
	Evals   []*api.Evaluation
}

func (c *NodeDeregister) apply(tx *state.Tx) (any, error) {
	n := 0
	for _, id := range c.NodeIDs {
		if tx.DeleteNode(id) {
			n++
		}
	}
	putEvals(tx, c.Evals)
	return n, nil
}

// NodePoolUpsert writes node pools. No result.
type NodePoolUpsert struct {
	Pools []*api.NodePool
}

func (c *NodePoolUpsert) apply(tx *state.Tx) (any, error) {
	for _, p := range c.Pools {
		if p == nil || p.Name == "" {
			return nil, api.Errorf(api.ErrInvalid, "node pool: no name given")
		}
		if builtinPool(p.Name) {
			return nil, api.Errorf(api.ErrInvalid, "modifying node pool %q is not allowed", p.Name)
		}
		tx.PutNodePool(p)
	}
	return nil, nil
}

func builtinPool(name string) bool { return name == api.NodePoolAll || name == api.NodePoolDefault }

// NodePoolDelete removes node pools that neither a node nor a job is in. No
// result.
type NodePoolDelete struct {
	Names []string
}

func (c *NodePoolDelete) apply(tx *state.Tx) (any, error) {
	for _, name := range c.Names {
		if builtinPool(name) {
			return nil, api.Errorf(api.ErrInvalid, "deleting node pool %q is not allowed", name)
		}
		if _, ok := tx.NodePool(name); !ok {
			return nil, api.Errorf(api.ErrNotFound, "node pool %q not found", name)
		}
		for n := range tx.NodesByPool(name) {
			return nil, api.Errorf(api.ErrConflict, "node pool %q has nodes, for example %s; move or purge them first", name, n.ID)
		}
		for j := range tx.JobsByNodePool(name) {
			if j.Status != api.JobStatusDead {
				return nil, api.Errorf(api.ErrConflict, "node pool %q has non-terminal jobs, for example %q in namespace %q; stop them first", name, j.ID, j.Namespace)
			}
		}
		tx.DeleteNodePool(name)
	}
	return nil, nil
}
