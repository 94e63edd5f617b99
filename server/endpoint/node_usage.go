package endpoint

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// nodesUsage gives what the store counts for each node that has allocations.
// It says nothing of whose they are, unless the caller may read them.
func nodesUsage(r *Read, req *api.NodesUsageRequest) ([]*api.NodeUsage, error) {
	rows := func(yield func(*api.NodeUsage) bool) {
		for u := range r.NodeUsages() {
			if !yield(&api.NodeUsage{NodeID: u.NodeID, Count: u.Allocs, Amounts: amounts(&u.Usage)}) {
				return
			}
		}
	}
	l := byName(rows, func(u *api.NodeUsage) string { return u.NodeID }, func(u *api.NodeUsage) *api.NodeUsage {
		if req.Allocations {
			u.Allocations = allocationUsages(r, u.NodeID, u.Count)
		}
		return u
	})
	prefix := strings.ToLower(req.Prefix)
	l.match = func(u *api.NodeUsage) bool { return strings.HasPrefix(u.NodeID, prefix) }
	return page(r, &req.QueryOptions, l)
}

func allocationUsages(r *Read, node string, about int) []*api.AllocationUsage {
	list := make([]*api.AllocationUsage, 0, about)
	for a := range r.AllocationsByNode(node) {
		if !fit.Counts(a) || !r.can(a.Namespace, "read-job") {
			continue
		}
		u := fit.Of(a.AllocatedResources)
		list = append(list, &api.AllocationUsage{ID: a.ID, Namespace: a.Namespace, JobID: a.JobID, TaskGroup: a.TaskGroup, Amounts: amounts(&u)})
	}
	return list
}

func amounts(u *fit.Usage) api.Amounts {
	thousandths := 0
	for _, d := range u.Device {
		thousandths += d.Used
	}
	return api.Amounts{CPU: u.CPU, MemoryMB: u.Memory, DiskMB: u.Disk, Devices: float64(thousandths) / fit.WholeDevice}
}
