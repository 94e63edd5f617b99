package endpoint

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

// caRevoke ends the trust in certificates. Nodes that have no good one left are
// given up at once: they can tell nobody that they live, and what runs there is
// not known to do what it should.
func (e *Endpoints) caRevoke(w *Write, req *api.CARevokeRequest) (api.CARevokeResponse, error) {
	found, err := e.Trust.Revoke(w.ctx, req.Serial, req.Name)
	if err != nil {
		return api.CARevokeResponse{Revoked: found}, err
	}
	view := e.Store.View()
	nodes := strangers(view, found, w.Now)
	if len(nodes) == 0 {
		return api.CARevokeResponse{Revoked: found}, nil
	}
	resp := api.CARevokeResponse{Revoked: found}
	for _, n := range nodes {
		if _, err := w.apply(&fsm.NodeEligibility{NodeID: n.ID, Eligibility: api.NodeIneligible, Time: w.Now.UnixNano(), Event: revokedEvent(w.Now)}); err != nil {
			return resp, err
		}
		if n.Status == api.NodeStatusDown {
			continue
		}
		down := *n
		down.Status, down.SchedulingEligibility = api.NodeStatusDown, api.NodeIneligible
		_, err := w.apply(&fsm.NodeStatus{
			Updates: []fsm.NodeStatusUpdate{{NodeID: n.ID, Status: api.NodeStatusDown, Event: revokedEvent(w.Now)}}, Time: w.Now.UnixNano(),
			Evals: trigger.ForNode(e.Store.View(), &down, api.TriggerNodeUpdate, w.Now),
		})
		if err != nil {
			return resp, err
		}
		resp.Nodes = append(resp.Nodes, n.ID)
	}
	e.Logger.Warn("nodes are given up: their certificates are revoked", "node_ids", resp.Nodes)
	return resp, nil
}

func revokedEvent(now time.Time) *api.NodeEvent {
	return &api.NodeEvent{Message: "The certificate of the node's agent was revoked", Subsystem: "Cluster", Timestamp: now.UTC().Truncate(time.Second)}
}

// strangers gives the nodes of agents whose certificates were revoked, and that
// have no other one.
func strangers(v *state.View, serials []string, now time.Time) []*api.Node {
	names := map[string]bool{}
	for _, serial := range serials {
		if c, ok := v.Certificate(serial); ok && c.Name != "" {
			names[c.Name] = true
		}
	}
	for c := range v.Certificates() {
		if c.Revoked == 0 && c.Expires > now.UnixNano() {
			delete(names, c.Name)
		}
	}
	var out []*api.Node
	for n := range v.Nodes() {
		if names[n.Name] {
			out = append(out, n)
		}
	}
	return out
}
