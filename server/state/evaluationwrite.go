package state

import (
	"fmt"
	"slices"

	"github.com/seraihq/serai/api"
)

// PutEvaluation writes an evaluation. One that placed everything cancels the
// blocked evaluations of its job: nothing waits for capacity any more.
func (tx *Tx) PutEvaluation(e *api.Evaluation) {
	e.CreateIndex, e.ModifyIndex = tx.Index(), tx.Index()
	old, exists := tablesOf(tx.t).evals.Get(tx.r, e.ID)
	if exists {
		e.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).evals.Put(tx.tx, e)
	if e.JobID == "" {
		return
	}
	c := tx.countsOf(jobID{Namespace: e.Namespace, ID: e.JobID})
	if !exists {
		c.evals++
	} else if !old.Terminal() {
		c.openEvals--
	}
	if !e.Terminal() {
		c.openEvals++
	}
	tx.countQueued(e)
	if e.Status == api.EvalComplete && len(e.FailedTGAllocs) == 0 {
		tx.cancelBlocked(e)
	}
}

func (tx *Tx) cancelBlocked(done *api.Evaluation) {
	for _, e := range slices.Collect(tx.EvaluationsByJob(done.Namespace, done.JobID)) {
		if e.Status != api.EvalBlocked {
			continue
		}
		c := *e
		c.Status = api.EvalCancelled
		c.StatusDescription = fmt.Sprintf("evaluation %q successful", done.ID)
		c.ModifyTime = done.ModifyTime
		tx.PutEvaluation(&c)
	}
}

// DeleteEvaluation removes an evaluation.
func (tx *Tx) DeleteEvaluation(id string) bool {
	old, ok := tablesOf(tx.t).evals.Delete(tx.tx, id)
	if !ok {
		return false
	}
	if old.JobID != "" {
		c := tx.countsOf(jobID{Namespace: old.Namespace, ID: old.JobID})
		c.evals--
		if !old.Terminal() {
			c.openEvals--
		}
	}
	return true
}
