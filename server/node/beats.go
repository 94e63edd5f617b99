package node

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
)

const (
	// beatsEvery is how long a heartbeat that changes nothing waits for others to
	// go to the leader with.
	beatsEvery = 200 * time.Millisecond
	// maxBeats is how many heartbeats one call carries.
	maxBeats = 1000
	// passTimeout is how long the leader may take to answer them.
	passTimeout = 10 * time.Second
	// parallelBeats is how many of those that change a node's status wait for the
	// log at the same time.
	parallelBeats = 64
)

// beats gathers the heartbeats that come to a server which does not lead.
type beats struct {
	pass func(ctx context.Context, beats []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error)
	wake chan struct{}

	mu      sync.Mutex
	pending []pendingBeat
	urgent  bool // one of them is not to wait
	ended   bool
}

type pendingBeat struct {
	req  *api.NodeHeartbeatRequest
	done chan api.NodeHeartbeatAnswer
}

func newBeats(pass func(context.Context, []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error)) *beats {
	return &beats{pass: pass, wake: make(chan struct{}, 1)}
}

// beat passes one on and waits for its answer.
func (b *beats) beat(ctx context.Context, req *api.NodeHeartbeatRequest, urgent bool) (*api.NodeRegisterResponse, error) {
	p := pendingBeat{req, make(chan api.NodeHeartbeatAnswer, 1)}
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return nil, errStopping()
	}
	first := len(b.pending) == 0
	b.pending = append(b.pending, p)
	hurry := urgent && !b.urgent || len(b.pending) == maxBeats
	b.urgent = b.urgent || urgent
	b.mu.Unlock()
	if first || hurry {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	select {
	case a := <-p.done:
		if a.Err != nil {
			return nil, a.Err
		}
		return &a.NodeRegisterResponse, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func errStopping() error { return api.Errorf(api.ErrUnavailable, "the server is stopping") }

// run sends what has gathered, until ctx ends. Several calls may be on their way.
func (b *beats) run(ctx context.Context) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	defer b.end()
	timer := time.NewTimer(beatsEvery)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.wake:
			if b.hurries() {
				break
			}
			timer.Reset(beatsEvery)
			continue
		case <-timer.C:
		}
		for batch := b.take(); len(batch) > 0; batch = b.take() {
			calls.Go(func() { b.send(ctx, batch) })
		}
	}
}

func (b *beats) hurries() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.urgent || len(b.pending) >= maxBeats
}

func (b *beats) take() []pendingBeat {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.pending), maxBeats)
	batch := b.pending[:n:n]
	b.pending = b.pending[n:]
	if len(b.pending) == 0 {
		b.pending, b.urgent = nil, false
	}
	return batch
}

func (b *beats) send(ctx context.Context, batch []pendingBeat) {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	list := make([]*api.NodeHeartbeatRequest, len(batch))
	for i, p := range batch {
		list[i] = p.req
	}
	answers, err := b.pass(ctx, list)
	if err == nil && len(answers) != len(batch) {
		err = api.Errorf(api.ErrUnavailable, "the leader answered %d of %d heartbeats", len(answers), len(batch))
	}
	for i, p := range batch {
		if err != nil {
			p.done <- api.NodeHeartbeatAnswer{Err: err}
		} else {
			p.done <- answers[i]
		}
	}
}

// end refuses what still waits.
func (b *beats) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, p := range b.pending {
		p.done <- api.NodeHeartbeatAnswer{Err: errStopping()}
	}
	b.pending = nil
}

// passBeat has the leader note a heartbeat. One that changes the node's status
// goes at once.
func (s *Service) passBeat(ctx context.Context, req *api.NodeHeartbeatRequest) (*api.NodeRegisterResponse, error) {
	n, ok := s.Store.View().Node(req.NodeID)
	return s.beats.beat(ctx, req, !ok || n.Status != req.Status)
}

// passBeats sends heartbeats to the leader. It may be this server by now.
func (s *Service) passBeats(ctx context.Context, list []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
	peer, err := s.leader(ctx)
	if err != nil {
		return nil, err
	}
	if peer == nil {
		return s.note(ctx, list), nil
	}
	return peer.Heartbeats(ctx, list)
}

// Heartbeats answers those that another server passes on. Each node's secret
// speaks for itself.
func (s *Service) Heartbeats(ctx context.Context, list []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if len(list) > maxBeats {
		return nil, api.Errorf(api.ErrTooLarge, "%d heartbeats in one call; at most %d are taken", len(list), maxBeats)
	}
	if peer, err := s.leader(ctx); err != nil {
		return nil, err
	} else if peer != nil {
		return nil, api.Errorf(api.ErrNoLeader, "heartbeats: this server does not lead any more")
	}
	return s.note(ctx, list), nil
}

func (s *Service) note(ctx context.Context, list []*api.NodeHeartbeatRequest) []api.NodeHeartbeatAnswer {
	answers := make([]api.NodeHeartbeatAnswer, len(list))
	var g errgroup.Group
	g.SetLimit(parallelBeats)
	for i, req := range list {
		g.Go(func() error {
			if req == nil {
				answers[i].Err = api.Errorf(api.ErrInvalid, "heartbeat %d is empty", i)
				return nil
			}
			resp, err := s.heartbeat(ctx, req)
			if err != nil {
				answers[i].Err = err
				return nil
			}
			answers[i].NodeRegisterResponse = *resp
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return answers
}
