package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seraihq/serai/api"
)

// updating runs a test with updates that are passed on to pass.
func updating(t *testing.T, pass func(context.Context, []*api.AllocUpdateRequest) ([]error, error), test func(t *testing.T, p *passer)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasser(pass)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.run(ctx) }()
		test(t, p)
		cancel()
		<-done
		if err := p.update(t.Context(), &api.AllocUpdateRequest{}); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func updateOf(n int) *api.AllocUpdateRequest {
	return &api.AllocUpdateRequest{NodeID: fmt.Sprint("n", n), Allocs: []*api.Allocation{{ID: id(n)}}}
}

// TestUpdatesGatherWhileOthersAreOnTheirWay: the first go at once, and those that
// come meanwhile together; each gets the answer that is its own.
func TestUpdatesGatherWhileOthersAreOnTheirWay(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	var hold chan struct{}
	pass := func(_ context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
		mu.Lock()
		sizes = append(sizes, len(reqs))
		mu.Unlock()
		<-hold
		out := make([]error, len(reqs))
		for i, req := range reqs {
			if req.NodeID == "n7" {
				out[i] = api.Errorf(api.ErrDenied, "no")
			}
		}
		return out, nil
	}
	updating(t, pass, func(t *testing.T, p *passer) {
		var all sync.WaitGroup
		hold = make(chan struct{}) // of the bubble
		for n := range 100 {
			all.Go(func() {
				if err := p.update(t.Context(), updateOf(n)); errors.Is(err, api.ErrDenied) != (n == 7) || err != nil && n != 7 {
					t.Errorf("node %d got %v", n, err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if err := p.update(ctx, updateOf(200)); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(hold)
		all.Wait()
	})
	if want := []int{1, 1, 98}; fmt.Sprint(sizes) != fmt.Sprint(want) {
		t.Errorf("calls of %v updates, want %v", sizes, want)
	}
}

func TestCallsOfUpdatesAreBounded(t *testing.T) {
	var mu sync.Mutex
	var hold chan struct{}
	most := 0
	pass := func(_ context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
		<-hold
		n := 0
		for _, req := range reqs {
			n += len(req.Allocs)
		}
		mu.Lock()
		defer mu.Unlock()
		most = max(most, n)
		return make([]error, len(reqs)), nil
	}
	updating(t, pass, func(t *testing.T, p *passer) {
		var all sync.WaitGroup
		hold = make(chan struct{})
		for range 3 * maxUpdates / 1000 {
			all.Go(func() {
				if err := p.update(t.Context(), &api.AllocUpdateRequest{Allocs: make([]*api.Allocation, 1000)}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(hold)
		all.Wait()
	})
	if most == 0 || most > maxUpdates {
		t.Errorf("one call had %d allocations", most)
	}
}

func TestUpdatesAreRefusedTogether(t *testing.T) {
	for name, answer := range map[string]error{"error": api.Errorf(api.ErrUnavailable, "gone"), "too few": nil} {
		pass := func(context.Context, []*api.AllocUpdateRequest) ([]error, error) { return nil, answer }
		updating(t, pass, func(t *testing.T, p *passer) {
			if err := p.update(t.Context(), updateOf(1)); !errors.Is(err, api.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// older is a leader that takes updates one by one.
type older struct {
	Peer
	mu   sync.Mutex
	seen int
}

func (o *older) UpdateMany(context.Context, []*api.AllocUpdateRequest) ([]error, error) {
	return nil, api.Errorf(api.ErrNotFound, "this server knows no call /rpc/node/updates; is it of an older version?")
}

func (o *older) UpdateAllocs(_ context.Context, req *api.AllocUpdateRequest) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen++; req.NodeID == "n1" {
		return api.Errorf(api.ErrInvalid, "no")
	}
	return nil
}

type led struct {
	alone
	by Peer
}

func (led) Route(context.Context) (string, error) { return "leader", nil }
func (l led) Peer(string) Peer                    { return l.by }

func TestAnOlderLeaderTakesUpdatesOneByOne(t *testing.T) {
	o := &older{}
	s := New(Config{Cluster: led{by: o}})
	failed, err := s.passUpdates(t.Context(), []*api.AllocUpdateRequest{updateOf(0), updateOf(1), updateOf(2)})
	if err != nil || o.seen != 3 || failed[0] != nil || !errors.Is(failed[1], api.ErrInvalid) || failed[2] != nil {
		t.Errorf("%d seen; %v, %v", o.seen, failed, err)
	}
}

// TestManyNodesAtOnce: what one may not say does not keep the others' from being
// taken, in one entry of the log.
func TestManyNodesAtOnce(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.register(2)
		b.place(0, 3)
		say := func(node int, secret api.Sensitive, alloc int, status string) *api.AllocUpdateRequest {
			return &api.AllocUpdateRequest{NodeID: id(node), SecretID: secret, Allocs: []*api.Allocation{{ID: id(1000 + alloc), ClientStatus: status}}}
		}
		failed, err := b.node.UpdateMany(b.t.Context(), []*api.AllocUpdateRequest{
			say(1, "secret1", 0, api.AllocClientRunning), say(1, "wrong", 1, api.AllocClientRunning), say(2, "secret2", 1, api.AllocClientRunning),
			say(1, "secret1", 1, api.AllocClientLost), say(9, "x", 1, api.AllocClientRunning), say(1, "secret1", 2, api.AllocClientFailed),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, kind := range []error{nil, api.ErrDenied, api.ErrDenied, api.ErrInvalid, api.ErrNotFound, nil} {
			if kind == nil && failed[i] != nil || !errors.Is(failed[i], kind) {
				t.Errorf("update %d: %v, want %v", i, failed[i], kind)
			}
		}
		for i, want := range []string{api.AllocClientRunning, api.AllocClientPending, api.AllocClientFailed} {
			if a, _ := b.store.View().Allocation(id(1000 + i)); a.ClientStatus != want {
				t.Errorf("allocation %d is %s, want %s", i, a.ClientStatus, want)
			}
		}
		if n := b.count["*fsm.AllocUpdate"]; n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}
