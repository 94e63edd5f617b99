package heartbeat

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// relay is servers that lead one after the other, over one state.
type relay struct {
	t     *testing.T
	l     *directLog
	store *state.Store
	term  uint64
}

func withRelay(t *testing.T, test func(*relay)) {
	synctest.Test(t, func(t *testing.T) {
		store := state.New()
		test(&relay{t: t, store: store, l: &directLog{fsm: fsm.New(store), index: 10}})
	})
}

func (r *relay) server() *Monitor {
	return New(Config{Store: r.store, Log: r.l, Logger: slog.New(slog.DiscardHandler), MinTTL: 10 * time.Second, Grace: 10 * time.Second, Failover: 5 * time.Minute, MaxPerSec: 50})
}

// lead has a server lead until end is called, and tell others as often as a leader
// does.
func (r *relay) lead(m *Monitor, others ...*Monitor) (end func()) {
	r.term++
	term := r.term
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{}, 2)
	go func() {
		_ = m.Run(ctx)
		done <- struct{}{}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(ShareEvery):
			}
			for _, part := range m.Shared(term) {
				for _, o := range others {
					if err := o.Learn(part); err != nil {
						r.t.Error(err)
					}
				}
			}
		}
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-done
		<-done
	}
}

// live lets time pass in which these nodes are heard.
func (r *relay) live(m *Monitor, d time.Duration, nodes ...string) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		for _, id := range nodes {
			m.Beat(id)
		}
	}
	synctest.Wait()
}

func (r *relay) status(id string) string {
	n, _ := r.store.View().Node(id)
	return n.Status
}

// TestSilenceIsCountedOverLeaders has a node fall silent, and the leader change: it
// does not get the failover time again, nor with every further change.
func TestSilenceIsCountedOverLeaders(t *testing.T) {
	withRelay(t, func(r *relay) {
		a, b := r.server(), r.server()
		register(t, r.l, "silent")
		register(t, r.l, "alive")
		end := r.lead(a, b)
		r.live(a, time.Minute, "silent", "alive")
		r.live(a, 11*time.Second, "alive")
		end()
		time.Sleep(2 * time.Second) // an election
		end = r.lead(b, a)
		r.live(b, 15*time.Second, "alive")
		if got := r.status("silent"); got != api.NodeStatusReady {
			t.Errorf("the silent node is %s before a living one must have been heard again", got)
		}
		r.live(b, 10*time.Second, "alive")
		if got := r.status("silent"); got != api.NodeStatusDown {
			t.Errorf("the silent node is %s", got)
		}
		r.live(b, 10*time.Minute, "alive")
		if got := r.status("alive"); got != api.NodeStatusReady {
			t.Errorf("the living node is %s", got)
		}
		end()
	})
}

// TestLeaderThatComesBackRemembers has the same server lead again.
func TestLeaderThatComesBackRemembers(t *testing.T) {
	withRelay(t, func(r *relay) {
		a := r.server()
		register(t, r.l, "silent")
		end := r.lead(a)
		r.live(a, time.Minute, "silent")
		end()
		end = r.lead(a)
		r.live(a, 30*time.Second)
		if got := r.status("silent"); got != api.NodeStatusDown {
			t.Errorf("the silent node is %s", got)
		}
		end()
	})
}

// TestManyNodesAreNotGivenUpForBeatsThatWereNotShared has a node heard after the
// others were told: it will be silent for half of its time, and must not be given
// up for that.
func TestManyNodesAreNotGivenUpForBeatsThatWereNotShared(t *testing.T) {
	withRelay(t, func(r *relay) {
		a, b := r.server(), r.server()
		for i := range 5000 { // each is heard every 100 s or so
			register(t, r.l, node(i))
		}
		end := r.lead(a, b)
		a.mu.Lock()
		a.set(node(7), deadline{at: time.Now().Add(a.Grace)})
		a.mu.Unlock()
		time.Sleep(ShareEvery - time.Second)
		ttl := a.Beat(node(7))
		time.Sleep(5 * time.Second)
		b.mu.Lock() // as if the last message had gone before that
		b.memory = memory{term: 1, at: time.Now(), left: map[string]time.Duration{node(7): 0}}
		b.mu.Unlock()
		end()
		end = r.lead(b, a)
		time.Sleep(ttl/2 - 5*time.Second)
		synctest.Wait()
		if got := r.status(node(7)); got != api.NodeStatusReady {
			t.Errorf("the node is %s before it must be heard again", got)
		}
		end()
	})
}

// TestTimeWithoutLeaderDoesNotCount has nobody lead for long: the nodes had nobody
// to tell that they live.
func TestTimeWithoutLeaderDoesNotCount(t *testing.T) {
	withRelay(t, func(r *relay) {
		a, b := r.server(), r.server()
		register(t, r.l, "alive")
		a.Failover, b.Failover = 10*time.Minute, 10*time.Minute
		end := r.lead(a, b)
		a.mu.Lock()
		a.set("alive", deadline{at: time.Now().Add(5 * time.Minute)}) // as where there are many nodes
		a.mu.Unlock()
		r.live(a, 15*time.Second)
		end()
		time.Sleep(time.Hour)
		end = r.lead(b, a)
		r.live(b, 4*time.Minute)
		if got := r.status("alive"); got != api.NodeStatusReady {
			t.Errorf("the node is %s after four minutes", got)
		}
		r.live(b, time.Minute)
		if got := r.status("alive"); got != api.NodeStatusDown {
			t.Errorf("the node is %s after five minutes", got)
		}
		end()
	})
}

// TestNewLeaderKnowsNothingOfNewNodes has a node come after the last message.
func TestNewLeaderKnowsNothingOfNewNodes(t *testing.T) {
	withRelay(t, func(r *relay) {
		a, b := r.server(), r.server()
		end := r.lead(a, b)
		r.live(a, time.Minute)
		register(t, r.l, "new")
		synctest.Wait()
		end()
		end = r.lead(b, a)
		r.live(b, 4*time.Minute)
		if got := r.status("new"); got != api.NodeStatusReady {
			t.Errorf("the new node is %s", got)
		}
		end()
	})
}

func TestLearnRefuses(t *testing.T) {
	withRelay(t, func(r *relay) {
		m := r.server()
		if err := m.Learn(&api.NodeDeadlines{NodeIDs: []string{"n"}, Left: []int64{1}}); err != nil {
			t.Fatal(err)
		}
		if err := m.Learn(&api.NodeDeadlines{Term: 7, First: true, NodeIDs: []string{"n"}, Left: []int64{1 << 62}}); err != nil {
			t.Fatal(err)
		}
		if got := m.remembered("n", 1); got != m.Failover {
			t.Errorf("a node is waited for for %s", got)
		}
		if err := m.Learn(&api.NodeDeadlines{Term: 6, First: true}); !errors.Is(err, api.ErrConflict) {
			t.Errorf("an older leader: %v", err)
		}
		if err := m.Learn(&api.NodeDeadlines{Term: 8, NodeIDs: []string{"n"}}); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("a node without a time: %v", err)
		}
		if err := m.Learn(&api.NodeDeadlines{Term: 8, NodeIDs: make([]string, maxShared+1), Left: make([]int64, maxShared+1)}); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("too many: %v", err)
		}
		end := r.lead(m)
		if err := m.Learn(&api.NodeDeadlines{Term: 9}); !errors.Is(err, api.ErrConflict) {
			t.Errorf("to a leader: %v", err)
		}
		end()
	})
}
