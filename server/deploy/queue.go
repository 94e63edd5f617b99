package deploy

import (
	"container/heap"
	"time"
)

// watched is what is remembered of a deployment that goes on.
type watched struct {
	id  string
	due time.Time // when it is judged next; zero: when it changes
	at  int       // position in the heap; -1: in none

	known     bool     // it has been judged before
	failed    bool     // an allocation may have failed that was not decided on
	evaluate  bool     // an evaluation is wanted
	progress  progress // that the scheduler has been told of
	evaluated time.Time
}

// progress is what an evaluation may make something of.
type progress struct{ healthy, unhealthy int }

// queue holds the deployments that go on, by when they are due.
type queue struct {
	byID map[string]*watched
	heap dues
}

func newQueue() *queue { return &queue{byID: map[string]*watched{}} }

// get returns a deployment, and makes it known.
func (q *queue) get(id string) *watched {
	w, ok := q.byID[id]
	if !ok {
		w = &watched{id: id, at: -1, failed: true}
		q.byID[id] = w
	}
	return w
}

// schedule has a deployment judged at a time, or earlier if it is due before.
func (q *queue) schedule(w *watched, at time.Time) {
	switch {
	case at.IsZero() || w.at >= 0 && !at.Before(w.due):
	case w.at >= 0:
		w.due = at
		heap.Fix(&q.heap, w.at)
	default:
		w.due = at
		heap.Push(&q.heap, w)
	}
}

// next gives the time when something is due; false: never.
func (q *queue) next() (time.Time, bool) {
	if len(q.heap) == 0 {
		return time.Time{}, false
	}
	return q.heap[0].due, true
}

// pop takes a deployment that is due; nil when none is.
func (q *queue) pop(now time.Time) *watched {
	if len(q.heap) == 0 || q.heap[0].due.After(now) {
		return nil
	}
	return heap.Pop(&q.heap).(*watched)
}

// forget drops a deployment.
func (q *queue) forget(id string) {
	w, ok := q.byID[id]
	if !ok {
		return
	}
	delete(q.byID, id)
	if w.at >= 0 {
		heap.Remove(&q.heap, w.at)
	}
}

// dues is a heap; see container/heap.
type dues []*watched

func (h dues) Len() int           { return len(h) }
func (h dues) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dues) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *dues) Push(x any)        { w := x.(*watched); w.at = len(*h); *h = append(*h, w) }
func (h *dues) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h, w.at = old[:len(old)-1], -1
	return w
}
