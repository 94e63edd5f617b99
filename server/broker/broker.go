package broker

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Logger *slog.Logger
	// Unblock makes blocked evaluations pending, through the log.
	Unblock func(ctx context.Context, evals []*api.Evaluation) error
	// Cancel ends evaluations whose work another one does, through the log.
	Cancel func(ctx context.Context, list []Superseded) error
}

// Broker is the queue. See the package comment.
type Broker struct {
	cfg  Config
	wake chan struct{} // has an element when Next may have something to do
	more chan struct{} // has an element when Run may have something to do
	rest time.Time     // no pass over the blocked evaluations before; Run's own

	cancelFrom time.Time // no cancels before; Run's own

	mu      sync.Mutex
	known   map[string]*api.Evaluation // pending, by ID
	ready   ready
	slots   map[jobKey]*slot           // of the jobs that have a pending evaluation
	stale   map[string]string          // superseded, and by which; pending in the store still
	cancels []Superseded               // of those, not on their way to the log
	out     map[string]bool            // handed out by Next, not Done
	waiting byTime                     // pending, for their time
	blocked map[string]*api.Evaluation // blocked, by ID
	freed   map[string]uint64          // index at which a node class last got room
	anyFree uint64                     // index at which anything last got room
	given   uint64                     // index at which a plan last gave back room
	freeing map[string]bool            // being unblocked, by ID
	turn    uint64
	paused  bool
}

// Stats are what the broker holds.
type Stats struct {
	Ready   int // may be looked at now
	Unacked int // handed out
	Pending int // behind the evaluation of their job that is handed out
	Waiting int // for a time
	Blocked int // for capacity
	Escaped int // of those, with constraints that node classes do not cover
}

// New makes an empty broker.
func New(c Config) *Broker {
	b := &Broker{cfg: c, wake: make(chan struct{}, 1), more: make(chan struct{}, 1)}
	b.reset()
	return b
}

func (b *Broker) reset() {
	b.known = map[string]*api.Evaluation{}
	b.ready = ready{}
	b.slots = map[jobKey]*slot{}
	b.stale, b.cancels = map[string]string{}, nil
	b.out = map[string]bool{}
	b.waiting = nil
	b.blocked = map[string]*api.Evaluation{}
	b.freed = map[string]uint64{}
	b.freeing = map[string]bool{}
	b.given = 0
}

// Run keeps the queue in step with the store until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	defer b.empty() // another server leads now, and this one has nothing to tell
	for {
		err := b.follow(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
		b.cfg.Logger.Info("evaluation queue is rebuilt from the store")
	}
}

// follow fills the queue from a view and then applies what changes.
func (b *Broker) follow(ctx context.Context) error {
	view, sub := b.cfg.Store.Subscribe(4096, state.TableEvaluations, state.TableNodes, state.TableAllocations, state.TableSchedulerConfig)
	defer sub.Close()
	b.fill(view)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		again := min(b.unblock(ctx), b.cancel(ctx))
		timer.Reset(min(again, b.release(time.Now())))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-b.more:
		case <-sub.Ready():
			if err := b.drain(sub); err != nil {
				return err
			}
		}
	}
}

func (b *Broker) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reset()
}

func (b *Broker) fill(v *state.View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reset()
	b.paused = v.SchedulerConfig().PauseEvalBroker
	for x := range v.EvaluationsByStatus(api.EvalPending) {
		b.add(x)
	}
	// What was freed while nobody looked is not known: let the scheduler see
	// every blocked evaluation once more.
	b.anyFree = v.Index()
	for x := range v.EvaluationsByStatus(api.EvalBlocked) {
		b.blocked[x.ID] = x
	}
	b.signal()
}

func (b *Broker) drain(sub *state.Subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.signal()
	return sub.Each(b.change)
}

func (b *Broker) change(commit *state.Commit, c *state.Change) {
	switch c.Table {
	case state.TableEvaluations:
		old, _ := c.Old.(*api.Evaluation)
		now, _ := c.New.(*api.Evaluation)
		b.evaluation(old, now)
	case state.TableSchedulerConfig:
		if now, ok := c.New.(*api.SchedulerConfiguration); ok {
			b.paused = now.PauseEvalBroker
		}
	default:
		b.capacity(commit, c)
	}
}

