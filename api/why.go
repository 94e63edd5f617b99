package api

import "time"

// JobWhy tells why a job runs as it does.
type JobWhy struct {
	ID        string
	Namespace string
	Type      string
	Version   uint64
	Summary   string   // one sentence: why the job does not run as asked, or that it does
	Notes     []string // what else holds
	Groups    []*GroupWhy
	Runs      int // of the scheduler, on edited input, that it took to find the suggestions
}

// GroupWhy tells why a group runs as it does.
type GroupWhy struct {
	Name     string
	Wanted   int // allocations; for jobs that run on every node: nodes that will do
	Running  int
	Starting int
	Unplaced int // found no node, as the scheduler sees it now
	Summary  string
	Notes    []string

	// Funnel is what became of every node for the next allocation of the group.
	Funnel *PlacementFunnel
	// Scores are the best nodes for it, best first; empty where none will do.
	Scores []*NodeScoreMeta
	// Suggestions are changes that would make what is unplaced fit, the
	// smallest first.
	Suggestions []*PlacementSuggestion
	// Placed are allocations that have a place, with their scores as recorded,
	// up to MaxWhyPlaced.
	Placed []*PlacementMade
}

// MaxWhyPlaced bounds GroupWhy.Placed.
const MaxWhyPlaced = 50

// PlacementMade is an allocation that has a place.
type PlacementMade struct {
	ID            string
	Name          string
	NodeID        string
	NodeName      string
	DesiredStatus string
	ClientStatus  string
	Score         float64 // of the node when it was placed
	Considered    int     // nodes that were in reach when it was placed
	Filtered      int     // that did not meet a demand
	Exhausted     int     // that had no room
}

// PlacementFunnel tells what became of every node, step by step: what a step
// removes is not looked at by those after it. Nodes less all that is removed
// gives Candidates.
type PlacementFunnel struct {
	Nodes      int // that the cluster knows
	Steps      []*FunnelStep
	Candidates int // that can take an allocation

	// Nearest is the node that lacks least, of those that lack nothing but room.
	Nearest *NearestNode `json:",omitempty"`
}

// Stages of a funnel, in their order.
const (
	StagePool       = "node pool"
	StageDatacenter = "datacenters"
	StageReady      = "ready"
	StageDemand     = "demand"    // a constraint, driver, network, volume or device
	StagePresent    = "present"   // runs there already, for jobs that run on every node
	StageDistinct   = "distinct"  // distinct_hosts and distinct_property
	StageResources  = "resources" // room
)

// FunnelStep is a step of a funnel.
type FunnelStep struct {
	Stage   string
	Reason  string // the constraint, or the dimension that is short
	Removed int
	Left    int
	Detail  map[string]int `json:",omitempty"` // what was removed, in more words
	Nearest *NearestNode   `json:",omitempty"` // resources: the node that lacks least of this dimension
}

// NearestNode is a node and what it lacks.
type NearestNode struct {
	NodeID   string
	NodeName string
	Short    []*Shortfall
}

// Shortfall is what a node lacks of one dimension.
type Shortfall struct {
	Dimension string
	Unit      string `json:",omitempty"`
	Has       int64  // for allocations, used or not
	Free      int64
	Asked     int64
	Missing   int64
	HeldBy    []string `json:",omitempty"` // jobs, where a port is taken
}

// Kinds of suggestions.
const (
	SuggestConstraint = "constraint"
	SuggestDatacenter = "datacenter"
	SuggestNodePool   = "node-pool"
	SuggestResources  = "resources"
	SuggestCount      = "count"
	SuggestPreemption = "preemption"
	SuggestPriority   = "priority"
	SuggestPort       = "port"
	SuggestAllAtOnce  = "all-at-once"
	SuggestStop       = "stop"
	SuggestNode       = "node"
	SuggestAddNode    = "add-node"
)

// PlacementSuggestion is a change with which the scheduler, asked again, places
// what it could not.
type PlacementSuggestion struct {
	Kind   string
	Text   string // what to change
	Places int    // allocations that it places
	Of     int    // that are unplaced
	From   string `json:",omitempty"`
	To     string `json:",omitempty"`
	Task   string `json:",omitempty"`
	Object string `json:",omitempty"` // the constraint, datacenter, pool, dimension, port, node or class

	// Preempts are the jobs that would lose allocations, with how many.
	Preempts map[string]int `json:",omitempty"`
}

// AllocWhy tells why an allocation is where it is, and in the state that it is in.
type AllocWhy struct {
	ID            string
	Name          string
	Namespace     string
	JobID         string
	TaskGroup     string
	NodeID        string
	NodeName      string
	DesiredStatus string
	ClientStatus  string
	CreateTime    time.Time
	Summary       string
	Notes         []string

	// Recorded is what the scheduler saw when it placed the allocation: the
	// best nodes with their scores, and how many were ruled out by what.
	Recorded *AllocationMetric
	// Now is what it would see if it placed the allocation now, with the
	// allocation's own room free. Nil where the job wants no such allocation.
	Now *PlacementFunnel `json:",omitempty"`
	// Scores are the best nodes as of now, and the allocation's own last where
	// it is not among them.
	Scores []*NodeScoreMeta
	// NodeNames gives the names of the nodes that scores name.
	NodeNames map[string]string
	// Group is told of where the allocation ended and its replacement found no node.
	Group *GroupWhy `json:",omitempty"`
}

// JobsPlanRequest asks for a dry run of several jobs, one after the other.
type JobsPlanRequest struct {
	QueryOptions
	Jobs           []*Job
	Diff           bool
	PolicyOverride bool `json:",omitempty"`
}

// JobsPlanResponse is a dry run of several jobs: each sees what those before it
// take.
type JobsPlanResponse struct {
	Plans  []*JobsPlanEntry
	Totals JobsPlanTotals
}

// JobsPlanEntry is one job of a JobsPlanResponse.
type JobsPlanEntry struct {
	ID        string
	Namespace string
	JobPlanResponse
}

// JobsPlanTotals adds up what the jobs of a plan come to.
type JobsPlanTotals struct {
	Jobs      int
	Place     uint64
	Stop      uint64
	InPlace   uint64
	Destroy   uint64 // create/destroy updates
	Migrate   uint64
	Canary    uint64
	Preempted int
	Unplaced  int
}

// MaxJobsPlan bounds the jobs of a JobsPlanRequest.
const MaxJobsPlan = 256
