package drain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// Decision is what there is to do for the drains of all nodes.
type Decision struct {
	Move  []*api.Allocation // that shall leave now
	Done  []*api.Node       // that are empty
	Nodes []Progress
	Jobs  map[api.NamespacedID]bool // whose changes the next decision depends on
	Again time.Time                 // when to decide anew if nothing changes; zero: never
}

// Progress is how far the drain of a node is.
type Progress struct {
	Node  *api.Node
	Left  int      // allocations that are to go and run still
	Waits []string // for what, when nothing can leave at present
}

type groupKey struct {
	job   api.NamespacedID
	group string
}

// decider is the work on one decision.
type decider struct {
	view   *state.View
	now    time.Time
	out    Decision
	groups map[groupKey]*departing
	moving map[string]bool
}

// departing are the allocations of a group that are still to leave nodes.
type departing struct {
	allocs []*api.Allocation
	nodes  map[string]*Progress
}

// Decide says what is to be done for the nodes, which are those that are drained.
func Decide(v *state.View, nodes []*api.Node, now time.Time) Decision {
	d := &decider{view: v, now: now, groups: map[groupKey]*departing{}, moving: map[string]bool{}}
	d.out.Jobs = map[api.NamespacedID]bool{}
	progress := make([]*Progress, len(nodes))
	for i, n := range nodes {
		progress[i] = d.node(n)
	}
	for _, key := range d.keys() {
		d.group(key, d.groups[key])
	}
	for _, p := range progress {
		d.out.Nodes = append(d.out.Nodes, *p)
		if p.Left == 0 {
			d.out.Done = append(d.out.Done, p.Node)
		}
	}
	return d.out
}

func (d *decider) keys() []groupKey {
	keys := make([]groupKey, 0, len(d.groups))
	for k := range d.groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b groupKey) int {
		return cmp.Or(strings.Compare(a.job.Namespace, b.job.Namespace), strings.Compare(a.job.ID, b.job.ID), strings.Compare(a.group, b.group))
	})
	return keys
}

// node looks at what one node still has.
func (d *decider) node(n *api.Node) *Progress {
	p := &Progress{Node: n}
	s := n.DrainStrategy
	forced := d.forced(s)
	var system []*api.Allocation
	batch := 0
	for a := range d.view.AllocationsByNode(n.ID) {
		if a.ClientTerminal() {
			continue
		}
		kind := d.kind(a)
		perNode := kind == api.JobTypeSystem || kind == api.JobTypeSysbatch
		if perNode && s.IgnoreSystemJobs {
			continue
		}
		p.Left++
		switch {
		case kind == api.JobTypeSystem:
			system = append(system, a)
		case leaving(a): // on its way
		case forced:
			d.move(a)
		case kind == api.JobTypeService:
			d.depart(p, a)
		default:
			batch++
		}
	}
	if forced || p.Left == len(system) {
		for _, a := range system {
			if !leaving(a) {
				d.move(a)
			}
		}
	}
	if batch > 0 {
		p.Waits = append(p.Waits, plural(batch, "batch allocation", "batch allocations")+" to finish")
	}
	return p
}

// forced says whether nothing is waited for any more.
func (d *decider) forced(s *api.DrainStrategy) bool {
	if s.Deadline < 0 {
		return true
	}
	if s.ForceDeadline.IsZero() {
		return false
	}
	if !d.now.Before(s.ForceDeadline) {
		return true
	}
	d.again(s.ForceDeadline)
	return false
}

func (d *decider) again(t time.Time) {
	if d.out.Again.IsZero() || t.Before(d.out.Again) {
		d.out.Again = t
	}
}

func (d *decider) kind(a *api.Allocation) string {
	if a.Job == nil {
		return api.JobTypeService
	}
	return a.Job.Type
}

// leaving says whether an allocation is to stop already.
func leaving(a *api.Allocation) bool {
	m := a.DesiredTransition.Migrate
	return a.ServerTerminal() || m != nil && *m
}

func (d *decider) move(a *api.Allocation) {
	d.out.Move = append(d.out.Move, a)
	d.moving[a.ID] = true
}

func (d *decider) depart(p *Progress, a *api.Allocation) {
	key := groupKey{api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}, a.TaskGroup}
	g := d.groups[key]
	if g == nil {
		g = &departing{nodes: map[string]*Progress{}}
		d.groups[key] = g
	}
	g.allocs = append(g.allocs, a)
	g.nodes[a.NodeID] = p
	d.out.Jobs[key.job] = true
}