// evaluation follows a change of an evaluation.
func (b *Broker) evaluation(old, now *api.Evaluation) {
	if now == nil || now.Status != api.EvalBlocked {
		id := idOf(old, now)
		delete(b.blocked, id)
		delete(b.freeing, id)
	}
	switch {
	case now == nil:
		b.remove(old)
	case now.Status == api.EvalPending:
		b.add(now)
	case now.Status == api.EvalBlocked:
		b.remove(now)
		b.blocked[now.ID] = now
	default:
		b.remove(now)
	}
}

func idOf(old, now *api.Evaluation) string {
	if now != nil {
		return now.ID
	}
	return old.ID
}

// add queues a pending evaluation.
func (b *Broker) add(x *api.Evaluation) {
	if _, superseded := b.stale[x.ID]; superseded {
		return
	}
	if old, ok := b.known[x.ID]; ok && old.WaitUntil.Equal(x.WaitUntil) {
		b.known[x.ID] = x
		return
	}
	b.known[x.ID] = x
	if x.WaitUntil.After(time.Now()) {
		heap.Push(&b.waiting, x)
		return
	}
	b.enqueue(x)
}

// release queues the evaluations whose time has come, and says how long it is
// until the next one's.
func (b *Broker) release(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		x := b.waiting[0]
		cur, ok := b.known[x.ID]
		if ok && cur.WaitUntil.Equal(x.WaitUntil) && x.WaitUntil.After(now) {
			return x.WaitUntil.Sub(now)
		}
		heap.Pop(&b.waiting)
		if ok && cur.WaitUntil.Equal(x.WaitUntil) {
			b.enqueue(cur)
			b.signal()
		}
	}
	return time.Hour
}

func (b *Broker) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Next gives up to max evaluations of different jobs, most urgent first. It
// waits until there is one. Each must be given to Done.
func (b *Broker) Next(ctx context.Context, max int) ([]*api.Evaluation, error) {
	for {
		if batch := b.TryNext(max); len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Wake returns a channel that receives when TryNext may have something.
func (b *Broker) Wake() <-chan struct{} { return b.wake }

// TryNext is Next without waiting.
func (b *Broker) TryNext(max int) []*api.Evaluation {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.paused {
		return nil
	}
	var batch []*api.Evaluation
	for len(batch) < max {
		b.turn++
		e := b.ready.pop(b.turn)
		if e == nil {
			break
		}
		cur, ok := b.known[e.eval.ID]
		if !ok {
			continue // of no job, and removed
		}
		if s := b.slots[keyOf(cur)]; s != nil && s.queued == e {
			s.queued, s.out = nil, cur.ID
		}
		b.out[cur.ID] = true
		batch = append(batch, cur)
	}
	return batch
}

// Done gives an evaluation back that was not brought to an end, so that it is
// looked at again. One that has ended in the store needs no Done.
func (b *Broker) Done(x *api.Evaluation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.out[x.ID] {
		return
	}
	delete(b.out, x.ID)
	b.next(x)
	if cur, ok := b.known[x.ID]; ok {
		b.enqueue(cur)
	}
	b.signal()
}

// RoomReturned notes that the room of plans that were not accepted is free
// again. What was found to have no room meanwhile is looked at once more.
func (b *Broker) RoomReturned() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.given = b.cfg.Store.View().Index()
	b.nudge()
}

// nudge has Run look whether there is something to do.
func (b *Broker) nudge() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// Stats tells what the broker holds.
func (b *Broker) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{Ready: b.ready.count, Unacked: len(b.out), Waiting: len(b.waiting), Blocked: len(b.blocked)}
	for _, x := range b.slots {
		if x.next != nil {
			s.Pending++
		}
	}
	for _, x := range b.blocked {
		if x.EscapedComputedClass {
			s.Escaped++
		}
	}
	return s
}
