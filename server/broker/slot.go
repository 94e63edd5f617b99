package broker

import (
	"cmp"
	"container/heap"
	"context"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// slot holds the pending evaluations of one job. An evaluation looks at the
// whole job, so of those that nobody has begun with one does the work of all:
// the newest, whose submitter waits for it. The others are superseded.
type slot struct {
	queued *entry          // ready to be handed out
	out    string          // ID of the evaluation that is handed out
	next   *api.Evaluation // comes when that one is done
}

// Superseded is an evaluation and the one of its job that does its work.
type Superseded struct{ ID, By string }

// enqueue makes an evaluation ready, or lets it wait for the one of its job
// that is handed out.
func (b *Broker) enqueue(x *api.Evaluation) {
	if x.JobID == "" {
		b.ready.push(x)
		return
	}
	s := b.slots[keyOf(x)]
	switch {
	case s == nil:
		b.slots[keyOf(x)] = &slot{queued: b.ready.push(x)}
	case s.queued != nil:
		s.queued.eval = b.merge(s.queued.eval, x)
		if x.Priority > s.queued.priority {
			s.queued.priority = x.Priority
			heap.Fix(&s.queued.lane.queue, s.queued.at)
		}
	case s.out == "":
		s.queued = b.ready.push(x)
	case s.next == nil:
		s.next = x
	default:
		s.next = b.merge(s.next, x)
	}
}

// merge gives the newer of two evaluations of a job; the other is superseded.
func (b *Broker) merge(x, y *api.Evaluation) *api.Evaluation {
	if x.ID == y.ID {
		return y
	}
	if cmp.Or(cmp.Compare(x.CreateIndex, y.CreateIndex), strings.Compare(x.ID, y.ID)) > 0 {
		x, y = y, x
	}
	delete(b.known, x.ID)
	b.stale[x.ID] = y.ID
	b.cancels = append(b.cancels, Superseded{ID: x.ID, By: y.ID})
	b.nudge()
	return y
}

// remove forgets an evaluation that is no longer pending.
func (b *Broker) remove(x *api.Evaluation) {
	delete(b.stale, x.ID)
	if _, ok := b.known[x.ID]; !ok {
		return
	}
	delete(b.known, x.ID)
	if b.out[x.ID] {
		delete(b.out, x.ID)
		b.next(x)
		return
	}
	s := b.slots[keyOf(x)]
	switch {
	case s == nil || x.JobID == "":
	case s.queued != nil && s.queued.eval.ID == x.ID:
		b.ready.remove(s.queued)
		delete(b.slots, keyOf(x))
	case s.next != nil && s.next.ID == x.ID:
		s.next = nil
	}
}

// next lets the next evaluation of a job go, because x is handed out no more.
func (b *Broker) next(x *api.Evaluation) {
	s := b.slots[keyOf(x)]
	if s == nil || s.out != x.ID {
		return
	}
	s.out = ""
	if s.next == nil {
		delete(b.slots, keyOf(x))
		return
	}
	s.queued, s.next = b.ready.push(s.next), nil
}

const (
	maxCancels = 4096                   // of one command
	gather     = 100 * time.Millisecond // for which cancels are gathered
)

// cancel ends superseded evaluations. It gives the time after which it wants to
// be called again at the latest.
func (b *Broker) cancel(ctx context.Context) time.Duration {
	now := time.Now()
	b.mu.Lock()
	list := b.cancels[:min(len(b.cancels), maxCancels):min(len(b.cancels), maxCancels)]
	wait := b.cancelFrom.Sub(now)
	if len(list) > 0 && wait <= 0 && b.cfg.Cancel != nil {
		b.cancels = b.cancels[len(list):]
	}
	b.mu.Unlock()
	switch {
	case len(list) == 0 || b.cfg.Cancel == nil:
		return time.Hour
	case wait > 0:
		return wait
	}
	b.cancelFrom = now.Add(gather)
	if err := b.cfg.Cancel(ctx, list); err != nil {
		if ctx.Err() == nil {
			b.cfg.Logger.Warn("superseded evaluations were not ended, it is tried again", "err", err, "evals", len(list))
		}
		b.mu.Lock()
		b.cancels = append(b.cancels, list...)
		b.mu.Unlock()
		b.cancelFrom = now.Add(time.Second)
	}
	return gather
}
