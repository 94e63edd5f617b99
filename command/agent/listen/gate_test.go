package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

// TestGate has more come at once than there are places.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := make(gate, 4)
		var in atomic.Int32
		for range 10 {
			go func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
				}
				in.Add(1)
			}()
		}
		for _, want := range []int32{4, 8, 10} {
			synctest.Wait()
			if got := in.Load(); got != want {
				t.Errorf("%d are in, not %d", got, want)
			}
			time.Sleep(gateHold)
		}
		for range 4 {
			_ = g.enter(t.Context())
		}
		ctx, cancel := context.WithTimeout(t.Context(), gateHold/2)
		defer cancel()
		if err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beyond its time: %v", err)
		}
		time.Sleep(gateHold)
	})
}

// TestRaftPassesTheGate, which is full.
func TestRaftPassesTheGate(t *testing.T) {
	g := make(gate, 1)
	g <- struct{}{}
	chosen := 0
	c := g.guarding(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		chosen++
		return nil, nil
	}})
	if _, err := c.GetConfigForClient(&tls.ClientHelloInfo{SupportedProtos: []string{tlsx.ProtoRaft}}); err != nil || chosen != 1 {
		t.Errorf("chosen %d times, %v", chosen, err)
	}
}
