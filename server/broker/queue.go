package broker

import (
	"cmp"
	"container/heap"

	"github.com/seraihq/serai/api"
)

type jobKey = api.NamespacedID

func keyOf(x *api.Evaluation) jobKey { return jobKey{Namespace: x.Namespace, ID: x.JobID} }

// entry is an evaluation in the queue, in the place of those that it
// superseded.
type entry struct {
	eval     *api.Evaluation
	priority int    // the highest of those
	since    uint64 // index at which the oldest of those was made
	first    string // its ID
	lane     *lane
	at       int
}

// byUrgency is a heap: higher priority first, then older.
type byUrgency []*entry

func (q byUrgency) Len() int { return len(q) }
func (q byUrgency) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}
func (q byUrgency) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }
func (q *byUrgency) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}
func (q *byUrgency) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
}

func (e *entry) compare(o *entry) int {
	return cmp.Or(cmp.Compare(o.priority, e.priority), cmp.Compare(e.since, o.since), cmp.Compare(e.first, o.first))
}

// ready holds evaluations that may be looked at now: by namespace, at most one
// of each job.
type ready struct {
	byNamespace map[string]*lane
	count       int
}

// lane is the queue of one namespace. served orders lanes of equal urgency.
type lane struct {
	queue  byUrgency
	served uint64
}

func (r *ready) push(x *api.Evaluation) *entry {
	if r.byNamespace == nil {
		r.byNamespace = map[string]*lane{}
	}
	l := r.byNamespace[x.Namespace]
	if l == nil {
		l = &lane{}
		r.byNamespace[x.Namespace] = l
	}
	e := &entry{eval: x, priority: x.Priority, since: x.CreateIndex, first: x.ID, lane: l}
	heap.Push(&l.queue, e)
	r.count++
	return e
}

func (r *ready) remove(e *entry) {
	heap.Remove(&e.lane.queue, e.at)
	r.count--
}

// pop takes the most urgent evaluation; between namespaces whose heads are of
// the same priority, the one that has waited longest for its turn.
func (r *ready) pop(turn uint64) *entry {
	var best *lane
	for _, l := range r.byNamespace {
		if len(l.queue) > 0 && (best == nil || earlier(l, best)) {
			best = l
		}
	}
	if best == nil {
		return nil
	}
	best.served = turn
	r.count--
	return heap.Pop(&best.queue).(*entry)
}

func earlier(a, b *lane) bool {
	x, y := a.queue[0], b.queue[0]
	return cmp.Or(cmp.Compare(y.priority, x.priority), cmp.Compare(a.served, b.served), x.compare(y)) < 0
}

// byTime is a heap of evaluations that wait for a time.
type byTime []*api.Evaluation

func (q byTime) Len() int           { return len(q) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q byTime) Less(i, j int) bool { return q[i].WaitUntil.Before(q[j].WaitUntil) }
func (q *byTime) Push(x any)        { *q = append(*q, x.(*api.Evaluation)) }
func (q *byTime) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
}
