package heartbeat

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// fleet is nodes of which some are silent.
type fleet struct {
	m     *Monitor
	log   *directLog
	count int
}

// runFleet runs a test with n nodes, all registered and heard, and a brake of
// 40 % within a minute, from 10 nodes on.
func runFleet(t *testing.T, n int, test func(t *testing.T, f *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		store := state.New()
		l := &directLog{fsm: fsm.New(store), index: 10}
		m := New(Config{
			Store: store, Log: l, Logger: slog.New(slog.DiscardHandler), MinTTL: 10 * time.Second, Grace: 10 * time.Second, Failover: time.Minute, MaxPerSec: 1000,
			Brake: Brake{Share: 0.4, Window: time.Minute, Least: 10},
		})
		for i := range n {
			register(t, l, node(i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		test(t, &fleet{m, l, n})
		cancel()
		<-done
	})
}

func node(i int) string { return uuid(fmt.Sprintf("%08d", i)) }

// live lets time pass in which all nodes but the silent ones are heard; those
// that were given up come back as a client does.
func (f *fleet) live(t *testing.T, d time.Duration, silent func(i int) bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Second) {
		for i := range f.count {
			if silent(i) {
				continue
			}
			if n, _ := f.log.fsm.Store().View().Node(node(i)); n.Status != api.NodeStatusReady {
				if _, _, err := f.log.Apply(t.Context(), &fsm.NodeStatus{Updates: []fsm.NodeStatusUpdate{{NodeID: n.ID, Status: api.NodeStatusReady}}}); err != nil {
					t.Fatal(err)
				}
			}
			f.m.Beat(node(i))
		}
	}
	synctest.Wait()
}

func (f *fleet) down() (n int) {
	for x := range f.log.fsm.Store().View().Nodes() {
		if x.Status == api.NodeStatusDown {
			n++
		}
	}
	return n
}

func first(n int) func(int) bool { return func(i int) bool { return i < n } }

func TestFewSilentNodesAreGivenUp(t *testing.T) {
	runFleet(t, 50, func(t *testing.T, f *fleet) {
		f.live(t, time.Minute, first(0))
		f.live(t, 2*time.Minute, first(20))
		if f.down() != 20 || f.m.BrakeState().Holds {
			t.Errorf("%d of 50 nodes are down, %+v", f.down(), f.m.BrakeState())
		}
	})
}

func TestASmallFleetHasNoBrake(t *testing.T) {
	runFleet(t, 9, func(t *testing.T, f *fleet) {
		f.live(t, 3*time.Minute, first(9))
		if f.down() != 9 {
			t.Errorf("%d of 9 nodes are down", f.down())
		}
	})
}

func TestManySilentNodesAreHeld(t *testing.T) {
	runFleet(t, 50, func(t *testing.T, f *fleet) {
		f.live(t, time.Minute, first(0))
		f.live(t, 10*time.Minute, first(40))
		b := f.m.BrakeState()
		if f.down() > 20 || !b.Holds || b.Held+b.GivenUp != 40 || len(b.Nodes) != b.Held || b.Since == nil {
			t.Fatalf("%d of 50 nodes are down, %+v", f.down(), b)
		}
		// They come back, and nothing is held, nor anybody down.
		f.live(t, 2*time.Minute, first(0))
		if b := f.m.BrakeState(); b.Holds || b.Held != 0 || b.GivenUp != 0 || f.down() != 0 {
			t.Errorf("%d nodes are down, %+v", f.down(), b)
		}
	})
}

// TestHeldNodesAreGivenUpWhenFewAreLeft has most of them come back.
func TestHeldNodesAreGivenUpWhenFewAreLeft(t *testing.T) {
	runFleet(t, 50, func(t *testing.T, f *fleet) {
		f.live(t, time.Minute, first(0))
		f.live(t, 5*time.Minute, first(40))
		f.live(t, 2*time.Minute, first(15))
		if b := f.m.BrakeState(); b.Holds || f.down() != 15 {
			t.Errorf("%d nodes are down, %+v", f.down(), b)
		}
	})
}

func TestOperatorReleasesTheBrake(t *testing.T) {
	runFleet(t, 50, func(t *testing.T, f *fleet) {
		f.live(t, time.Minute, first(0))
		f.live(t, 5*time.Minute, first(40))
		f.m.Release()
		f.live(t, 2*time.Minute, first(40))
		if b := f.m.BrakeState(); b.Holds || f.down() != 40 {
			t.Errorf("%d nodes are down, %+v", f.down(), b)
		}
	})
}

// TestANewLeaderHolds has all nodes silent for the failover time.
func TestANewLeaderHolds(t *testing.T) {
	runFleet(t, 50, func(t *testing.T, f *fleet) {
		f.live(t, 5*time.Minute, first(50))
		if b := f.m.BrakeState(); !b.Holds || f.down() != 0 || b.Held != 50 {
			t.Errorf("%d nodes are down, %+v", f.down(), b)
		}
	})
}
