package endpoint

import (
	"iter"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) allocations() {
	read(e, api.AllocationsList, allocationsList)
	read(e, api.AllocationRead, func(r *Read, req *api.IDRequest) (*api.Allocation, error) {
		return getAllocation(r.View, req.ID)
	})
	write(e, api.AllocationStop, e.allocationStop)
}

func allocationsList(r *Read, req *api.AllocationsListRequest) ([]*api.AllocationListStub, error) {
	rows := r.Allocations()
	if req.Prefix != "" {
		rows = r.AllocationsByPrefix(strings.ToLower(req.Prefix))
	}
	l := allocationListing(rows, req.Resources, req.TaskStates == nil || *req.TaskStates)
	l.match = func(a *api.Allocation) bool { return r.in(a.Namespace) }
	return page(r, &req.QueryOptions, l)
}

func allocationListing(rows iter.Seq[*api.Allocation], resources, taskStates bool) listing[*api.Allocation, *api.AllocationListStub] {
	return byAge(rows,
		func(a *api.Allocation) uint64 { return a.CreateIndex },
		func(a *api.Allocation) string { return a.ID },
		func(a *api.Allocation) *api.AllocationListStub { return a.Stub(resources, taskStates) })
}

// readable leaves out the allocations of namespaces that the token may not read.
func readable[S any](r *Read, l listing[*api.Allocation, S]) listing[*api.Allocation, S] {
	l.match = func(a *api.Allocation) bool { return r.can(a.Namespace, "read-job") }
	return l
}

// allocationStop has the scheduler stop an allocation and place another.
func (e *Endpoints) allocationStop(w *Write, req *api.AllocationStopRequest) (api.AllocationStopResponse, error) {
	var resp api.AllocationStopResponse
	a, err := getAllocation(w.View, req.ID)
	if err != nil {
		return resp, err
	}
	job, ok := w.Job(a.Namespace, a.JobID)
	if !ok {
		job = a.Job
	}
	x := trigger.ForJob(job, api.TriggerAllocStop, w.Now)
	yes := true
	t := api.DesiredTransition{Migrate: &yes}
	if req.NoShutdownDelay {
		t.NoShutdownDelay = &yes
	}
	if req.Reschedule {
		t.Reschedule = &yes
	}
	_, err = w.apply(&fsm.AllocDesiredTransition{
		Transitions: []fsm.AllocTransition{{ID: a.ID, Transition: t}}, Time: w.Now.UnixNano(), Evals: []*api.Evaluation{x},
	})
	return api.AllocationStopResponse{EvalID: x.ID, Index: w.Index}, err
}
