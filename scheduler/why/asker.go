package why

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/rank"
)

// DefaultRuns is how many times the scheduler is asked at most for one answer.
const DefaultRuns = 50

// Input is what an answer depends on.
type Input struct {
	State scheduler.State
	Fleet *fleet.Fleet // of the same state
	Now   time.Time
	Runs  int // of the scheduler at most; 0 = DefaultRuns, below 0 = no suggestions
}

// asker is the work on one answer.
type asker struct {
	Input
	job   *api.Job
	loose *result // the job without its all_at_once, where that keeps something from running; nil else
	runs  int     // that are left
	used  int
	ids   int
}

func newAsker(in Input, job *api.Job) *asker {
	runs := in.Runs
	if runs == 0 {
		runs = DefaultRuns
	}
	return &asker{Input: in, job: job, runs: max(runs, 0)}
}

// edit is what is different from how things are. Zero fields change nothing.
type edit struct {
	job    *api.Job
	config *api.SchedulerConfiguration
	nodes  []*api.Node       // added, or in place of those of the same ID
	gone   []*api.Allocation // whose room is free
}

// edited is a state with an edit.
type edited struct {
	scheduler.State
	edit
}

func (s edited) Job(namespace, id string) (*api.Job, bool) {
	if s.job != nil && s.job.Namespace == namespace && s.job.ID == id {
		return s.job, true
	}
	return s.State.Job(namespace, id)
}

func (s edited) Node(id string) (*api.Node, bool) {
	for _, n := range s.nodes {
		if n.ID == id {
			return n, true
		}
	}
	return s.State.Node(id)
}

func (s edited) SchedulerConfig() *api.SchedulerConfiguration {
	if s.config != nil {
		return s.config
	}
	return s.State.SchedulerConfig()
}

// NodePool leaves out what a pool says of preemption where the edit does.
func (s edited) NodePool(name string) (*api.NodePool, bool) {
	p, ok := s.State.NodePool(name)
	if !ok || s.config == nil || p.SchedulerConfiguration == nil {
		return p, ok
	}
	c, sc := *p, *p.SchedulerConfiguration
	sc.PreemptionConfig = nil
	c.SchedulerConfiguration = &sc
	return &c, true
}

// EvaluationsByJob gives none: what is blocked already is no part of a what-if.
func (edited) EvaluationsByJob(string, string) iter.Seq[*api.Evaluation] {
	return func(func(*api.Evaluation) bool) {}
}

// result is what the scheduler made of an edit.
type result struct {
	plan   *scheduler.Plan
	placed map[string]int
	short  map[string]int // by group: allocations without a place
}

var errSpent = errors.New("no runs of the scheduler are left")

// schedule asks the scheduler about an edit. With hold, what it places stays in
// the fleet until plan.Hold is dropped.
func (q *asker) schedule(e edit, hold bool) (*result, error) {
	job := q.job
	if e.job != nil {
		job = e.job
	}
	defer q.apply(e)()
	plan, err := scheduler.Schedule(scheduler.Input{
		Eval: &api.Evaluation{
			ID: q.newID(), Namespace: job.Namespace, JobID: job.ID, Type: job.Type, Priority: job.Priority,
			TriggeredBy: api.TriggerJobRegister, Status: api.EvalPending, AnnotatePlan: !hold,
		},
		State: edited{q.State, e}, Fleet: q.Fleet, Now: q.Now, NewID: q.newID, Seed: 1,
	})
	if err != nil {
		return nil, err
	}
	r := &result{plan: plan, placed: map[string]int{}, short: map[string]int{}}
	for i := range plan.Placements {
		r.placed[plan.Placements[i].Group.Name]++
	}
	for name, m := range plan.Eval.FailedTGAllocs {
		r.short[name] = max(plan.Eval.QueuedAllocations[name], m.CoalescedFailures+1)
	}
	return r, nil
}

// try is schedule for suggestions: it counts.
func (q *asker) try(e edit) (*result, error) {
	if q.runs <= 0 {
		return nil, errSpent
	}
	q.runs--
	q.used++
	return q.schedule(e, false)
}

// apply edits the fleet and gives what undoes it.
func (q *asker) apply(e edit) (undo func()) {
	tx := q.Fleet.Begin()
	for _, a := range e.gone {
		if row, ok := q.Fleet.Row(a.NodeID); ok && fit.Counts(a) {
			tx.Release(row, q.Fleet.Usage(a))
		}
	}
	before := make([]*api.Node, len(e.nodes))
	for i, n := range e.nodes {
		if row, ok := q.Fleet.Row(n.ID); ok {
			before[i] = q.Fleet.Node(row)
		}
		q.Fleet.NodeUpsert(n)
	}
	return func() {
		for i, n := range e.nodes {
			if before[i] != nil {
				q.Fleet.NodeUpsert(before[i])
			} else {
				q.Fleet.NodeRemove(n.ID)
			}
		}
		tx.Rollback()
	}
}

func (q *asker) newID() string {
	q.ids++
	return "why-" + strconv.Itoa(q.ids)
}

// perNode says whether the job runs on every node that will do.
func (q *asker) perNode() bool {
	return q.job.Type == api.JobTypeSystem || q.job.Type == api.JobTypeSysbatch
}

func (q *asker) allocs() []*api.Allocation {
	return slices.Collect(q.State.AllocationsByJob(q.job.Namespace, q.job.ID))
}

// settings gives the algorithm for the job and whether it may preempt.
func (q *asker) algorithm() string {
	name := q.State.SchedulerConfig().SchedulerAlgorithm
	if p, ok := q.State.NodePool(q.job.NodePool); ok && p.SchedulerConfiguration != nil && p.SchedulerConfiguration.SchedulerAlgorithm != "" {
		name = p.SchedulerConfiguration.SchedulerAlgorithm
	}
	return name
}

// selection is a selector for one group that knows of the job's allocations.
type selection struct {
	*rank.Selector
	tx       *fleet.Tx
	feasible *feasible.Group
	usage    fit.Usage
}

// selection prepares one. except is an allocation that is looked at as if it
// were not there; nil for none. The caller rolls tx back.
func (q *asker) selection(g *api.TaskGroup, plan *scheduler.Plan, except *api.Allocation) *selection {
	s := &selection{tx: q.Fleet.Begin(), feasible: feasible.For(q.Fleet, q.job, g), usage: fit.Of(fit.Resources(g, false))}
	s.Selector = rank.New(rank.Demand{
		Fleet: q.Fleet, Tx: s.tx, Job: q.job, Group: g, Feasible: s.feasible,
		Usage: &s.usage, Algorithm: q.algorithm(), Expect: 1, Seed: 1,
	})
	stopped := map[string]bool{}
	if plan != nil {
		for i := range plan.Stops {
			stopped[plan.Stops[i].Alloc.ID] = true
		}
		for i := range plan.Placements {
			x := &plan.Placements[i]
			if row, ok := q.Fleet.Row(x.Node.ID); ok {
				s.Present(x.Group.Name, row)
			}
		}
	}
	for _, a := range q.allocs() {
		row, ok := q.Fleet.Row(a.NodeID)
		switch {
		case !ok || a.ID == exceptID(except):
		case !a.Terminal() && !stopped[a.ID]:
			s.Present(a.TaskGroup, row)
		}
	}
	if except != nil && fit.Counts(except) {
		if row, ok := q.Fleet.Row(except.NodeID); ok {
			s.tx.Release(row, q.Fleet.Usage(except))
			s.Changed(row)
		}
	}
	return s
}

func exceptID(a *api.Allocation) string {
	if a == nil {
		return ""
	}
	return a.ID
}
