package state

import (
	"iter"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// evaluationTables are the tables about evaluations.
type evaluationTables struct {
	evals       *byID[*api.Evaluation]
	evalsJob    *table.Index[jobID, string, *api.Evaluation]
	evalsStatus *table.Index[string, string, *api.Evaluation]
}

func compareString(a, b string) int { return strings.Compare(a, b) }

func newEvaluationTables(s *table.Store) evaluationTables {
	var t evaluationTables
	t.evals = addByID(s, TableEvaluations, func(e *api.Evaluation) string { return e.ID }, func(e *api.Evaluation) uint64 { return e.ModifyIndex })
	t.evalsJob = table.AddIndex(t.evals, "job", compareJobID, func(e *api.Evaluation, dst []jobID) []jobID {
		return append(dst, jobID{Namespace: e.Namespace, ID: e.JobID})
	})
	t.evalsStatus = table.AddIndex(t.evals, "status", compareString, func(e *api.Evaluation, dst []string) []string {
		return append(dst, e.Status)
	})
	return t
}

// Evaluation returns the evaluation with the ID.
func (r Reader) Evaluation(id string) (*api.Evaluation, bool) {
	return tablesOf(r.t).evals.Get(r.r, id)
}

// Evaluations returns every evaluation, by ID.
func (r Reader) Evaluations() iter.Seq[*api.Evaluation] { return tablesOf(r.t).evals.All(r.r) }

// EvaluationsFrom returns the evaluations from an ID on, that one included.
func (r Reader) EvaluationsFrom(id string) iter.Seq[*api.Evaluation] {
	return tablesOf(r.t).evals.From(r.r, id)
}

// EvaluationsByPrefix returns the evaluations whose ID starts with prefix.
func (r Reader) EvaluationsByPrefix(prefix string) iter.Seq[*api.Evaluation] {
	return prefixed(tablesOf(r.t).evals, r.r, prefix)
}

// EvaluationsByJob returns the evaluations of a job.
func (r Reader) EvaluationsByJob(namespace, id string) iter.Seq[*api.Evaluation] {
	return tablesOf(r.t).evalsJob.Range(r.r, jobID{Namespace: namespace, ID: id})
}

// EvaluationsByStatus returns the evaluations that have the status.
func (r Reader) EvaluationsByStatus(status string) iter.Seq[*api.Evaluation] {
	return tablesOf(r.t).evalsStatus.Range(r.r, status)
}
