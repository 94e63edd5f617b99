package endpoint

import (
	"iter"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) evaluations() {
	read(e, api.EvaluationsList, evaluationsList)
	read(e, api.EvaluationsCount, evaluationsCount)
	read(e, api.EvaluationRead, evaluationRead)
	read(e, api.EvaluationAllocations, evaluationAllocations)
	write(e, api.EvaluationsDelete, e.evaluationsDelete)
}

func evaluationListing(rows iter.Seq[*api.Evaluation]) listing[*api.Evaluation, *api.Evaluation] {
	return byAge(rows,
		func(x *api.Evaluation) uint64 { return x.CreateIndex },
		func(x *api.Evaluation) string { return x.ID },
		same[*api.Evaluation])
}

func evaluationsList(r *Read, req *api.EvaluationsListRequest) ([]*api.Evaluation, error) {
	rows := r.Evaluations()
	switch {
	case req.Prefix != "":
		rows = r.EvaluationsByPrefix(strings.ToLower(req.Prefix))
	case req.JobID != "" && r.Namespace != api.AllNamespaces:
		rows = r.EvaluationsByJob(r.Namespace, req.JobID)
	case req.Status != "":
		rows = r.EvaluationsByStatus(req.Status)
	}
	l := evaluationListing(rows)
	l.match = func(x *api.Evaluation) bool {
		return r.in(x.Namespace) && (req.JobID == "" || x.JobID == req.JobID) && (req.Status == "" || x.Status == req.Status)
	}
	return page(r, &req.QueryOptions, l)
}

func evaluationsCount(r *Read, req *api.EvaluationsListRequest) (api.CountResponse, error) {
	all := *req
	all.PerPage, all.NextToken = 0, ""
	list, err := evaluationsList(r, &all)
	return api.CountResponse{Count: len(list)}, err
}

func evaluationRead(r *Read, req *api.EvaluationReadRequest) (*api.Evaluation, error) {
	x, err := getEvaluation(r.View, req.ID)
	if err != nil || !req.Related {
		return x, err
	}
	with := *x
	with.RelatedEvals = relatedEvals(r, x)
	return &with, nil
}

// relatedEvals follows the links of an evaluation in both directions.
func relatedEvals(r *Read, x *api.Evaluation) []*api.EvaluationStub {
	out := []*api.EvaluationStub{}
	seen := []string{x.ID, ""}
	todo := []*api.Evaluation{x}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, id := range []string{at.NextEval, at.PreviousEval, at.BlockedEval} {
			if slices.Contains(seen, id) {
				continue
			}
			seen = append(seen, id)
			if other, ok := r.Evaluation(id); ok && r.can(other.Namespace, "read-job") {
				out = append(out, other.Stub())
				todo = append(todo, other)
			}
		}
	}
	return out
}

func evaluationAllocations(r *Read, req *api.IDRequest) ([]*api.AllocationListStub, error) {
	if err := wholeID("eval", req.ID); err != nil {
		return nil, err
	}
	x, known := r.Evaluation(req.ID)
	if !known {
		x = &api.Evaluation{ID: req.ID} // it has placed nothing
	}
	return page(r, &req.QueryOptions, readable(r, allocationListing(r.AllocationsByEval(x), false, true)))
}
