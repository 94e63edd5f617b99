package endpoint

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) nodeWrites() {
	write(e, api.NodeEvaluate, nodeEvaluate)
	write(e, api.NodeEligibility, nodeEligibility)
	write(e, api.NodeDrain, nodeDrain)
	write(e, api.NodePurge, nodePurge)
}

func nodeEvaluate(w *Write, req *api.NodeRequest) (api.NodeUpdateResponse, error) {
	n, err := getNode(w.View, req.ID)
	if err != nil {
		return api.NodeUpdateResponse{}, err
	}
	evals := trigger.ForNode(w.View, n, api.TriggerNodeUpdate, w.Now)
	if len(evals) == 0 {
		return api.NodeUpdateResponse{EvalIDs: []string{}, NodeModifyIndex: n.ModifyIndex}, nil
	}
	_, err = w.apply(&fsm.EvalUpsert{Evals: evals})
	return nodeResponse(w, evals, n.ModifyIndex), err
}

func nodeResponse(w *Write, evals []*api.Evaluation, modified uint64) api.NodeUpdateResponse {
	resp := api.NodeUpdateResponse{EvalIDs: []string{}, NodeModifyIndex: modified}
	for _, x := range evals {
		resp.EvalIDs = append(resp.EvalIDs, x.ID)
	}
	if len(evals) > 0 {
		resp.EvalID, resp.EvalCreateIndex = evals[0].ID, w.Index
	}
	return resp
}

func nodeEligibility(w *Write, req *api.NodeEligibilityRequest) (api.NodeUpdateResponse, error) {
	n, err := getNode(w.View, req.ID)
	if err != nil {
		return api.NodeUpdateResponse{}, err
	}
	message := ""
	switch req.Eligibility {
	case api.NodeEligible:
		message = "Node marked as eligible for scheduling"
	case api.NodeIneligible:
		message = "Node marked as ineligible for scheduling"
	default:
		return api.NodeUpdateResponse{}, api.Errorf(api.ErrInvalid, "invalid scheduling eligibility %q; it is %q or %q", req.Eligibility, api.NodeEligible, api.NodeIneligible)
	}
	if n.SchedulingEligibility == req.Eligibility {
		return api.NodeUpdateResponse{EvalIDs: []string{}, NodeModifyIndex: n.ModifyIndex}, nil
	}
	c := &fsm.NodeEligibility{
		NodeID: n.ID, Eligibility: req.Eligibility, Time: w.Now.UnixNano(),
		Event: &api.NodeEvent{Message: message, Subsystem: "Cluster", Timestamp: w.Now.UTC().Truncate(time.Second)},
	}
	if req.Eligibility == api.NodeEligible {
		usable := *n
		usable.SchedulingEligibility = req.Eligibility
		c.Evals = trigger.ForNode(w.View, &usable, api.TriggerNodeUpdate, w.Now)
	}
	_, err = w.apply(c)
	return nodeResponse(w, c.Evals, w.Index), err
}

// nodeDrain starts a drain, changes the one that goes on, or ends it.
func nodeDrain(w *Write, req *api.NodeDrainRequest) (api.NodeUpdateResponse, error) {
	n, err := getNode(w.View, req.ID)
	if err != nil {
		return api.NodeUpdateResponse{}, err
	}
	if req.NodeID != "" && req.NodeID != req.ID {
		return api.NodeUpdateResponse{}, api.Errorf(api.ErrInvalid, "the path names node %s and the body node %s; let them agree", req.ID, req.NodeID)
	}
	c := &fsm.NodeDrain{NodeID: n.ID, MarkEligible: req.MarkEligible, Meta: req.Meta, Time: w.Now.UnixNano()}
	message := "Node drain disabled"
	switch {
	case req.DrainSpec != nil:
		if c.Strategy, err = drainStrategy(req.DrainSpec, w.Now); err != nil {
			return api.NodeUpdateResponse{}, err
		}
		if message = "Node drain strategy set"; n.DrainStrategy != nil {
			message = "Node drain strategy updated"
		}
	case n.DrainStrategy == nil && !req.MarkEligible:
		return api.NodeUpdateResponse{EvalIDs: []string{}, NodeModifyIndex: n.ModifyIndex}, nil
	}
	c.Event = &api.NodeEvent{Message: message, Subsystem: "Drain", Timestamp: w.Now.UTC().Truncate(time.Second)}
	if req.DrainSpec == nil && req.MarkEligible {
		usable := *n
		usable.DrainStrategy, usable.SchedulingEligibility = nil, api.NodeEligible
		c.Evals = trigger.ForNode(w.View, &usable, api.TriggerNodeUpdate, w.Now)
	}
	_, err = w.apply(c)
	return nodeResponse(w, c.Evals, w.Index), err
}

// maxDrainDeadline is the longest a drain may be given.
const maxDrainDeadline = api.Duration(10 * 365 * 24 * time.Hour)

func drainStrategy(spec *api.DrainSpec, now time.Time) (*api.DrainStrategy, error) {
	if spec.Deadline > maxDrainDeadline {
		return nil, api.Errorf(api.ErrInvalid, "the drain's deadline must be at most %s; use 0 for none", maxDrainDeadline)
	}
	s := &api.DrainStrategy{DrainSpec: *spec, StartedAt: now.UTC()}
	if spec.Deadline < 0 {
		s.Deadline = -1
	}
	if spec.Deadline > 0 {
		s.ForceDeadline = now.Add(time.Duration(spec.Deadline)).UTC()
	}
	return s, nil
}

func nodePurge(w *Write, req *api.NodeRequest) (api.NodeUpdateResponse, error) {
	n, err := getNode(w.View, req.ID)
	if err != nil {
		return api.NodeUpdateResponse{}, err
	}
	gone := *n
	gone.Status = api.NodeStatusDown
	evals := trigger.ForNode(w.View, &gone, api.TriggerNodeUpdate, w.Now)
	_, err = w.apply(&fsm.NodeDeregister{NodeIDs: []string{n.ID}, Evals: evals})
	return nodeResponse(w, evals, w.Index), err
}