// group lets as many allocations of a service's group go as may be missing:
// first those that are not available anyway.
func (d *decider) group(key groupKey, g *departing) {
	job, ok := d.view.Job(key.job.Namespace, key.job.ID)
	var group *api.TaskGroup
	if ok && !job.Stop {
		group = job.LookupTaskGroup(key.group)
	}
	if group == nil { // is not wanted any more
		for _, a := range g.allocs {
			d.move(a)
		}
		return
	}
	available := d.available(job, group)
	idle := 0
	for _, a := range g.allocs {
		if !available[a.ID] {
			idle++
		}
	}
	spare := len(available) - (group.Count - maxParallel(group)) // of those that are available
	most := min(spare+idle, maxParallel(group))
	g.sort(available)
	left := 0
	for _, a := range g.allocs {
		switch {
		case most <= 0 || available[a.ID] && spare <= 0:
			left++
			continue
		case available[a.ID]:
			spare--
		}
		most--
		d.move(a)
	}
	if missing := group.Count - len(available); left > 0 && missing > 0 {
		text := plural(missing, "allocation", "allocations") + " of job \"" + key.job.ID + "\", group \"" + key.group + "\" to become healthy"
		for _, p := range g.nodes {
			p.Waits = append(p.Waits, text)
		}
	}
}

func maxParallel(g *api.TaskGroup) int {
	if g.Migrate == nil {
		return 1
	}
	return max(g.Migrate.MaxParallel, 1)
}

// sort puts first what is not available, then what has been drained longest.
func (g *departing) sort(available map[string]bool) {
	rank := func(a *api.Allocation) int {
		if available[a.ID] {
			return 1
		}
		return 0
	}
	slices.SortFunc(g.allocs, func(a, b *api.Allocation) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			g.nodes[a.NodeID].Node.DrainStrategy.StartedAt.Compare(g.nodes[b.NodeID].Node.DrainStrategy.StartedAt),
			strings.Compare(a.ID, b.ID))
	})
}

// available gives the allocations of a group that do its work and go on doing
// it.
func (d *decider) available(job *api.Job, group *api.TaskGroup) map[string]bool {
	out := map[string]bool{}
	for a := range d.view.AllocationsByJob(job.Namespace, job.ID) {
		if a.TaskGroup == group.Name && !a.Terminal() && !leaving(a) && !d.moving[a.ID] && !d.canary(a) && d.healthy(a) {
			out[a.ID] = true
		}
	}
	return out
}

// canary says whether an allocation is one beside the group's count.
func (d *decider) canary(a *api.Allocation) bool {
	if a.DeploymentStatus == nil || !a.DeploymentStatus.Canary {
		return false
	}
	x, ok := d.view.Deployment(a.DeploymentID)
	if !ok || !x.Active() {
		return false
	}
	s := x.TaskGroups[a.TaskGroup]
	return s != nil && !s.Promoted
}

// healthy says whether an allocation counts as working: its client has said so,
// or nobody asks the client and it runs, or it has run for so long that what
// the client said, or did not say, is no longer of interest.
func (d *decider) healthy(a *api.Allocation) bool {
	if a.ClientStatus != api.AllocClientRunning {
		return false
	}
	if a.DeploymentStatus.IsHealthy() {
		return true
	}
	deadline, asked := healthDeadline(a)
	if !asked && !a.DeploymentStatus.IsUnhealthy() {
		return true
	}
	steady := steadySince(a).Add(deadline)
	if d.now.Before(steady) {
		d.again(steady)
		return false
	}
	return true
}

// healthDeadline says within which time a client tells whether an allocation is
// healthy, and whether it does at all.
func healthDeadline(a *api.Allocation) (time.Duration, bool) {
	var group *api.TaskGroup
	if a.Job != nil {
		group = a.Job.LookupTaskGroup(a.TaskGroup)
	}
	if group == nil {
		return 0, false
	}
	if u := group.Update; a.DeploymentID != "" && u != nil {
		return u.HealthyDeadline.Std(), u.HealthCheck != "manual"
	}
	m := group.Migrate
	if m == nil {
		m = api.DefaultMigrate(api.JobTypeService)
	}
	return m.HealthyDeadline.Std(), a.PreviousAllocation != "" && a.DeploymentID == "" && m.HealthCheck != "manual"
}

// steadySince is when the last task of a running allocation began to run.
func steadySince(a *api.Allocation) time.Time {
	since := time.Unix(0, a.CreateTime)
	for _, t := range a.States() {
		if t.State == api.TaskStateRunning && t.StartedAt.After(since) {
			since = t.StartedAt
		}
	}
	return since
}
