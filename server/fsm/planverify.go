package fsm

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// Reasons for refusing what does not fail for capacity.
const (
	refusedNoNode    = "node is gone"
	refusedNotReady  = "node is not ready for new allocations"
	refusedNoVersion = "job version or group is gone"
	refusedExists    = "allocation exists already"
	refusedNoAlloc   = "allocation is gone, over or of another job"
	refusedAllOrNone = "another placement of the plan was refused"
	refusedNotGoing  = "an allocation that it waits for goes on"
)

// verify checks the plan against the state as it is now, and returns the
// placements that hold. A placement that is refused keeps the allocation that
// it was to replace.
func (p *planner) verify() []verified {
	places := p.attempt()
	if p.plan.AllAtOnce && len(p.result.Refused) > 0 {
		for i := range places {
			p.refuse(places[i].ID, places[i].NodeID, refusedAllOrNone)
		}
		places = nil
	}
	places = p.settle(places)
	for i := range p.plan.Placements {
		pl := &p.plan.Placements[i]
		if pl.Previous != "" && p.refused[pl.ID] && !p.lost[pl.Previous] {
			p.refused[pl.Previous] = true
		}
	}
	return places
}

// settle refuses what cannot hold because something else was refused, until
// nothing follows any more.
func (p *planner) settle(places []verified) []verified {
	for len(p.result.Refused) > 0 {
		n := len(places)
		places = p.gangs(places)
		for i := range p.plan.Placements {
			if pl := &p.plan.Placements[i]; p.refused[pl.ID] {
				p.spare(pl)
			}
		}
		places = slices.DeleteFunc(places, func(v verified) bool {
			waits := slices.ContainsFunc(v.Preempted, func(id string) bool { return p.refused[id] })
			if waits {
				p.refuse(v.ID, v.NodeID, refusedNotGoing)
			}
			return waits
		})
		if len(places) == n {
			break
		}
	}
	return places
}

// spare lets the allocations go on that were to be preempted for a placement
// that was refused.
func (p *planner) spare(pl *Placement) {
	for _, id := range pl.Preempted {
		if p.victims[id] == pl.ID {
			p.refused[id] = true
		}
	}
}

// gangs refuses all placements of a group that wants all or none when one of
// them was refused.
func (p *planner) gangs(places []verified) []verified {
	broken := map[string]bool{}
	for i := range p.plan.Placements {
		if pl := &p.plan.Placements[i]; p.refused[pl.ID] {
			broken[pl.Group] = true
		}
	}
	kept := places[:0]
	for i := range places {
		v := &places[i]
		if v.group.AllAtOnce && broken[v.group.Name] {
			p.refuse(v.ID, v.NodeID, refusedAllOrNone)
			continue
		}
		kept = append(kept, *v)
	}
	return kept
}

func (p *planner) refuse(allocID, nodeID, reason string) {
	if !p.refused[allocID] {
		p.refused[allocID] = true
		p.result.Refused = append(p.result.Refused, Refusal{allocID, nodeID, reason})
	}
}

// attempt tries the plan on a copy of what the nodes have in use. What is
// stopped keeps its room until its client has ended it, and only its
// replacement may be placed there; what is lost gives it up at once.
func (p *planner) attempt() []verified {
	room := room{p: p, used: map[string]*fit.Usage{}, stopped: map[string]bool{}, placed: map[string]bool{}}
	for i := range p.plan.Stops {
		s := &p.plan.Stops[i]
		room.stopped[s.AllocID] = !s.Keep
		if s.PreemptedBy != "" {
			p.victims[s.AllocID] = s.PreemptedBy
		}
		if s.ClientStatus != api.AllocClientLost {
			continue
		}
		p.lost[s.AllocID] = true
		if a, ok := p.tx.Allocation(s.AllocID); ok && fit.Counts(a) {
			u := fit.Of(a.AllocatedResources)
			room.of(a.NodeID).Sub(&u)
		}
	}
	for i := range p.plan.Updates {
		if u := &p.plan.Updates[i]; !p.refused[u.AllocID] {
			p.tryUpdate(u, &room)
		}
	}
	places := make([]verified, 0, len(p.plan.Placements))
	for i := range p.plan.Placements {
		pl := &p.plan.Placements[i]
		if p.refused[pl.ID] {
			continue
		}
		v, reason := p.try(pl, &room)
		if reason != "" {
			p.refuse(pl.ID, pl.NodeID, reason)
			p.spare(pl)
			continue
		}
		places = append(places, v)
	}
	return places
}

