package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
)

// passing runs a test with heartbeats that are passed on to pass.
func passing(t *testing.T, pass func([]*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error), test func(t *testing.T, b *beats)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeats(func(_ context.Context, list []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
			return pass(list)
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.run(ctx) }()
		test(t, b)
		cancel()
		<-done
		if _, err := b.beat(t.Context(), &api.NodeHeartbeatRequest{}, false); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestHeartbeatsGoTogether(t *testing.T) {
	var calls, beatsSeen atomic.Int32
	pass := func(list []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
		calls.Add(1)
		beatsSeen.Add(int32(len(list)))
		out := make([]api.NodeHeartbeatAnswer, len(list))
		for i, x := range list {
			if x.NodeID == "n7" {
				out[i].Err = api.Errorf(api.ErrDenied, "no")
			} else {
				out[i].Index = uint64(len(x.NodeID))
			}
		}
		return out, nil
	}
	passing(t, pass, func(t *testing.T, b *beats) {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				id := fmt.Sprint("n", i)
				resp, err := b.beat(t.Context(), &api.NodeHeartbeatRequest{NodeID: id}, false)
				if denied := errors.Is(err, api.ErrDenied); denied != (id == "n7") || !denied && (err != nil || resp.Index != uint64(len(id))) {
					t.Errorf("%s got %+v, %v", id, resp, err)
				}
			})
		}
		all.Wait()
	})
	if calls.Load() != 1 || beatsSeen.Load() != 100 {
		t.Errorf("%d heartbeats in %d calls", beatsSeen.Load(), calls.Load())
	}
}

func TestUrgentHeartbeatGoesAtOnce(t *testing.T) {
	pass := func(list []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
		return make([]api.NodeHeartbeatAnswer, len(list)), nil
	}
	passing(t, pass, func(t *testing.T, b *beats) {
		for _, urgent := range []bool{false, true, false} {
			begin := time.Now()
			if _, err := b.beat(t.Context(), &api.NodeHeartbeatRequest{}, urgent); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); (took == 0) != urgent || took > beatsEvery {
				t.Errorf("urgent: %t, took %s", urgent, took)
			}
		}
	})
}

func TestHeartbeatsAreRefusedTogether(t *testing.T) {
	for name, pass := range map[string]func([]*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error){
		"error": func([]*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
			return nil, api.Errorf(api.ErrUnavailable, "gone")
		},
		"too few": func([]*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) { return nil, nil },
	} {
		passing(t, pass, func(t *testing.T, b *beats) {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if _, err := b.beat(t.Context(), &api.NodeHeartbeatRequest{}, false); !errors.Is(err, api.ErrUnavailable) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
		})
	}
}
