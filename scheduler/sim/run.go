package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
	"github.com/seraihq/serai/scheduler/why"
)

// maxRounds is how often jobs that wait are looked at again after others have
// made room.
const maxRounds = 4

// Move is an allocation that is placed anew.
type Move struct {
	Namespace string
	Job       string
	Name      string
	From      string // the node's name
	FromDC    string
	To        string
	ToDC      string
}

// Unplaced are allocations of a group without a node.
type Unplaced struct {
	Namespace string
	Job       string
	Group     string
	Count     int
	Before    int    // of these, how many had none before the edits either
	Why       string // one clause
}

// Placed counts what a job has got that it did not have.
type Placed struct {
	Namespace string
	Job       string
	Group     string
	Count     int
}

// Report is what edits come to.
type Report struct {
	Before, After *Utilisation
	Lost          []string // nodes, by name
	Added         []string
	Moves         []*Move
	Placed        []*Placed
	Unplaced      []*Unplaced
	Preempted     []*Move // without To: what lost its place to more important jobs
	Stopped       int     // because fewer are wanted
	Evaluations   int     // of the scheduler
	Spare         *Spare  `json:",omitempty"`
}

// Fits says whether everything has a place.
func (r *Report) Fits() bool { return len(r.Unplaced) == 0 }

// Edits are what is done to a world. They happen at once; then the scheduler
// looks at every job that they touch, the most important first.
type Edits struct {
	Config *api.SchedulerConfiguration // nil: as it is
	Add    []*api.Node
	Lose   []*api.Node
	Jobs   []*api.Job // run, or changed
}

// engine runs the scheduler until nothing changes any more.
type engine struct {
	w         *World
	evals     int
	moves     []*Move
	preempted []*Move
	stopped   int
	placed    map[groupKey]int
	unplaced  map[groupKey]*Unplaced
	freed     bool // something was stopped since jobs that wait were looked at
	full      bool // keep what moved, not only how much
	moved     int
}

type groupKey struct{ namespace, job, group string }

func newEngine(w *World) *engine {
	return &engine{w: w, full: true, placed: map[groupKey]int{}, unplaced: map[groupKey]*Unplaced{}}
}

// Run applies edits and tells what they come to. waiting are the jobs of which
// something is without a place already, all those that run on every node.
func Run(w *World, e Edits, waiting, all []*api.Job) (*Report, error) {
	before := newEngine(w)
	mark := w.Mark()
	if err := before.settle(slices.Clone(waiting)); err != nil {
		return nil, err
	}
	w.Undo(mark)
	r := &Report{Before: w.Utilisation()}
	touched := append(slices.Clone(waiting), w.edit(e, r, all)...)
	x := newEngine(w)
	if err := x.settle(touched); err != nil {
		return nil, err
	}
	r.After = w.Utilisation()
	r.Moves, r.Preempted, r.Stopped, r.Evaluations = x.moves, x.preempted, x.stopped, before.evals+x.evals
	for k, n := range x.placed {
		r.Placed = append(r.Placed, &Placed{k.namespace, k.job, k.group, n})
	}
	slices.SortFunc(r.Placed, func(a, b *Placed) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Job, b.Job), strings.Compare(a.Group, b.Group))
	})
	for k, u := range x.unplaced {
		if was := before.unplaced[k]; was != nil {
			u.Before = min(was.Count, u.Count)
		}
	}
	r.Unplaced = x.report()
	return r, nil
}

// edit changes the world and gives the jobs that have to be looked at.
func (w *World) edit(e Edits, r *Report, all []*api.Job) []*api.Job {
	if e.Config != nil {
		w.Configure(e.Config)
	}
	touched := w.lose(e.Lose)
	for _, n := range e.Lose {
		r.Lost = append(r.Lost, n.Name)
	}
	for _, n := range e.Add {
		w.PutNode(n)
		r.Added = append(r.Added, n.Name)
	}
	if len(e.Add) > 0 { // jobs that run on every node run there too
		for _, j := range all {
			if j.Type == api.JobTypeSystem || j.Type == api.JobTypeSysbatch {
				touched = append(touched, j)
			}
		}
	}
	for _, j := range e.Jobs {
		w.PutJob(j)
	}
	return append(touched, e.Jobs...)
}

// lose takes nodes down and gives the jobs that ran on them.
func (w *World) lose(nodes []*api.Node) []*api.Job {
	var touched []*api.Job
	found := map[api.NamespacedID]bool{}
	for _, n := range nodes {
		for _, a := range w.tenants(n) {
			key := api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
			if found[key] {
				continue
			}
			found[key] = true
			if j, ok := w.Job(a.Namespace, a.JobID); ok {
				touched = append(touched, j)
			}
		}
		down := *n
		down.Status = api.NodeStatusDown
		w.PutNode(&down)
	}
	return touched
}