// room is what nodes have in use while a plan is tried.
type room struct {
	p       *planner
	used    map[string]*fit.Usage
	stopped map[string]bool // by this plan; false again when the room was given away
	placed  map[string]bool
}

func (r *room) of(nodeID string) *fit.Usage {
	if u, ok := r.used[nodeID]; ok {
		return u
	}
	u := r.p.tx.Usage(nodeID).Usage.Clone()
	r.used[nodeID] = u
	return u
}

// leaving is what the allocations have in use that a placement waits for, beside
// its predecessor: those that are preempted for it, and those that leave anyway.
// Others may have their room too, if they wait as well and it is enough for all.
func (r *room) leaving(pl *Placement) []fit.Usage {
	var out []fit.Usage
	for _, id := range pl.Preempted {
		a, ok := r.p.tx.Allocation(id)
		if ok && a.NodeID == pl.NodeID && fit.Counts(a) && !r.p.refused[id] && (r.stopped[id] || a.ServerTerminal()) {
			out = append(out, fit.Of(a.AllocatedResources))
		}
	}
	return out
}

// predecessor gives what the allocation that a placement replaces has in use
// on the node, if the placement may have it.
func (r *room) predecessor(pl *Placement) (fit.Usage, bool) {
	if pl.Previous == "" || r.p.lost[pl.Previous] {
		return fit.Usage{}, false
	}
	a, ok := r.p.tx.Allocation(pl.Previous)
	if !ok || a.NodeID != pl.NodeID || !fit.Counts(a) || a.NextAllocation != "" {
		return fit.Usage{}, false
	}
	stopped, named := r.stopped[pl.Previous]
	if !stopped && (named || !a.ServerTerminal()) {
		return fit.Usage{}, false
	}
	return fit.Of(a.AllocatedResources), true
}

func (p *planner) tryUpdate(u *InPlace, room *room) {
	a, ok := p.tx.Allocation(u.AllocID)
	if !ok || a.Terminal() || a.JobID != p.plan.JobID || a.Namespace != p.plan.Namespace {
		p.refuse(u.AllocID, "", refusedNoAlloc)
		return
	}
	_, base := p.group(u.Version, a.TaskGroup)
	node, exists := p.tx.Node(a.NodeID)
	switch {
	case base == nil:
		p.refuse(u.AllocID, a.NodeID, refusedNoVersion)
		return
	case !exists:
		p.refuse(u.AllocID, a.NodeID, refusedNoNode)
		return
	}
	old, now := fit.Of(a.AllocatedResources), fit.Of(fit.KeepGrants(base, a.AllocatedResources))
	used := room.of(a.NodeID)
	used.Sub(&old)
	// One that takes no more than before stays, even where what is being
	// stopped beside it makes the node look full.
	if dimension, ok := fit.Check(node, used, &now); !ok && !now.Within(&old) {
		p.refuse(u.AllocID, a.NodeID, dimension)
		used.Add(&old)
		return
	}
	used.Add(&now)
}

func (p *planner) try(pl *Placement, room *room) (v verified, reason string) {
	v.Placement = pl
	node, ok := p.tx.Node(pl.NodeID)
	switch {
	case !ok:
		return v, refusedNoNode
	case !node.Ready():
		return v, refusedNotReady
	}
	if _, exists := p.tx.Allocation(pl.ID); exists || room.placed[pl.ID] {
		return v, refusedExists
	}
	job, base := p.group(pl.Version, pl.Group)
	if base == nil {
		return v, refusedNoVersion
	}
	v.node, v.job, v.group = node, job, job.LookupTaskGroup(pl.Group)
	v.resources = fit.WithGrants(fit.WithPorts(base, v.group, pl.Ports), pl.Tasks)
	add := fit.Of(v.resources)
	used := room.of(pl.NodeID)
	leaving := room.leaving(pl)
	for i := range leaving {
		used.Sub(&leaving[i])
	}
	before, replaces := room.predecessor(pl)
	if replaces {
		used.Sub(&before)
	}
	dimension, ok := fit.Check(node, used, &add)
	for i := range leaving {
		used.Add(&leaving[i])
	}
	if !ok {
		if replaces {
			used.Add(&before)
		}
		return v, dimension
	}
	used.Add(&add)
	if replaces { // what the new one has no use for is nobody's until the old one has ended
		rest := fit.Rest(&before, &add)
		used.Add(&rest)
		room.stopped[pl.Previous] = false
	}
	room.placed[pl.ID] = true
	return v, ""
}
