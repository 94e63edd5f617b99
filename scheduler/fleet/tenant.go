package fleet

import (
	"math"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// tenant is an allocation that runs on a row, or is to, and what amounts it
// takes.
type tenant struct {
	alloc             *api.Allocation
	cpu, memory, disk int32
}

// leaves says whether a tenant is on its way out already.
func (f *Fleet) leaves(t *tenant) bool {
	return (t.alloc.ServerTerminal() || f.doomed[t.alloc.ID]) && !f.heirs[t.alloc.ID]
}

// mayGo says whether a tenant may be preempted by somebody who may preempt up to
// a priority.
func (f *Fleet) mayGo(t *tenant, limit int) bool {
	return t.priority() <= limit && !t.alloc.ServerTerminal() && !f.doomed[t.alloc.ID] && !f.safe[t.alloc.ID] && !f.heirs[t.alloc.ID]
}

func (t *tenant) priority() int { return t.alloc.Job.Priority }

// stays says whether an allocation is one that takes room and has a priority.
func stays(a *api.Allocation) bool { return a != nil && a.Job != nil && fit.Counts(a) }

// tenancy follows an allocation. It is noted on the row where it is.
func (f *Fleet) tenancy(old, new *api.Allocation) {
	if stays(old) {
		if row, ok := f.byID[old.NodeID]; ok {
			list := f.tenants[row]
			if i := slices.IndexFunc(list, func(t tenant) bool { return t.alloc == old || t.alloc.ID == old.ID }); i >= 0 {
				if stays(new) && new.NodeID == old.NodeID && new.AllocatedResources == old.AllocatedResources {
					list[i].alloc = new
					if old.ServerTerminal() != new.ServerTerminal() || old.Job.Priority != new.Job.Priority {
						f.changed(row)
					}
					return
				}
				list[i] = list[len(list)-1]
				list[len(list)-1] = tenant{}
				f.tenants[row] = list[:len(list)-1]
				f.changed(row)
			}
		}
	}
	if !stays(new) {
		return
	}
	row, ok := f.byID[new.NodeID]
	if !ok {
		row = f.newRow(new.NodeID)
	}
	u := f.usageOf(new.AllocatedResources)
	if list := f.tenants[row]; len(list) == cap(list) { // append would double it, and there is one for each allocation
		f.tenants[row] = append(make([]tenant, 0, len(list)+len(list)/8+2), list...)
	}
	f.tenants[row] = append(f.tenants[row], tenant{new, clamp(u.CPU), clamp(u.Memory), clamp(u.Disk)})
}

func clamp(n int64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// Tenants gives the allocations of a row with a priority up to a limit that
// could be preempted, the least important first.
func (f *Fleet) Tenants(row int32, limit int) []*api.Allocation {
	var out []*api.Allocation
	for i := range f.tenants[row] {
		if t := &f.tenants[row][i]; f.mayGo(t, limit) {
			out = append(out, t.alloc)
		}
	}
	slices.SortFunc(out, byImportance)
	return out
}

// Leaving gives the allocations of a row that are being stopped or preempted and
// still take room: whoever waits for them may have it.
func (f *Fleet) Leaving(row int32) []*api.Allocation {
	var out []*api.Allocation
	for i := range f.tenants[row] {
		if t := &f.tenants[row][i]; f.leaves(t) {
			out = append(out, t.alloc)
		}
	}
	slices.SortFunc(out, byImportance)
	return out
}
