package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// evaluationsDelete removes evaluations by ID or by filter. The queue must be
// paused, so that none of them is being scheduled.
func (e *Endpoints) evaluationsDelete(w *Write, req *api.EvaluationsDeleteRequest) (api.CountResponse, error) {
	var resp api.CountResponse
	if !w.SchedulerConfig().PauseEvalBroker {
		return resp, api.Errorf(api.ErrConflict, "eval broker is enabled; eval broker must be paused to delete evals")
	}
	if (len(req.EvalIDs) == 0) == (req.Filter == "") {
		return resp, api.Errorf(api.ErrInvalid, "evals must be deleted by either ID or filter")
	}
	ids := req.EvalIDs
	if req.Filter != "" {
		f, err := compileFilter(req.Filter)
		if err != nil {
			return resp, err
		}
		for x := range w.Evaluations() {
			ok, err := f.pass(x)
			if err != nil {
				return resp, err
			}
			if ok && w.deletable(x) == nil {
				ids = append(ids, x.ID)
			}
		}
	} else {
		for _, id := range ids {
			x, err := getEvaluation(w.View, id)
			if err != nil {
				return resp, err
			}
			if err := w.deletable(x); err != nil {
				return resp, err
			}
		}
	}
	n, err := w.apply(&fsm.EvalDelete{IDs: ids})
	if err != nil {
		return resp, err
	}
	return api.CountResponse{Count: n.(int)}, nil
}

// deletable refuses evaluations whose allocations still run: they tell why.
func (w *Write) deletable(x *api.Evaluation) error {
	for a := range w.AllocationsByEval(x) {
		if !a.Terminal() {
			return api.Errorf(api.ErrConflict, "evaluation %s has allocations that still run, for example %s", x.ID, a.ID)
		}
	}
	return nil
}
