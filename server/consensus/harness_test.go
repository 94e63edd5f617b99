package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// loopback is a stream layer of plain connections, which can be cut.
type loopback struct {
	net.Listener

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func listenLoopback(t testing.TB, address string) *loopback {
	t.Helper()
	var l net.Listener
	eventually(t, "an address to listen on", func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return &loopback{Listener: l, conns: map[net.Conn]struct{}{}}
}

func (l *loopback) Dial(address string, timeout time.Duration) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address, timeout)
	return l.keep(c, err)
}

func (l *loopback) Accept() (net.Conn, error) { return l.keep(l.Listener.Accept()) }

func (l *loopback) keep(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		c.Close()
		return l.dead(), nil
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// dead is a connection that nobody is at the other end of.
func (l *loopback) dead() net.Conn {
	a, b := net.Pipe()
	b.Close()
	return a
}

// partition cuts the server off from the others, or joins it with them again.
func (l *loopback) partition(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// member is a server of a cluster in this process.
type member struct {
	*Raft
	cfg  Config
	wire *loopback
}

func (m *member) stop(t testing.TB) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Errorf("%s: %v", m.cfg.ID, err)
	}
}

// start opens a server that keeps its things in dir, at its address of before.
func startMember(t testing.TB, id, dir, address string, change func(*Config)) *member {
	t.Helper()
	wire := listenLoopback(t, address)
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("CONSENSUS_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("server", id)
	}
	cfg := Config{
		Dir: dir, ID: id, Address: wire.Addr().String(), FSM: fsm.New(state.New()), Logger: logger,
		Stream: wire, SnapshotAfter: 1 << 30, TrailingEntries: 8,
	}
	if change != nil {
		change(&cfg)
	}
	r, err := Open(cfg)
	if err != nil {
		wire.Close()
		t.Fatal(err)
	}
	m := &member{Raft: r, cfg: cfg, wire: wire}
	t.Cleanup(func() { m.Close() })
	return m
}

func (m *member) restart(t testing.TB) *member {
	t.Helper()
	m.stop(t)
	return startMember(t, m.cfg.ID, m.cfg.Dir, m.cfg.Address, nil)
}

// cluster starts servers that make a cluster.
func startCluster(t testing.TB, n int) []*member {
	t.Helper()
	var all []*member
	var list []Server
	for i := range n {
		m := startMember(t, fmt.Sprint("server-", i+1), t.TempDir(), "127.0.0.1:0", nil)
		if m.Bootstrapped() {
			t.Fatal("a new server is part of a cluster")
		}
		all, list = append(all, m), append(list, Server{ID: m.cfg.ID, Address: m.cfg.Address})
	}
	for _, m := range all {
		if err := m.Bootstrap(list); err != nil && !errors.Is(err, api.ErrConflict) {
			t.Fatal(err)
		}
	}
	return all
}

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// leaderOf waits until one of these servers leads and the others know it.
func leaderOf(t testing.TB, all ...*member) *member {
	t.Helper()
	var leader *member
	eventually(t, "a leader", func() bool {
		leader = nil
		for _, m := range all {
			if m.Leader() {
				leader = m
			}
		}
		if leader == nil {
			return false
		}
		for _, m := range all {
			if _, id := m.LeaderAddress(); id != leader.cfg.ID {
				return false
			}
		}
		return true
	})
	return leader
}

func others(all []*member, not *member) []*member {
	var out []*member
	for _, m := range all {
		if m != not {
			out = append(out, m)
		}
	}
	return out
}

// write writes through whoever leads.
func write(t testing.TB, name string, all ...*member) {
	t.Helper()
	eventually(t, "a write to be taken", func() bool {
		for _, m := range all {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, err := m.Do(ctx, &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: name}}})
			cancel()
			if err == nil {
				return true
			}
		}
		return false
	})
}

// sameState waits until all servers hold the same, and what was written.
func sameState(t testing.TB, name string, all ...*member) {
	t.Helper()
	eventually(t, "servers of equal state with "+name, func() bool {
		want, _ := all[0].fsm.Store().View().Hash()
		for _, m := range all {
			if got, _ := m.fsm.Store().View().Hash(); got != want || !hasNamespace(m.Raft, name) {
				return false
			}
		}
		return true
	})
}
