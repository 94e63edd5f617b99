package heartbeat

import (
	"context"
	"fmt"
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

// place has an allocation of a job run on a node that may be out of reach for a
// while.
func (l *directLog) place(t *testing.T, jobID, alloc, nodeID string, lostAfter time.Duration) {
	t.Helper()
	result, _, err := l.Apply(t.Context(), &fsm.JobRegister{Job: &api.Job{
		ID: jobID, Namespace: "default", Type: api.JobTypeService, NodePool: "default",
		TaskGroups: []*api.TaskGroup{{Name: "g", Count: 1, Disconnect: &api.DisconnectStrategy{LostAfter: api.Duration(lostAfter)}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	j := result.(*fsm.JobRegistered).Job
	result, _, err = l.Apply(t.Context(), &fsm.PlanApply{Plans: []fsm.Plan{{
		Namespace: "default", JobID: jobID, JobModifyIndex: j.JobModifyIndex,
		Placements: []fsm.Placement{{ID: uuid(alloc), Version: j.Version, Group: "g", NodeID: nodeID}},
	}}})
	if err != nil || !result.(*fsm.PlanApplied).Plans[0].OK() {
		t.Fatal(err, result)
	}
	if _, _, err := l.Apply(t.Context(), &fsm.AllocUpdate{Updates: []fsm.ClientUpdate{{ID: uuid(alloc), ClientStatus: api.AllocClientRunning}}}); err != nil {
		t.Fatal(err)
	}
}

func (l *directLog) at() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index
}

func (l *directLog) evals(by string) (n int) {
	for e := range l.fsm.Store().View().Evaluations() {
		if e.TriggeredBy == by {
			n++
		}
	}
	return n
}

func uuid(s string) string { return (s + "00000000-0000-0000-0000-000000000000")[:36] }

func register(t *testing.T, l *directLog, id string) {
	t.Helper()
	if _, _, err := l.Apply(t.Context(), &fsm.NodeRegister{Node: &api.Node{ID: id, Status: api.NodeStatusReady, NodeResources: &api.NodeResources{}}}); err != nil {
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

// A new leader that was told nothing does not know when the nodes were heard.
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
		m.deadline[string(rune(i))] = deadline{}
	}
	if ttl := m.Beat("x"); ttl < 100*time.Second {
		t.Errorf("5000 nodes beat every %v: more than 50 a second", ttl)
	}
}

// A node with allocations that may be without it is out of reach first, and down
// when the last of them has run out of time.
func TestDisconnectedNode(t *testing.T) {
	n1 := uuid("1")
	run(t, nil, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		register(t, l, n1)
		l.place(t, "short", "a", n1, time.Minute)
		l.place(t, "long", "b", n1, 5*time.Minute)
		l.place(t, "none", "c", n1, 0)
		synctest.Wait()
		ttl := m.Beat(n1)
		time.Sleep(ttl + m.Grace)
		if got := status(n1); got != api.NodeStatusDisconnected {
			t.Fatalf("node is %s", got)
		}
		if got := l.evals(api.TriggerNodeUpdate); got != 3 {
			t.Errorf("%d evaluations for 3 jobs", got)
		}
		time.Sleep(5*time.Minute - 2*time.Second)
		if got := status(n1); got != api.NodeStatusDisconnected {
			t.Errorf("node is %s before the time is over", got)
		}
		time.Sleep(3 * time.Second)
		if got := status(n1); got != api.NodeStatusDown {
			t.Errorf("node is %s after the time", got)
		}
		if got := l.evals(api.TriggerNodeUpdate); got != 6 {
			t.Errorf("%d evaluations", got)
		}
	})
}

// heard does what a heartbeat with a new status does.
func heard(t *testing.T, m *Monitor, l *directLog, id string) {
	t.Helper()
	if _, _, err := l.Apply(t.Context(), &fsm.NodeStatus{Time: time.Now().UnixNano(), Updates: []fsm.NodeStatusUpdate{{NodeID: id, Status: api.NodeStatusReady}}}); err != nil {
		t.Fatal(err)
	}
	m.Beat(id)
}

func TestFlappingNode(t *testing.T) {
	n1 := uuid("1")
	run(t, nil, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		register(t, l, n1)
		l.place(t, "j", "a", n1, time.Minute)
		for range 20 {
			synctest.Wait()
			m.Beat(n1)
			time.Sleep(26 * time.Second)
			if got := status(n1); got != api.NodeStatusDisconnected {
				t.Fatalf("node is %s", got)
			}
			time.Sleep(10 * time.Second)
			heard(t, m, l, n1)
			time.Sleep(9 * time.Second)
			if got := status(n1); got != api.NodeStatusReady {
				t.Fatalf("node is %s", got)
			}
		}
		time.Sleep(2 * time.Minute)
		if got := status(n1); got != api.NodeStatusDown {
			t.Errorf("node is %s", got)
		}
	})
}

// A new leader goes on with the time that the node was away already.
func TestNewLeaderKeepsPatience(t *testing.T) {
	n1 := uuid("1")
	run(t, func(l *directLog) {
		register(t, l, n1)
		l.place(t, "j", "a", n1, 4*time.Minute)
		if _, _, err := l.Apply(t.Context(), &fsm.NodeStatus{Time: time.Now().UnixNano(), Updates: []fsm.NodeStatusUpdate{{NodeID: n1, Status: api.NodeStatusDisconnected}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
	}, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		time.Sleep(59 * time.Second)
		if got := status(n1); got != api.NodeStatusDisconnected {
			t.Errorf("node is %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := status(n1); got != api.NodeStatusDown {
			t.Errorf("node is %s", got)
		}
	})
}

// A rack goes out of reach: one command, one evaluation a job.
func TestManyNodesAtOnce(t *testing.T) {
	run(t, nil, func(t *testing.T, m *Monitor, l *directLog, status func(string) string) {
		for i := range 1000 {
			id := uuid(fmt.Sprintf("%08d", i))
			register(t, l, id)
			l.place(t, fmt.Sprint("j", i%10), fmt.Sprintf("%08d", i), id, 0)
		}
		before := l.at()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := l.at() - before; got != 1 {
			t.Errorf("%d commands", got)
		}
		if got := l.evals(api.TriggerNodeUpdate); got != 10 {
			t.Errorf("%d evaluations for 10 jobs", got)
		}
		if got := status(uuid("00000999")); got != api.NodeStatusDown {
			t.Errorf("node is %s", got)
		}
	})
}

// A server that was stopped for a minute has heard nobody, and blames nobody.
func TestStalledServer(t *testing.T) {
	m := New(Config{Logger: slog.New(slog.DiscardHandler), Grace: 10 * time.Second})
	now := time.Now()
	m.running, m.wake = true, now.Add(-time.Minute)
	m.deadline["a"], m.deadline["b"] = deadline{at: now.Add(-time.Minute)}, deadline{at: now.Add(-time.Second)}
	m.stalled(now)
	if late := m.late(now.Add(9 * time.Second)); len(late) != 0 {
		t.Errorf("late: %v", late)
	}
	if late := m.late(now.Add(11 * time.Second)); len(late) != 1 {
		t.Errorf("late: %v", late)
	}
	m.wake = now.Add(-100 * time.Millisecond)
	m.stalled(now)
	if late := m.late(now.Add(75 * time.Second)); len(late) != 2 {
		t.Errorf("a short delay counts: %v", late)
	}
}
