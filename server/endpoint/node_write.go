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
