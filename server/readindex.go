package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
)

const (
	// askTimeout is how long the leader may take to say how far it is.
	askTimeout = 2 * time.Second
	// parallelAsks is how many such calls are under way at the most; reads that
	// come meanwhile share the next.
	parallelAsks = 2
	// catchUpWait is how long a read waits for this server to get as far as the
	// leader; then the leader had better answer.
	catchUpWait = 100 * time.Millisecond
)

// caughtUp is in the context of a read that this server may answer although it
// does not lead.
type caughtUp struct {
	at time.Time // when the leader said how far it was
}

type caughtUpKey struct{}

// CatchUp has this server know what the leader knew when it was asked, so that a
// read which is not stale can be answered here: with the context that it gives.
// ok is false when the read is for the leader, which may be this server. For
// consistent the leader asks a majority whether it still leads. An error of kind
// api.ErrNoLeader says that there is none.
func (s *Server) CatchUp(ctx context.Context, consistent bool) (_ context.Context, ok bool, err error) {
	if s.leading() || s.cfg.Peer == nil {
		return ctx, false, nil
	}
	select {
	case <-s.ready:
	default:
		return ctx, false, nil
	}
	if address, err := s.Route(ctx); err != nil || address == "" {
		return ctx, false, err
	}
	at := time.Now()
	if !s.confirm(ctx, consistent) {
		return ctx, false, nil
	}
	return context.WithValue(ctx, caughtUpKey{}, caughtUp{at}), true, nil
}

// confirm asks the leader how far it is and waits until this server has got there.
func (s *Server) confirm(ctx context.Context, consistent bool) bool {
	a := &s.asks
	if consistent {
		a = &s.strictAsks
	}
	index, err := a.ask(ctx, func(ctx context.Context) (uint64, error) { return s.askIndex(ctx, consistent) })
	if err != nil {
		return false
	}
	if s.store.View().Index() >= index {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpWait)
	defer cancel()
	_, err = s.store.WaitIndex(ctx, index)
	return err == nil
}

func (s *Server) askIndex(ctx context.Context, verify bool) (uint64, error) {
	address, err := s.Route(ctx)
	if err != nil {
		return 0, err
	}
	if address == "" {
		return 0, api.Errorf(api.ErrNoLeader, "this server leads by now")
	}
	got, err := s.cfg.Peer(address).ReadIndex(ctx, &api.ReadIndexRequest{Verify: verify})
	if err != nil {
		return 0, err
	}
	return got.Index, nil
}

// ReadIndex says how far this server is, which has to lead: what was acknowledged
// before it was asked is part of that.
func (s *Server) ReadIndex(ctx context.Context, req *api.ReadIndexRequest) (*api.ReadIndex, error) {
	if !s.leading() {
		return nil, api.Errorf(api.ErrNoLeader, "read index: this server does not lead any more")
	}
	if req.Verify {
		if err := s.raft.VerifyLeader(ctx); err != nil {
			return nil, err
		}
	}
	return &api.ReadIndex{Index: s.raft.ReadIndex()}, nil
}

// errLost ends reads that wait for a change at a server which hears no leader.
var errLost = errors.New("the leader is not heard")

// handleCaughtUp answers a read from what this server has, which is as new as
// what the leader had after the read came. One that waits for a change ends when
// the leader is lost, and asks once more before it says that there was none.
func (s *Server) handleCaughtUp(ctx context.Context, up caughtUp, op *api.Endpoint, req any, q api.QueryOptions) (any, api.Meta, error) {
	outer := ctx
	if q.Index > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		stop := context.AfterFunc(s.standing.alone(), func() { cancel(errLost) })
		defer stop()
	}
	resp, meta, err := s.endpoints.Handle(ctx, op, req)
	if err != nil && outer.Err() == nil && errors.Is(context.Cause(ctx), errLost) {
		return nil, api.Meta{}, api.Errorf(api.ErrNoLeader, "No cluster leader")
	}
	if outer.Err() == nil && q.Index > 0 && meta.Index <= q.Index {
		up.at = time.Now()
		if !s.confirm(ctx, q.Consistent) {
			return nil, api.Meta{}, api.Errorf(api.ErrNoLeader, "the leader cannot be asked whether anything has changed")
		}
	}
	meta.KnownLeader = s.Leader() != ""
	if q.Index > 0 && !s.raft.Leader() {
		heard := s.raft.LastContact()
		if heard.Before(up.at) {
			heard = up.at
		}
		meta.LastContact = api.Duration(time.Since(heard))
	}
	return resp, meta, err
}

// asks shares calls to the leader between reads: one answers all that came before
// it was sent. The zero value is ready.
type asks struct {
	mu     sync.Mutex
	next   *asked // not sent yet; nil: nobody waits
	flying int
}

type asked struct {
	done  chan struct{} // closed when the rest is there
	index uint64
	err   error
}

func (a *asks) ask(ctx context.Context, call func(context.Context) (uint64, error)) (uint64, error) {
	a.mu.Lock()
	q := a.next
	if q == nil {
		q = &asked{done: make(chan struct{})}
		a.next = q
		if a.flying < parallelAsks {
			a.flying++
			go a.fly(call)
		}
	}
	a.mu.Unlock()
	select {
	case <-q.done:
		return q.index, q.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// fly asks for as long as somebody waits. Each call has its own time: whoever
// began it may be gone.
func (a *asks) fly(call func(context.Context) (uint64, error)) {
	for {
		a.mu.Lock()
		q := a.next
		a.next = nil
		if q == nil {
			a.flying--
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		q.index, q.err = call(ctx)
		cancel()
		close(q.done)
	}
}