// tenants gives the allocations that run on a node.
func (w *World) tenants(n *api.Node) []*api.Allocation {
	row, ok := w.fleet.Row(n.ID)
	if !ok {
		return nil
	}
	return w.fleet.Tenants(row, 1<<30)
}

// settle looks at jobs until nothing changes: those that lost something to
// others, and those that wait where others have made room.
func (x *engine) settle(jobs []*api.Job) error {
	queue := distinct(jobs)
	for range maxRounds {
		byPriority(queue)
		for len(queue) > 0 {
			j := queue[0]
			queue = queue[1:]
			more, err := x.evaluate(j)
			if err != nil {
				return err
			}
			queue = append(queue, more...)
		}
		if !x.freed || len(x.unplaced) == 0 {
			return nil
		}
		x.freed = false
		seen := map[api.NamespacedID]*api.Job{}
		for k := range x.unplaced {
			if j, ok := x.w.Job(k.namespace, k.job); ok {
				seen[j.NamespacedID()] = j
			}
		}
		queue = slices.Collect(maps.Values(seen))
	}
	return nil
}

func distinct(jobs []*api.Job) []*api.Job {
	last := map[api.NamespacedID]*api.Job{}
	for _, j := range jobs {
		last[j.NamespacedID()] = j
	}
	return slices.Collect(maps.Values(last))
}

// evaluate schedules a job and takes over the plan; it gives the jobs that it
// preempts.
func (x *engine) evaluate(j *api.Job) ([]*api.Job, error) {
	w := x.w
	if current, ok := w.Job(j.Namespace, j.ID); ok {
		j = current
	}
	if limited(j) {
		j = Unlimited(j)
		w.PutJob(j)
	}
	x.evals++
	p, err := w.Schedule(j, false)
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", j.ID, err)
	}
	x.note(j, p)
	w.Apply(p)
	var more []*api.Job
	for _, e := range p.NewEvals {
		if e.TriggeredBy == api.TriggerPreemption {
			if other, ok := w.Job(e.Namespace, e.JobID); ok {
				more = append(more, other)
			}
		}
	}
	return more, nil
}

func limited(j *api.Job) bool {
	return j.Update != nil || slices.ContainsFunc(j.TaskGroups, func(g *api.TaskGroup) bool { return g.Update != nil })
}

// note takes down what a plan changes.
func (x *engine) note(j *api.Job, p *scheduler.Plan) {
	replaced := map[string]bool{}
	for i := range p.Placements {
		n := &p.Placements[i]
		if n.Previous == "" {
			x.placed[groupKey{j.Namespace, j.ID, n.Group.Name}]++
			continue
		}
		replaced[n.Previous] = true
		x.move(n)
	}
	for i := range p.Stops {
		s := &p.Stops[i]
		x.freed = x.freed || !s.Keep
		switch {
		case s.PreemptedBy != "" && x.full:
			x.preempted = append(x.preempted, x.from(s.Alloc))
		case s.PreemptedBy == "" && !replaced[s.Alloc.ID] && s.ClientStatus == "" && !s.Keep:
			x.stopped++
		}
	}
	for _, g := range j.TaskGroups {
		key := groupKey{j.Namespace, j.ID, g.Name}
		m := p.Eval.FailedTGAllocs[g.Name]
		if m == nil {
			delete(x.unplaced, key)
			continue
		}
		x.unplaced[key] = &Unplaced{
			Namespace: j.Namespace, Job: j.ID, Group: g.Name, Count: max(m.CoalescedFailures+1, p.Eval.QueuedAllocations[g.Name]),
		}
	}
}

func (x *engine) from(a *api.Allocation) *Move {
	m := &Move{Namespace: a.Namespace, Job: a.JobID, Name: a.Name, From: a.NodeName}
	if n, ok := x.w.Node(a.NodeID); ok {
		m.From, m.FromDC = n.Name, n.Datacenter
	}
	return m
}

func (x *engine) move(p *scheduler.Placement) {
	a, ok := x.w.Allocation(p.Previous)
	if !ok {
		return
	}
	x.moved++
	if x.full {
		m := x.from(a)
		m.To, m.ToDC = p.Node.Name, p.Node.Datacenter
		x.moves = append(x.moves, m)
	}
}

// report gives what has no place, with the reason as of now.
func (x *engine) report() []*Unplaced {
	out := slices.Collect(maps.Values(x.unplaced))
	slices.SortFunc(out, func(a, b *Unplaced) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Job, b.Job), strings.Compare(a.Group, b.Group))
	})
	for i, u := range out {
		if i >= maxReasons {
			u.Why = "not looked into: too many groups have no place"
			continue
		}
		if j, ok := x.w.Job(u.Namespace, u.Job); ok {
			u.Why = why.Cause(why.Input{State: x.w, Fleet: x.w.fleet, Now: x.w.now}, j, u.Group)
		}
	}
	return out
}

// maxReasons bounds for how many groups the reason is looked into.
const maxReasons = 100
