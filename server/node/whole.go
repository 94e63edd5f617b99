package node

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// whole is the message that holds every allocation of a node.
func whole(v *state.View, nodeID string) *api.NodeSync {
	m := &api.NodeSync{Index: v.Index(), Full: true}
	for a := range v.AllocationsByNode(nodeID) {
		m.Allocs = append(m.Allocs, a)
	}
	return m
}

// resumed is the message that leads a node which has these allocations to where
// whole would: what a client does with an allocation depends on its version, and
// on whether the servers have heard its status. It needs no memory of what the
// node was told, so it holds also when another server told it, when the state was
// restored from a snapshot, and when this server is behind.
func resumed(v *state.View, nodeID string, have []api.AllocHeld) *api.NodeSync {
	m := &api.NodeSync{Index: v.Index(), Resumed: true}
	held := make(map[string]*api.AllocHeld, len(have))
	for i := range have {
		held[have[i].ID] = &have[i]
	}
	for a := range v.AllocationsByNode(nodeID) {
		h := held[a.ID]
		delete(held, a.ID)
		if h == nil && a.ClientTerminal() {
			continue // it has removed it
		}
		if h == nil || h.Index != a.AllocModifyIndex || h.Status != a.ClientStatus {
			m.Allocs = append(m.Allocs, a)
		}
	}
	for i := range have { // in their order
		if held[have[i].ID] == &have[i] {
			m.Removed = append(m.Removed, have[i].ID)
		}
	}
	return m
}
