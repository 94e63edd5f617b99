package reconcile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// Descriptions of why an allocation is stopped.
const (
	DescNotNeeded   = "alloc not needed due to job update"
	DescLost        = "alloc is lost since its node is down"
	DescMigrating   = "alloc is being migrated"
	DescUpdating    = "alloc is being updated due to job update"
	DescRescheduled = "alloc was rescheduled because it failed"
)

// Input is what is compared.
type Input struct {
	Job    *api.Job // nil when it is gone
	Allocs []*api.Allocation

	// Node gives a node, also one that is down.
	Node func(id string) (*api.Node, bool)

	// Stays says whether an allocation may stay on its node when it becomes one
	// of the current version: the node still meets the group's constraints.
	Stays func(a *api.Allocation) bool
}

// Group is what has to be done for one group.
type Group struct {
	Name  string
	Group *api.TaskGroup // nil: the job has no such group, or none any more

	Stops   []Stop
	InPlace []*api.Allocation

	// Destructive are allocations to be replaced: each is stopped only when its
	// replacement has been placed.
	Destructive []Replacement

	// Replace are allocations that are stopped or over in any case, and whose
	// replacement is wanted.
	Replace []Replacement

	// Fresh is how many further allocations are wanted; Names gives their
	// indices.
	Fresh int
	Names *Names

	// Nodes are the nodes on which a per-node job wants an allocation.
	Nodes []NodePlacement

	// Desired counts what has to be done, for annotations.
	Desired api.DesiredUpdates
}

// Stop is an allocation to be stopped.
type Stop struct {
	Alloc        *api.Allocation
	Description  string
	ClientStatus string // set when its client cannot say it: lost
}

// Replacement is an allocation with the index of the one that replaces it.
type Replacement struct {
	Previous *api.Allocation
	Index    int
}

// NodePlacement is an allocation wanted on a node.
type NodePlacement struct {
	NodeID      string
	Previous    *api.Allocation // that it replaces; nil if none
	Destructive bool            // Previous is stopped when the replacement has been placed
}

// stop adds a stop; one whose client can no longer say so is lost.
func (g *Group) stop(in *Input, a *api.Allocation, description string) {
	s := Stop{Alloc: a, Description: description}
	if !a.ClientTerminal() && in.nodeGone(a) {
		s.ClientStatus = api.AllocClientLost
	}
	g.Stops = append(g.Stops, s)
}

// nodeGone says whether what runs on the allocation's node is to be given up.
// Nodes that are only out of reach for a while (disconnected) keep theirs.
func (in *Input) nodeGone(a *api.Allocation) bool {
	n, ok := in.Node(a.NodeID)
	return !ok || n.Status == api.NodeStatusDown
}

// current says whether an allocation is of the job's current version.
func (in *Input) current(a *api.Allocation) bool {
	return a.Job != nil && a.Job.Version == in.Job.Version && a.Job.CreateIndex == in.Job.CreateIndex
}

// older says whether an allocation is of an earlier version of the job.
func (in *Input) older(a *api.Allocation) bool { return !in.current(a) }

func migrates(a *api.Allocation) bool { return isTrue(a.DesiredTransition.Migrate) }

// moves says whether somebody has asked for a failed allocation to be placed
// anew.
func moves(a *api.Allocation) bool {
	t := a.DesiredTransition
	return isTrue(t.Migrate) || isTrue(t.Reschedule) || isTrue(t.ForceReschedule)
}

func isTrue(b *bool) bool { return b != nil && *b }

// Index gives the index in an allocation's name; -1 when it has none.
func Index(name string) int {
	open := strings.LastIndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return -1
	}
	n, err := strconv.Atoi(name[open+1 : len(name)-1])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Name gives an allocation's name.
func Name(jobID, group string, index int) string {
	return jobID + "." + group + "[" + strconv.Itoa(index) + "]"
}

// byGroup gives the names of the groups, those of the job first and in its
// order, and the allocations of each, sorted by index and age.
func byGroup(in *Input) (names []string, allocs map[string][]*api.Allocation) {
	allocs = map[string][]*api.Allocation{}
	if in.Job != nil {
		for _, g := range in.Job.TaskGroups {
			names = append(names, g.Name)
			allocs[g.Name] = nil
		}
	}
	known := len(names)
	for _, a := range in.Allocs {
		if _, ok := allocs[a.TaskGroup]; !ok {
			names = append(names, a.TaskGroup)
		}
		allocs[a.TaskGroup] = append(allocs[a.TaskGroup], a)
	}
	slices.Sort(names[known:])
	for _, as := range allocs {
		slices.SortFunc(as, compareAllocs)
	}
	return names, allocs
}

func compareAllocs(a, b *api.Allocation) int {
	return cmp.Or(
		cmp.Compare(Index(a.Name), Index(b.Name)),
		cmp.Compare(a.CreateIndex, b.CreateIndex),
		strings.Compare(a.ID, b.ID),
	)
}
