package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/why"
	"github.com/seraihq/serai/server/state"
)

func (e *Endpoints) whys() {
	read(e, api.JobWhyOf, e.jobWhy)
	read(e, api.AllocationWhyOf, e.allocationWhy)
	lookup(e, api.JobsPlan, e.jobsPlan)
}

// jobWhy tells why a job runs as it does.
func (e *Endpoints) jobWhy(r *Read, req *api.JobReadRequest) (*api.JobWhy, error) {
	job, err := getJob(r.View, r.Namespace, req.ID)
	if err != nil {
		return nil, err
	}
	watch(r.View, job.Namespace, job.ID)
	var out *api.JobWhy
	err = e.dry.with(r.View, func(v *state.View, f *fleet.Fleet) error {
		if job, err = getJob(v, r.Namespace, req.ID); err != nil {
			return err
		}
		out, err = why.Job(why.Input{State: v, Fleet: f, Now: e.Now()}, job)
		return err
	})
	return out, err
}

// allocationWhy tells why an allocation is where it is.
func (e *Endpoints) allocationWhy(r *Read, req *api.IDRequest) (*api.AllocWhy, error) {
	a, err := getAllocation(r.View, req.ID)
	if err != nil {
		return nil, err
	}
	watch(r.View, a.Namespace, a.JobID)
	var out *api.AllocWhy
	err = e.dry.with(r.View, func(v *state.View, f *fleet.Fleet) error {
		if a, err = getAllocation(v, req.ID); err != nil {
			return err
		}
		out, err = why.Allocation(why.Input{State: v, Fleet: f, Now: e.Now()}, a)
		return err
	})
	return out, err
}

// watch reads what an answer depends on through the view of the request, so
// that a blocking read wakes when it changes. The scheduler may be asked on a
// newer view. Nodes are left out: they change all the time.
func watch(v *state.View, namespace, jobID string) {
	for range v.AllocationsByJob(namespace, jobID) {
		break
	}
	for range v.EvaluationsByJob(namespace, jobID) {
		break
	}
}
