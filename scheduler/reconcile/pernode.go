package reconcile

import (
	"slices"
	"time"

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

// PerNode says what has to be done for a system or sysbatch job.
func PerNode(in NodeInput) *Result {
	names, allocs := byGroup(&in.Input)
	rollout := newRollout(&in.Input)
	out := make([]*Group, 0, len(names))
	for _, name := range names {
		g := &Group{Name: name}
		if !in.Job.Stopped() {
			g.Group = in.Job.LookupTaskGroup(name)
		}
		if g.Group == nil {
			g.end(&in.Input, allocs[name])
		} else {
			p := perNode{
				in: &in, g: g, stage: rollout.stage(g.Group), updates: updates{job: in.Job},
				there: map[string]bool{}, before: map[string]*api.Allocation{},
			}
			p.reconcile(allocs[name])
		}
		out = append(out, g)
	}
	return rollout.result(out)
}

type perNode struct {
	in    *NodeInput
	g     *Group
	stage stage
	updates

	there    map[string]bool            // nodes that have, or had, what they shall have
	before   map[string]*api.Allocation // the last that ended on a node
	behind   []*api.Allocation          // have to be replaced to be current
	base     *api.Job                   // the newest version among those
	canaries int                        // that are there
	unproven int                        // of the deployment, not known to be healthy
	outside  int                        // of the deployment, on nodes that take nothing new
	current  int                        // that run
	updated  time.Time                  // when the deployment last replaced one that was behind
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
	p.pace(allocs)
	p.begin(eligible)
	p.g.Member = p.stage.active
	for i := range p.g.InPlace {
		p.g.InPlace[i].Member = p.stage.active
	}
	fresh := p.fresh(eligible)
	p.replace(fresh)
	p.g.Nodes = append(p.g.Nodes, fresh...)
}

func (p *perNode) classify(a *api.Allocation, eligible bool) {
	switch {
	case a.ServerTerminal():
		p.g.bury(&p.in.Input, a)
		if p.in.vacates(a) {
			p.there[a.NodeID] = true
		}
		return
	case a.ClientTerminal():
		p.over(a)
		return
	}
	state, until := p.in.presence(a)
	switch {
	case state == lost:
		p.end(a, DescLost)
	case migrates(a):
		p.end(a, DescMigrating)
		switch {
		case p.in.vacates(a):
			p.there[a.NodeID] = true
		case eligible && p.before[a.NodeID] == nil: // stopped by hand, the node itself stays
			p.before[a.NodeID] = a
		}
	case p.there[a.NodeID]:
		p.end(a, DescNotNeeded) // a second one
	case state != present:
		p.there[a.NodeID] = true
		p.g.away(&p.in.Input, a, state, until)
		p.g.Desired.Ignore++
	default:
		p.there[a.NodeID] = true
		p.g.back(a)
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
	if p.before[a.NodeID] == nil {
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
		p.proper(a, eligible)
	case !n.Ready(): // takes nothing new; what it has goes on
		g.Desired.Ignore++
	case !eligible: // no longer meets the constraints
		p.end(a, DescNotNeeded)
	case p.destructive(a.Job, g.Group):
		p.behind = append(p.behind, a)
		p.basis(p.own(a))
	default:
		g.InPlace = append(g.InPlace, InPlace{Alloc: a})
		g.Desired.InPlaceUpdate++
	}
}

// proper counts an allocation that is as it should be.
func (p *perNode) proper(a *api.Allocation, eligible bool) {
	p.current++
	if p.stage.active && !p.stage.member(a) {
		p.g.InPlace = append(p.g.InPlace, InPlace{Alloc: a})
		p.g.Desired.InPlaceUpdate++
	} else {
		p.g.Desired.Ignore++
	}
	if p.stage.canary(a) {
		p.canaries++
	}
	if p.stage.unproven(a) {
		p.unproven++
	}
	if !eligible {
		p.outside++
	}
}

func (p *perNode) end(a *api.Allocation, description string) {
	p.g.stop(&p.in.Input, a, description)
	p.g.Desired.Stop++
}

// begin begins a deployment when the group changes to a version of which
// nothing runs yet. That of a deployment that goes on follows the nodes that
// there are: canaries are a percentage of those that have to change.
func (p *perNode) begin(eligible []string) {
	total := len(eligible) + p.outside
	if p.stage.active {
		canaries := p.stage.state.DesiredCanaries
		if p.stage.canaries > 0 {
			canaries = min(canaries, p.canaries+len(p.behind)+p.empty(eligible))
		}
		p.stage.resize(p.g.Name, total, canaries)
		return
	}
	if !p.stage.mayBegin() || p.current > 0 || total == 0 {
		return
	}
	canaries := 0
	if n := len(p.behind); n > 0 {
		canaries = min((p.stage.update.Canary*n+99)/100, n)
	}
	p.stage.begin(p.g.Name, total, canaries)
}

// empty counts the nodes that have nothing.
func (p *perNode) empty(eligible []string) int {
	n := 0
	for _, id := range eligible {
		if !p.there[id] {
			n++
		}
	}
	return n
}

// fresh gives the nodes that have nothing. While the update is not to go on they
// get what the others have.
func (p *perNode) fresh(eligible []string) []NodePlacement {
	var out []NodePlacement
	for _, id := range eligible {
		if a := p.before[id]; p.stage.frozen() && !p.there[id] && a != nil {
			p.basis(p.own(a))
		}
	}
	for _, id := range eligible {
		if p.there[id] {
			continue
		}
		x := NodePlacement{NodeID: id, Previous: p.before[id]}
		current := x.Previous != nil && p.in.current(x.Previous)
		switch {
		case current:
			x.Canary = p.stage.canary(x.Previous)
		case p.stage.frozen():
			if x.Job = p.version(x.Previous); x.Job == nil && p.stage.held && p.stage.active {
				continue // paused before anything was there
			}
		}
		if x.Previous != nil && !current && (x.Job == nil || x.Previous.Job == nil || x.Job.Version != x.Previous.Job.Version) {
			x.Previous = nil
		}
		if x.Canary {
			p.canaries++
		}
		out = append(out, x)
		p.g.Desired.Place++
	}
	return out
}

// version gives the version that a node gets while the update is not to go on:
// that of what it had, else of the others; nil: the current one.
func (p *perNode) version(before *api.Allocation) *api.Job {
	if before != nil {
		if j := p.own(before); j != nil {
			return j
		}
	}
	return p.base
}

// own gives the version of an allocation, when it is kept and differs from the
// current one.
func (p *perNode) own(a *api.Allocation) *api.Job {
	if p.in.current(a) || a.Job == nil || a.Job.CreateIndex != p.in.Job.CreateIndex || !p.destructive(a.Job, p.g.Group) {
		return nil
	}
	v, ok := p.in.Version(a.Job.Version)
	if !ok || v.CreateIndex != a.Job.CreateIndex || v.LookupTaskGroup(p.g.Name) == nil {
		return nil
	}
	return v
}

// basis notes a version that nodes have; the newest counts.
func (p *perNode) basis(j *api.Job) {
	if j != nil && (p.base == nil || p.base.Version < j.Version) {
		p.base = j
	}
}

// pace finds when the deployment last replaced something of another version. What
// it replaced is gone from the state only after long.
func (p *perNode) pace(allocs []*api.Allocation) {
	if !p.stage.active || p.stage.update.Stagger <= 0 {
		return
	}
	byID := make(map[string]*api.Allocation, len(allocs))
	for _, a := range allocs {
		byID[a.ID] = a
	}
	for _, a := range allocs {
		before := byID[a.PreviousAllocation]
		if !p.stage.member(a) || before == nil || before.Job == nil || a.Job == nil || before.Job.Version == a.Job.Version {
			continue
		}
		if at := time.Unix(0, a.CreateTime); at.After(p.updated) {
			p.updated = at
		}
	}
}

// paced gives how many of n that may be replaced are replaced now: none before
// stagger has passed since the last were. The first that waits carries the
// evaluation that comes then.
func (p *perNode) paced(n int) int {
	until := p.updated.Add(p.stage.update.Stagger.Std())
	if n == 0 || p.updated.IsZero() || !p.in.Now.Before(until) {
		return n
	}
	p.g.wait(&p.in.Input, Note{Alloc: p.behind[0], Until: until, Trigger: api.TriggerRollingUpdate})
	return 0
}

// replace replaces as many of those that have to change as the deployment
// allows; fresh ones are already under way. Where canaries are still short, nodes
// that have nothing take them.
func (p *perNode) replace(fresh []NodePlacement) {
	n, canary := len(p.behind), p.stage.canaries > 0
	short := max(0, p.stage.canaries-p.canaries)
	switch {
	case p.stage.held:
		n, short = 0, 0
	case canary:
		n = min(n, short)
		short -= n
	case p.stage.active:
		n = p.paced(min(n, max(0, p.stage.update.MaxParallel-p.unproven-len(fresh)-len(p.g.InPlace))))
	}
	for _, a := range p.behind[:n] {
		p.g.Nodes = append(p.g.Nodes, NodePlacement{NodeID: a.NodeID, Previous: a, Destructive: true, Canary: canary})
	}
	p.g.Desired.DestructiveUpdate += uint64(n)
	p.g.Desired.Ignore += uint64(len(p.behind) - n)
	if !canary {
		return
	}
	p.g.Desired.Canary += uint64(n)
	for i := range fresh {
		if x := &fresh[i]; short > 0 && !x.Canary {
			short--
			x.Canary = true
			if x.Job != nil {
				x.Job, x.Previous = nil, nil
			}
			p.g.Desired.Canary++
		}
	}
}
