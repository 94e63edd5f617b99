package endpoint

import (
	"fmt"
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/scheduler/sim"
	"github.com/seraihq/serai/server/state"
)

// jobsPlan runs the scheduler on several jobs, one after the other: each finds
// the fleet as those before it leave it. Nothing is changed.
func (e *Endpoints) jobsPlan(r *Read, req *api.JobsPlanRequest) (api.JobsPlanResponse, error) {
	resp := api.JobsPlanResponse{Plans: []*api.JobsPlanEntry{}}
	jobs, entries, err := e.admitAll(r, req)
	if err != nil {
		return resp, err
	}
	for i, job := range jobs {
		if err := e.planned(r, job, req.Diff, &entries[i].JobPlanResponse); err != nil {
			return resp, err
		}
	}
	err = e.dry.with(r.View, func(v *state.View, f *fleet.Fleet) error {
		w := sim.NewWorld(v, f, e.Now())
		defer w.Undo(0)
		for i, job := range jobs {
			w.PutJob(job)
			plan, err := e.dryRun(running{w, v}, f, v.Index(), job, &entries[i].JobPlanResponse)
			if err != nil {
				return err
			}
			if plan != nil {
				w.Apply(plan)
			}
		}
		return nil
	})
	resp.Plans = entries
	for _, x := range entries {
		total(&resp.Totals, &x.JobPlanResponse)
		r.hidePreempted(&x.JobPlanResponse)
	}
	return resp, err
}

// admitAll admits the jobs in their order, and makes their entries.
func (e *Endpoints) admitAll(r *Read, req *api.JobsPlanRequest) ([]*api.Job, []*api.JobsPlanEntry, error) {
	if len(req.Jobs) == 0 {
		return nil, nil, api.Errorf(api.ErrInvalid, "Jobs must hold a job")
	}
	if len(req.Jobs) > api.MaxJobsPlan {
		return nil, nil, api.Errorf(api.ErrInvalid, "%d jobs are too many for one plan; at most %d are allowed", len(req.Jobs), api.MaxJobsPlan)
	}
	seen := map[api.NamespacedID]int{}
	out, entries := make([]*api.Job, len(req.Jobs)), make([]*api.JobsPlanEntry, len(req.Jobs))
	for i, job := range req.Jobs {
		job, warnings, err := e.admit(r, job)
		if err != nil {
			if req.Jobs[i] != nil {
				return nil, nil, fmt.Errorf("job %q: %w", req.Jobs[i].ID, err)
			}
			return nil, nil, fmt.Errorf("job %d of the list: %w", i+1, err)
		}
		if err := mayUse(r.token, job, req.PolicyOverride); err != nil {
			return nil, nil, err
		}
		if first, twice := seen[job.NamespacedID()]; twice {
			return nil, nil, api.Errorf(api.ErrInvalid, "job %q is in the list twice, at %d and %d; plan one version of it", job.ID, first+1, i+1)
		}
		seen[job.NamespacedID()], out[i] = i, job
		entries[i] = &api.JobsPlanEntry{ID: job.ID, Namespace: job.Namespace}
		entries[i].Warnings = warningText(warnings)
	}
	return out, entries, nil
}

// running is a world with the deployments that go on in a view.
type running struct {
	*sim.World
	v *state.View
}

func (s running) DeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment] {
	return s.v.DeploymentsByJob(namespace, id)
}

func total(t *api.JobsPlanTotals, p *api.JobPlanResponse) {
	t.Jobs++
	if p.Annotations != nil {
		for _, u := range p.Annotations.DesiredTGUpdates {
			t.Place += u.Place
			t.Stop += u.Stop
			t.InPlace += u.InPlaceUpdate
			t.Destroy += u.DestructiveUpdate
			t.Migrate += u.Migrate
			t.Canary += u.Canary
		}
		t.Preempted += len(p.Annotations.PreemptedAllocs)
	}
	for _, m := range p.FailedTGAllocs {
		t.Unplaced += m.CoalescedFailures + 1
	}
}
