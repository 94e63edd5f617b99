package scheduler_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/reconcile"
)

// usage gives what the fleet holds to be in use, to compare.
func (w *world) usage() string {
	out := ""
	for _, id := range slices.Sorted(maps.Keys(w.nodes)) {
		row, ok := w.fleet.Row(id)
		if !ok {
			return "no row for node " + id
		}
		u := w.fleet.Used(row)
		out += fmt.Sprintf("%s: cpu %d memory %d disk %d allocs %d ports %v\n", id, u.CPU, u.Memory, u.Disk, u.Allocs, u.Ports)
	}
	return out
}

// check looks for what must never be: an over-committed node, a name or a port
// that is taken twice, a fleet that has lost count.
func (w *world) check() error {
	var problems []error
	wanted := map[string]*fit.Usage{} // by allocations that shall run
	all := map[string]*fit.Usage{}    // by all that take room
	names := map[string]string{}
	for id := range w.nodes {
		wanted[id], all[id] = &fit.Usage{}, &fit.Usage{}
	}
	for _, a := range w.allocs {
		if _, ok := w.nodes[a.NodeID]; !ok {
			continue
		}
		u := fit.Of(a.AllocatedResources)
		if fit.Counts(a) {
			all[a.NodeID].Add(&u)
		}
		if a.Terminal() {
			continue
		}
		node := w.nodes[a.NodeID]
		if dimension, ok := fit.Check(node, wanted[a.NodeID], &u); !ok {
			problems = append(problems, fmt.Errorf("node %s is short of %s for %s", a.NodeID, dimension, a.Name))
		}
		wanted[a.NodeID].Add(&u)
		key := a.Name
		if a.Job.Type == api.JobTypeSystem || a.Job.Type == api.JobTypeSysbatch {
			key += " on " + a.NodeID
		} else if a.ClientStatus == api.AllocClientUnknown || a.DesiredDescription == reconcile.DescUnknown || a.DeploymentStatus != nil && a.DeploymentStatus.Canary {
			continue // may have the name of what it replaces, or of what replaces it
		}
		if names[key] != "" {
			problems = append(problems, fmt.Errorf("%s is there twice: %s and %s", key, names[key], a.ID))
		}
		names[key] = a.ID
	}
	for id, u := range all {
		row, ok := w.fleet.Row(id)
		if !ok {
			problems = append(problems, fmt.Errorf("the fleet does not know node %s", id))
			continue
		}
		if got := w.fleet.Used(row); got.CPU != u.CPU || got.Memory != u.Memory || got.Disk != u.Disk || got.Allocs != u.Allocs || !slices.Equal(got.Ports, u.Ports) {
			problems = append(problems, fmt.Errorf("the fleet has %+v in use on node %s, the allocations take %+v", *got, id, *u))
		}
	}
	blocked := map[string]int{}
	for _, e := range w.evals {
		if e.Status == api.EvalBlocked {
			if blocked[e.JobID]++; blocked[e.JobID] > 1 {
				problems = append(problems, fmt.Errorf("job %s has more than one blocked evaluation", e.JobID))
			}
		}
	}
	return errors.Join(problems...)
}
