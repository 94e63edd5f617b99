package heartbeat

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

type directLog struct {
	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
}

func (l *directLog) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	l.index++
	result, err := l.fsm.Apply(l.index, entry)
	return result, l.index, err
}

func register(t *testing.T, l *directLog, id string) {
	t.Helper()
	if _, _, err := l.Apply(t.Context(), &fsm.NodeRegister{Node: &api.Node{ID: id, Status: api.NodeStatusReady}}); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, before func(*directLog), test func(t *testing.T, m *Monitor, l *directLog, status func(id string) string)) {
	synctest.Test(t, func(t *testing.T) {
		store := state.New()
		l := &directLog{fsm: fsm.New(store), index: 10}
		if before != nil {
			before(l)
		}
		m := New(Config{Store: store, Log: l, Logger: slog.New(slog.DiscardHandler), MinTTL: 10 * time.Second, Grace: 10 * time.Second, Failover: 5 * time.Minute, MaxPerSec: 50})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		test(t, m, l, func(id string) string {
			synctest.Wait()
			n, ok := store.View().Node(id)
			if !ok {
				return "gone"
			}
			return n.Status
		})
		cancel()
		<-done
	})
}

func TestSilentNodeGoesDown(t *testing.T) {
	run(t, nil, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		register(t, l, "n1")
		register(t, l, "n2")
		for range 20 { // n2 is heard, n1 is not
			synctest.Wait()
			if ttl := m.Beat("n2"); ttl < 10*time.Second || ttl > 15*time.Second {
				t.Errorf("TTL %v", ttl)
			}
			time.Sleep(5 * time.Second)
		}
		if got := status("n1"); got != api.NodeStatusDown {
			t.Errorf("n1 is %s after 100 s of silence", got)
		}
		if got := status("n2"); got != api.NodeStatusReady {
			t.Errorf("n2 is %s", got)
		}
	})
}

func TestNodeHasTTLAndGrace(t *testing.T) {
	run(t, nil, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		register(t, l, "n1")
		synctest.Wait()
		ttl := m.Beat("n1")
		time.Sleep(ttl + 9*time.Second)
		if got := status("n1"); got != api.NodeStatusReady {
			t.Errorf("n1 is %s within the grace", got)
		}
		time.Sleep(2 * time.Second)
		if got := status("n1"); got != api.NodeStatusDown {
			t.Errorf("n1 is %s after the grace", got)
		}
	})
}

// A new leader does not know when the nodes were heard.
func TestNewLeaderGivesTime(t *testing.T) {
	run(t, func(l *directLog) { register(t, l, "n1") }, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		time.Sleep(4 * time.Minute)
		if got := status("n1"); got != api.NodeStatusReady {
			t.Errorf("n1 is %s after 4 minutes of a new leader", got)
		}
		time.Sleep(2 * time.Minute)
		if got := status("n1"); got != api.NodeStatusDown {
			t.Errorf("n1 is %s after 6 minutes", got)
		}
	})
}

func TestManyNodesBeatLessOften(t *testing.T) {
	m := New(Config{MinTTL: 10 * time.Second, MaxPerSec: 50})
	m.running = true
	for i := range 5000 {
		m.deadline[string(rune(i))] = time.Now()
	}
	if ttl := m.Beat("x"); ttl < 100*time.Second {
		t.Errorf("5000 nodes beat every %v: more than 50 a second", ttl)
	}
}
