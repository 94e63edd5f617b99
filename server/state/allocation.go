package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// allocationTables are the tables about allocations.
type allocationTables struct {
	allocs           *byID[*api.Allocation]
	allocsJob        *table.Index[jobID, string, *api.Allocation]
	allocsNode       *table.Index[string, string, *api.Allocation]
	allocsDeployment *table.Index[string, string, *api.Allocation]
	usage            *byID[*NodeUsage]
}

func newAllocationTables(s *table.Store) allocationTables {
	var t allocationTables
	t.allocs = addByID(s, TableAllocations, func(a *api.Allocation) string { return a.ID }, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	t.allocsJob = table.AddIndex(t.allocs, "job", compareJobID, func(a *api.Allocation, dst []jobID) []jobID {
		return append(dst, jobID{Namespace: a.Namespace, ID: a.JobID})
	})
	t.allocsNode = table.AddIndex(t.allocs, "node", compareString, func(a *api.Allocation, dst []string) []string { return append(dst, a.NodeID) })
	t.allocsDeployment = table.AddIndex(t.allocs, "deployment", compareString, func(a *api.Allocation, dst []string) []string {
		if a.DeploymentID == "" {
			return dst
		}
		return append(dst, a.DeploymentID)
	})
	t.usage = addByID(s, TableNodeUsage, func(u *NodeUsage) string { return u.NodeID }, nil)
	return t
}

// Allocation returns the allocation with the ID.
func (r Reader) Allocation(id string) (*api.Allocation, bool) {
	return tablesOf(r.t).allocs.Get(r.r, id)
}

// Allocations returns every allocation, by ID.
func (r Reader) Allocations() iter.Seq[*api.Allocation] { return tablesOf(r.t).allocs.All(r.r) }

// AllocationsFrom returns the allocations from an ID on, that one included.
func (r Reader) AllocationsFrom(id string) iter.Seq[*api.Allocation] {
	return tablesOf(r.t).allocs.From(r.r, id)
}

// AllocationCount returns how many allocations there are.
func (r Reader) AllocationCount() int { return tablesOf(r.t).allocs.Len(r.r) }

// AllocationsByPrefix returns the allocations whose ID starts with prefix.
func (r Reader) AllocationsByPrefix(prefix string) iter.Seq[*api.Allocation] {
	return prefixed(tablesOf(r.t).allocs, r.r, prefix)
}

// AllocationsByJob returns the allocations of all versions of a job.
func (r Reader) AllocationsByJob(namespace, id string) iter.Seq[*api.Allocation] {
	return tablesOf(r.t).allocsJob.Range(r.r, jobID{Namespace: namespace, ID: id})
}

// AllocationsByNode returns the allocations of a node, also those that are over.
func (r Reader) AllocationsByNode(nodeID string) iter.Seq[*api.Allocation] {
	return tablesOf(r.t).allocsNode.Range(r.r, nodeID)
}

// AllocationsByEval returns the allocations that an evaluation placed. They are looked for among those of its job: an index of their own would
// cost every placement, and every allocation 50 bytes, for what is seldom asked.
func (r Reader) AllocationsByEval(x *api.Evaluation) iter.Seq[*api.Allocation] {
	return func(yield func(*api.Allocation) bool) {
		for a := range r.AllocationsByJob(x.Namespace, x.JobID) {
			if a.EvalID == x.ID && !yield(a) {
				return
			}
		}
	}
}

// AllocationsByDeployment returns the allocations of a deployment.
func (r Reader) AllocationsByDeployment(id string) iter.Seq[*api.Allocation] {
	return tablesOf(r.t).allocsDeployment.Range(r.r, id)
}

// NodeUsage returns what the allocations of a node take of it.
func (r Reader) NodeUsage(nodeID string) (*NodeUsage, bool) {
	return tablesOf(r.t).usage.Get(r.r, nodeID)
}

// NodeUsages returns the usage of every node that has any.
func (r Reader) NodeUsages() iter.Seq[*NodeUsage] { return tablesOf(r.t).usage.All(r.r) }

// AllocationsIn returns the allocations of a namespace, by job and ID.
//
//go:noinline
func (r Reader) AllocationsIn(namespace string) iter.Seq[*api.Allocation] {
	return func(yield func(*api.Allocation) bool) {
		for id, a := range tablesOf(r.t).allocsJob.From(r.r, jobID{Namespace: namespace}) {
			if id.Namespace != namespace || !yield(a) {
				return
			}
		}
	}
}
