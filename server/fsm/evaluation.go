package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// EvalUpsert writes evaluations. No result.
type EvalUpsert struct {
	Evals []*api.Evaluation
}

func (c *EvalUpsert) apply(tx *state.Tx) (any, error) {
	putEvals(tx, c.Evals)
	return nil, nil
}

func putEvals(tx *state.Tx, evals []*api.Evaluation) {
	for _, e := range evals {
		if e != nil {
			tx.PutEvaluation(e)
		}
	}
}

// EvalCancel ends pending evaluations whose work another of their job does. No
// result.
type EvalCancel struct {
	Time    int64 // Unix nanoseconds
	Cancels []EvalCanceled
}

// EvalCanceled is one evaluation of an EvalCancel and the one that does its
// work.
type EvalCanceled struct {
	ID string
	By string
}

func (c *EvalCancel) apply(tx *state.Tx) (any, error) {
	for _, x := range c.Cancels {
		old, ok := tx.Evaluation(x.ID)
		if !ok || old.Status != api.EvalPending {
			continue
		}
		e := *old
		e.Status, e.ModifyTime = api.EvalCancelled, c.Time
		e.StatusDescription = "superseded by evaluation " + x.By + " of the same job"
		e.NextEval = x.By // whoever follows it goes on there
		tx.PutEvaluation(&e)
	}
	return nil, nil
}

// EvalDelete removes evaluations. The result is how many there were, an int.
type EvalDelete struct {
	IDs []string
}

func (c *EvalDelete) apply(tx *state.Tx) (any, error) {
	n := 0
	for _, id := range c.IDs {
		if tx.DeleteEvaluation(id) {
			n++
		}
	}
	return n, nil
}

// Reap removes what the garbage collector found to be over. Whatever came back
// to life since then is left alone. The result is a *Reaped.
type Reap struct {
	Evals       []string
	Allocs      []string
	Jobs        []JobRef
	Nodes       []string
	Deployments []string
}

// JobRef names a job at the index of its last change.
type JobRef struct {
	Namespace   string
	ID          string
	ModifyIndex uint64
}

// Reaped counts what was removed.
type Reaped struct {
	Evals, Allocs, Jobs, Nodes, Deployments int
}

func (c *Reap) apply(tx *state.Tx) (any, error) {
	var n Reaped
	for _, id := range c.Allocs {
		if a, ok := tx.Allocation(id); ok && a.Terminal() && tx.DeleteAllocation(id) {
			n.Allocs++
		}
	}
	for _, id := range c.Evals {
		if e, ok := tx.Evaluation(id); ok && e.Terminal() && tx.DeleteEvaluation(id) {
			n.Evals++
		}
	}
	for _, id := range c.Deployments {
		if d, ok := tx.Deployment(id); ok && !d.Active() && tx.DeleteDeployment(id) {
			n.Deployments++
		}
	}
	for _, ref := range c.Jobs {
		j, ok := tx.Job(ref.Namespace, ref.ID)
		if ok && j.ModifyIndex <= ref.ModifyIndex && j.Status == api.JobStatusDead {
			tx.DeleteJob(ref.Namespace, ref.ID)
			n.Jobs++
		}
	}
	for _, id := range c.Nodes {
		if reapable(tx, id) && tx.DeleteNode(id) {
			n.Nodes++
		}
	}
	return &n, nil
}

// reapable says whether a node is down and holds nothing that still runs.
func reapable(tx *state.Tx, nodeID string) bool {
	n, ok := tx.Node(nodeID)
	if !ok || n.Status != api.NodeStatusDown {
		return false
	}
	for a := range tx.AllocationsByNode(nodeID) {
		if !a.Terminal() {
			return false
		}
	}
	return true
}
