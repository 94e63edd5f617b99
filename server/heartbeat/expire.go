package heartbeat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

const (
	maxExpired = 2048 // nodes of one command
	maxTold    = 10   // nodes that the log names at once
)

// Patience says for how long a node may be out of reach before all of its
// allocations are given up: the longest lost_after of those that have begun to run
// on it, and still should. 0: the node is down when it is not heard.
func Patience(v *state.View, nodeID string) time.Duration {
	var longest api.Duration
	for a := range v.AllocationsByNode(nodeID) {
		if a.Terminal() || a.ClientStatus == api.AllocClientPending || a.Job == nil {
			continue
		}
		if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil && g.Disconnect != nil {
			longest = max(longest, g.Disconnect.LostAfter)
		}
	}
	return longest.Std()
}

// expire gives up nodes that were not heard in time.
func (m *Monitor) expire(ctx context.Context, late map[string]bool) {
	ids := slices.Sorted(maps.Keys(late))
	for part := range slices.Chunk(ids, maxExpired) {
		now := time.Now()
		view := m.Store.View()
		c := &fsm.NodeStatus{Time: now.UnixNano()}
		var nodes []*api.Node // as they will be
		for _, id := range part {
			n, ok := view.Node(id)
			if !ok || n.Status == api.NodeStatusDown || late[id] != (n.Status == api.NodeStatusDisconnected) {
				continue // it was heard, or something else has given it up
			}
			next := *n
			u := givenUp(&next, Patience(view, id), now)
			nodes, c.Updates = append(nodes, &next), append(c.Updates, u)
		}
		if len(nodes) == 0 {
			continue
		}
		m.tell(nodes)
		telemetry.Count(len(nodes), "nomad", "heartbeat", "invalidate")
		c.Evals = trigger.ForNodes(view, nodes, api.TriggerNodeUpdate, now)
		if _, _, err := m.Log.Apply(ctx, c); err != nil {
			if ctx.Err() == nil {
				m.Logger.Error("nodes could not be given up; it is tried again", "err", fmt.Errorf("apply node status: %w", err))
			}
			return
		}
	}
}

// givenUp changes the status of a node that was not heard: out of reach while
// there is patience with what runs on it, else down.
func givenUp(n *api.Node, patience time.Duration, now time.Time) fsm.NodeStatusUpdate {
	text := "Node heartbeat missed"
	switch {
	case n.Status == api.NodeStatusDisconnected:
		n.Status, text = api.NodeStatusDown, "Node was out of reach for too long"
	case patience > 0:
		n.Status, text = api.NodeStatusDisconnected, fmt.Sprintf("Node heartbeat missed, its allocations are waited for up to %s", patience)
	default:
		n.Status = api.NodeStatusDown
	}
	return fsm.NodeStatusUpdate{NodeID: n.ID, Status: n.Status, Event: &api.NodeEvent{
		Message: text, Subsystem: "Cluster", Timestamp: now.UTC(),
	}}
}

func (m *Monitor) tell(nodes []*api.Node) {
	for i, n := range nodes {
		if i == maxTold {
			m.Logger.Warn("further nodes were not heard in time", "nodes", len(nodes)-i)
			return
		}
		m.Logger.Warn("node was not heard in time", "node_id", n.ID, "node", n.Name, "status", n.Status)
	}
}
