package reconcile

import (
	"slices"

	"github.com/seraihq/serai/api"
)

// NodeInput is what PerNode compares beside Input.
type NodeInput struct {
	Input

	// Eligible gives the nodes on which a group shall run: ready, in the job's
	// datacenters and pool, and meeting the group's constraints.
	Eligible func(g *api.TaskGroup) []string

	// InReach says whether a node, ready or not, is in the job's datacenters
	// and pool.
	InReach func(nodeID string) bool
}

// PerNode says what has to be done for the groups of a system or sysbatch job.
func PerNode(in NodeInput) []*Group {
	names, allocs := byGroup(&in.Input)
	out := make([]*Group, 0, len(names))
	for _, name := range names {
		g := &Group{Name: name}
		if !in.Job.Stopped() {
			g.Group = in.Job.LookupTaskGroup(name)
		}
		if g.Group == nil {
			g.end(&in.Input, allocs[name])
		} else {
			p := perNode{in: &in, g: g, updates: updates{job: in.Job}, there: map[string]bool{}, before: map[string]*api.Allocation{}}
			p.reconcile(allocs[name])
		}
		out = append(out, g)
	}
	return out
}

type perNode struct {
	in *NodeInput
	g  *Group
	updates

	there  map[string]bool            // nodes that have, or had, what they shall have
	before map[string]*api.Allocation // the last that ended on a node
}

func (p *perNode) reconcile(allocs []*api.Allocation) {
	eligible := p.in.Eligible(p.g.Group)
	if p.g.Group.Count == 0 {
		eligible = nil
	}
	on := make(map[string]bool, len(eligible))
	for _, id := range eligible {
		on[id] = true
	}
	// Newest and current first, so that of two on one node the better stays.
	order := slices.Clone(allocs)
	slices.SortStableFunc(order, func(a, b *api.Allocation) int {
		if x, y := p.in.current(a), p.in.current(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return -compareAllocs(a, b)
	})
	for _, a := range order {
		p.classify(a, on[a.NodeID])
	}
	for _, id := range eligible {
		if !p.there[id] {
			p.g.Nodes = append(p.g.Nodes, NodePlacement{NodeID: id, Previous: p.before[id]})
			p.g.Desired.Place++
		}
	}
}

func (p *perNode) classify(a *api.Allocation, eligible bool) {
	switch {
	case a.ServerTerminal():
		p.g.bury(&p.in.Input, a)
	case a.ClientTerminal():
		p.over(a)
	case p.in.nodeGone(a):
		p.g.stop(&p.in.Input, a, DescLost)
		p.g.Desired.Stop++
	case migrates(a):
		p.end(a, DescMigrating)
		if eligible { // stopped by hand, the node itself stays
			p.before[a.NodeID] = a
		}
	case p.there[a.NodeID]:
		p.end(a, DescNotNeeded) // a second one
	default:
		p.there[a.NodeID] = true
		p.live(a, eligible)
	}
}

// over decides about an allocation that has ended by itself: sysbatch jobs run
// once per version on each node, system jobs run always.
func (p *perNode) over(a *api.Allocation) {
	if p.in.Job.Type == api.JobTypeSysbatch && p.in.current(a) && a.ClientStatus != api.AllocClientLost && !moves(a) {
		if !p.there[a.NodeID] {
			p.there[a.NodeID] = true
			p.g.Desired.Ignore++
		}
		return
	}
	if p.before[a.NodeID] == nil && p.in.current(a) {
		p.before[a.NodeID] = a
	}
}

func (p *perNode) live(a *api.Allocation, eligible bool) {
	g := p.g
	n, _ := p.in.Node(a.NodeID)
	switch {
	case g.Group.Count == 0 || !p.in.InReach(a.NodeID):
		p.end(a, DescNotNeeded)
	case p.in.current(a):
		g.Desired.Ignore++
	case !n.Ready(): // takes nothing new; what it has goes on
		g.Desired.Ignore++
	case !eligible: // no longer meets the constraints
		p.end(a, DescNotNeeded)
	case p.destructive(a.Job, g.Group):
		g.Nodes = append(g.Nodes, NodePlacement{NodeID: a.NodeID, Previous: a, Destructive: true})
		g.Desired.DestructiveUpdate++
	default:
		g.InPlace = append(g.InPlace, a)
		g.Desired.InPlaceUpdate++
	}
}

func (p *perNode) end(a *api.Allocation, description string) {
	p.g.stop(&p.in.Input, a, description)
	p.g.Desired.Stop++
}
