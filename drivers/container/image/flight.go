package image

import (
	"context"
	"errors"
	"sync"
)

// errAbandoned ends a flight that nobody waits for any more.
var errAbandoned = errors.New("nobody waits for it any more")

// flights lets those who want the same thing at the same time share one making
// of it. The making goes on as long as one of them waits.
type flights[K comparable, V any] struct {
	mu  sync.Mutex // guards all
	all map[K]*flight[V]
	// last, when set, is given what was made when the last who waited for it has left.
	last func(V)
}

// making makes what a flight is for.
type making[V any] func(context.Context, *meter) (V, error)

type flight[V any] struct {
	meter   *meter
	waiters int
	made    bool
	cancel  context.CancelCauseFunc
	done    chan struct{}
	value   V
	err     error
}

// do gives what work makes, or what a work for the same key that is under way
// makes; joined tells that it was another's. The context of work keeps the values
// of ctx, and ends when all who wait have left. watch is told the meter of it.
// leave, which is never nil, is to be called when the value is not needed any more.
func (g *flights[K, V]) do(ctx context.Context, key K, watch func(*meter), work making[V]) (v V, joined bool, leave func(), err error) {
	if ctx.Err() != nil { // a quick work would else be as ready as the end of ctx
		return v, false, func() {}, context.Cause(ctx)
	}
	f, joined := g.join(ctx, key, work)
	watch(f.meter)
	select {
	case <-f.done:
		return f.value, joined, func() { g.leave(f) }, f.err
	case <-ctx.Done():
		if g.leave(f) {
			<-f.done // the last one out sees that nothing goes on behind its back
		}
		return v, joined, func() {}, context.Cause(ctx)
	}
}

func (g *flights[K, V]) join(ctx context.Context, key K, work making[V]) (*flight[V], bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.all[key]; ok && f.waiters > 0 {
		f.waiters++
		return f, true
	}
	if g.all == nil {
		g.all = map[K]*flight[V]{}
	}
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f := &flight[V]{meter: &meter{}, waiters: 1, cancel: cancel, done: make(chan struct{})}
	g.all[key] = f
	go func() {
		f.value, f.err = work(own, f.meter)
		g.mu.Lock()
		if g.all[key] == f {
			delete(g.all, key)
		}
		f.made = true
		left := f.waiters == 0
		g.mu.Unlock()
		if left && g.last != nil {
			g.last(f.value)
		}
		close(f.done)
		cancel(nil)
	}()
	return f, false
}

// leave says that one waiter is gone, and whether it was the last.
func (g *flights[K, V]) leave(f *flight[V]) bool {
	g.mu.Lock()
	f.waiters--
	last, made := f.waiters == 0, f.made
	g.mu.Unlock()
	switch {
	case last && !made:
		f.cancel(errAbandoned)
	case last && g.last != nil:
		g.last(f.value)
	}
	return last
}
