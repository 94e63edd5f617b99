package reconcile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// Descriptions of why an allocation is stopped, or of what became of it.
const (
	DescNotNeeded   = "alloc not needed due to job update"
	DescLost        = "alloc is lost since its node is down"
	DescMigrating   = "alloc is being migrated"
	DescUpdating    = "alloc is being updated due to job update"
	DescRescheduled = "alloc was rescheduled because it failed"
	DescUnknown     = "alloc is unknown since its node is disconnected"
	DescReconnected = "alloc has reconnected"
)

// Input is what is compared.
type Input struct {
	Job         *api.Job // nil when it is gone
	Allocs      []*api.Allocation
	Deployments []*api.Deployment // of the job
	Now         time.Time
	EvalID      string // of the evaluation that is processed

	// Node gives a node, also one that is down.
	Node func(id string) (*api.Node, bool)

	// Stays says whether an allocation may stay on its node when it becomes one
	// of the current version: the node still meets the group's constraints.
	Stays func(a *api.Allocation) bool

	// Version gives a version of the job, while it is kept.
	Version func(version uint64) (*api.Job, bool)

	// Pending says whether an evaluation of the job is still to come.
	Pending func(evalID string) bool
}

// Result is what has to be done for a job.
type Result struct {
	Groups []*Group

	// Deployment begins, when it has no ID yet, or is the one that goes on, with
	// other numbers. Nil when there is nothing to write.
	Deployment *api.Deployment

	// DeploymentID names the deployment that goes on.
	DeploymentID string

	Ended []DeploymentEnd
}

// DeploymentEnd is a deployment that ends.
type DeploymentEnd struct{ ID, Description string }

// Group is what has to be done for one group.
type Group struct {
	Name  string
	Group *api.TaskGroup // nil: the job has no such group, or none any more

	Stops   []Stop
	Notes   []Note
	InPlace []InPlace

	// Destructive are allocations to be replaced: each is stopped only when its
	// replacement has been placed.
	Destructive []Replacement

	// Replace are replacements for allocations that are stopped or over, or have
	// failed.
	Replace []Replacement

	// Canaries are the indices of canaries that are wanted.
	Canaries []int

	// Fresh is how many further allocations are wanted; Names gives their
	// indices.
	Fresh int
	Names *Names

	// Member says that what is placed of the current version is part of the
	// deployment.
	Member bool

	// Nodes are the nodes on which a per-node job wants an allocation.
	Nodes []NodePlacement

	// Desired counts what has to be done, for annotations.
	Desired api.DesiredUpdates
}

// Wanted is how many allocations are to be placed.
func (g *Group) Wanted() int {
	return len(g.Destructive) + len(g.Replace) + len(g.Canaries) + g.Fresh + len(g.Nodes)
}

// Stop is an allocation to be stopped.
type Stop struct {
	Alloc        *api.Allocation
	Description  string
	ClientStatus string // set when its client cannot say it: lost
}

// Note is something to be noted of an allocation that is not stopped.
type Note struct {
	Alloc        *api.Allocation
	Description  string
	ClientStatus string // unknown, when it is from now on

	// Until is when the job has to be looked at again because of it, with what
	// triggers that. Zero: no time.
	Until   time.Time
	Trigger string
}

// InPlace is an allocation to be updated where it is.
type InPlace struct {
	Alloc  *api.Allocation
	Member bool // becomes part of the deployment
}

// Replacement is an allocation with the index of the one that replaces it.
type Replacement struct {
	Previous *api.Allocation
	Index    int
	Job      *api.Job // the version to be placed; nil: the current one
	Canary   bool

	// StopAs describes why Previous is stopped when the replacement has been
	// placed; empty: it is not.
	StopAs string

	Reschedule *api.RescheduleTracker
	Avoid      []string // nodes where it has failed before
}

// NodePlacement is an allocation wanted on a node.
type NodePlacement struct {
	NodeID      string
	Previous    *api.Allocation // that it replaces; nil if none
	Job         *api.Job        // the version to be placed; nil: the current one
	Canary      bool
	Destructive bool // Previous is stopped when the replacement has been placed
}

// stop adds a stop; one whose client can no longer say so is lost.
func (g *Group) stop(in *Input, a *api.Allocation, description string) {
	s := Stop{Alloc: a, Description: description}
	if !a.ClientTerminal() && in.nodeGone(a) {
		s.ClientStatus = api.AllocClientLost
	}
	g.Stops = append(g.Stops, s)
}

// wait notes that the job has to be looked at again because of an allocation,
// unless an evaluation for that is there already.
func (g *Group) wait(in *Input, n Note) {
	a := n.Alloc
	if !n.Until.IsZero() && a.FollowupEvalID != "" && a.FollowupEvalID != in.EvalID && in.Pending(a.FollowupEvalID) {
		n.Until = time.Time{}
	}
	if !n.Until.IsZero() || n.ClientStatus != "" {
		g.Notes = append(g.Notes, n)
	}
}

// nodeGone says whether the allocation's node is out of reach.
func (in *Input) nodeGone(a *api.Allocation) bool {
	n, ok := in.Node(a.NodeID)
	return !ok || away(n)
}

func away(n *api.Node) bool {
	return n.Status == api.NodeStatusDown || n.Status == api.NodeStatusDisconnected
}

// current says whether an allocation is of the job's current version.
func (in *Input) current(a *api.Allocation) bool {
	return a.Job != nil && a.Job.Version == in.Job.Version && a.Job.CreateIndex == in.Job.CreateIndex
}

// older says whether an allocation is of an earlier version of the job.
func (in *Input) older(a *api.Allocation) bool { return !in.current(a) }

func migrates(a *api.Allocation) bool { return isTrue(a.DesiredTransition.Migrate) }

// vacates says whether an allocation has been stopped so that nothing takes its
// place before the job changes.
func (in *Input) vacates(a *api.Allocation) bool {
	return isTrue(a.DesiredTransition.MigrateDisablePlacement) && in.current(a) && a.NextAllocation == ""
}

// moves says whether somebody has asked for a failed allocation to be placed
// anew.
func moves(a *api.Allocation) bool {
	return migrates(a) || isTrue(a.DesiredTransition.ForceReschedule)
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
