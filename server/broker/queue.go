package broker

import (
	"cmp"
	"container/heap"

	"github.com/seraihq/serai/api"
)

type jobKey = api.NamespacedID

func keyOf(x *api.Evaluation) jobKey { return jobKey{Namespace: x.Namespace, ID: x.JobID} }

// byUrgency is a heap: higher priority first, then older.
type byUrgency []*api.Evaluation

func (q byUrgency) Len() int      { return len(q) }
func (q byUrgency) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q byUrgency) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID)) < 0
}
func (q *byUrgency) Push(x any) { *q = append(*q, x.(*api.Evaluation)) }
func (q *byUrgency) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
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

func (r *ready) push(x *api.Evaluation) {
	if r.byNamespace == nil {
		r.byNamespace = map[string]*lane{}
	}
	l := r.byNamespace[x.Namespace]
	if l == nil {
		l = &lane{}
		r.byNamespace[x.Namespace] = l
	}
	heap.Push(&l.queue, x)
	r.count++
}

// pop takes the most urgent evaluation; between namespaces whose heads are of
// the same priority, the one that has waited longest for its turn.
func (r *ready) pop(turn uint64) *api.Evaluation {
	var best *lane
	for _, l := range r.byNamespace {
		if len(l.queue) == 0 {
			continue
		}
		if best == nil || earlier(l, best) {
			best = l
		}
	}
	if best == nil {
		return nil
	}
	best.served = turn
	r.count--
	return heap.Pop(&best.queue).(*api.Evaluation)
}

func earlier(a, b *lane) bool {
	x, y := a.queue[0], b.queue[0]
	return cmp.Or(cmp.Compare(y.Priority, x.Priority), cmp.Compare(a.served, b.served), cmp.Compare(x.CreateIndex, y.CreateIndex), cmp.Compare(x.ID, y.ID)) < 0
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
