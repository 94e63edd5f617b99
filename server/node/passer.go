package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
)

const (
	// parallelPasses is how many calls with updates are on their way to the leader
	// at the same time; what comes meanwhile goes together with the next. Nothing
	// waits otherwise.
	parallelPasses = 2
	// updateTimeout is how long the leader may take to make them durable.
	updateTimeout = 30 * time.Second
	// parallelSingles is how many updates go at the same time to a leader that
	// takes them one by one.
	parallelSingles = 16
)

// passer gathers the updates of allocations that come to a server which does not
// lead: each in a call of its own would cost both servers more than what is in it.
type passer struct {
	pass func(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error)
	wake chan struct{}

	mu      sync.Mutex
	pending []*passedUpdate
	ended   bool
}

type passedUpdate struct {
	req  *api.AllocUpdateRequest
	done chan error
	gone bool // nobody waits for it any more; guarded by passer.mu
}

func newPasser(pass func(context.Context, []*api.AllocUpdateRequest) ([]error, error)) *passer {
	return &passer{pass: pass, wake: make(chan struct{}, 1)}
}

// update passes one on and waits until the leader has it in the log.
func (p *passer) update(ctx context.Context, req *api.AllocUpdateRequest) error {
	u := &passedUpdate{req: req, done: make(chan error, 1)}
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return errStopping()
	}
	p.pending = append(p.pending, u)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		p.mu.Lock()
		u.gone = true
		p.mu.Unlock()
		return ctx.Err()
	}
}

// run sends what has gathered, until ctx ends.
func (p *passer) run(ctx context.Context) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	defer p.end()
	free := make(chan struct{}, parallelPasses)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		}
		for more := true; more; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case free <- struct{}{}:
			}
			var batch []*passedUpdate
			if batch, more = p.take(); len(batch) == 0 {
				<-free
				break
			}
			calls.Go(func() {
				defer func() { <-free }()
				p.send(ctx, batch)
			})
		}
	}
}

// take gives as many updates as one entry of the log takes, and says whether
// there are more.
func (p *passer) take() (batch []*passedUpdate, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = slices.DeleteFunc(p.pending, func(u *passedUpdate) bool { return u.gone })
	n, total := 0, 0
	for n < len(p.pending) && (n == 0 || total+len(p.pending[n].req.Allocs) <= maxUpdates) {
		total += len(p.pending[n].req.Allocs)
		n++
	}
	batch = p.pending[:n:n]
	if p.pending = p.pending[n:]; len(p.pending) == 0 {
		p.pending = nil
	}
	return batch, len(p.pending) > 0
}

func (p *passer) send(ctx context.Context, batch []*passedUpdate) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	reqs := make([]*api.AllocUpdateRequest, len(batch))
	for i, u := range batch {
		reqs[i] = u.req
	}
	failed, err := p.pass(ctx, reqs)
	if err == nil && len(failed) != len(batch) {
		err = api.Errorf(api.ErrUnavailable, "the leader answered %d of %d updates", len(failed), len(batch))
	}
	for i, u := range batch {
		if err != nil {
			u.done <- err
		} else {
			u.done <- failed[i]
		}
	}
}

// end refuses what still waits.
func (p *passer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, u := range p.pending {
		u.done <- errStopping()
	}
	p.pending = nil
}

// passUpdates sends updates to the leader. It may be this server by now.
func (s *Service) passUpdates(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
	peer, err := s.leader(ctx)
	if err != nil {
		return nil, err
	}
	if peer == nil {
		return s.updateMany(ctx, reqs), nil
	}
	failed, err := peer.UpdateMany(ctx, reqs)
	if errors.Is(err, api.ErrNotFound) { // a leader of an older version, during an upgrade
		return oneByOne(ctx, peer, reqs), nil
	}
	return failed, err
}

func oneByOne(ctx context.Context, peer Peer, reqs []*api.AllocUpdateRequest) []error {
	failed := make([]error, len(reqs))
	var g errgroup.Group
	g.SetLimit(parallelSingles)
	for i, req := range reqs {
		g.Go(func() error {
			failed[i] = peer.UpdateAllocs(ctx, req)
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return failed
}

// UpdateMany takes over what another server passes on of several nodes. Each
// node's secret speaks for itself. It returns when all of it is durable.
func (s *Service) UpdateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if peer, err := s.leader(ctx); err != nil {
		return nil, err
	} else if peer != nil {
		return nil, api.Errorf(api.ErrNoLeader, "updates of allocations: this server does not lead any more")
	}
	return s.updateMany(ctx, reqs), nil
}

func (s *Service) updateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) []error {
	failed := make([]error, len(reqs))
	view := s.Store.View()
	var all []*api.Allocation
	for i, req := range reqs {
		if failed[i] = allowed(view, req); failed[i] == nil {
			all = append(all, req.Allocs...)
		}
	}
	if len(all) == 0 {
		return failed
	}
	err := s.updater.update(ctx, all)
	for i := range failed {
		if failed[i] == nil {
			failed[i] = err
		}
	}
	return failed
}
