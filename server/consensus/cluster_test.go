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

func TestClusterElectsAndReplicates(t *testing.T) {
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	putNamespace(t, leader.Raft, "a")
	sameState(t, "a", all...)
	for _, m := range others(all, leader) {
		_, err := m.Do(context.Background(), &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "x"}}})
		if !errors.Is(err, api.ErrNoLeader) {
			t.Errorf("a follower took a write: %v", err)
		}
		if err := m.VerifyLeader(context.Background()); !errors.Is(err, api.ErrNoLeader) {
			t.Errorf("a follower takes itself for the leader: %v", err)
		}
		if address, _ := m.LeaderAddress(); address != leader.cfg.Address {
			t.Errorf("the leader is said to be at %s, not %s", address, leader.cfg.Address)
		}
		if err := m.Bootstrap([]Server{{ID: m.cfg.ID, Address: m.cfg.Address}}); !errors.Is(err, api.ErrConflict) {
			t.Errorf("a server of a cluster made another one: %v", err)
		}
	}
	if err := leader.VerifyLeader(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestLeaderIsReplaced(t *testing.T) {
	all := startCluster(t, 3)
	first := leaderOf(t, all...)
	write(t, "before", all...)
	first.stop(t)
	rest := others(all, first)
	write(t, "while-away", rest...)
	leaderOf(t, rest...)
	back := startMember(t, first.cfg.ID, first.cfg.Dir, first.cfg.Address, nil)
	sameState(t, "while-away", append(rest, back)...)
}

func TestCutOffLeaderStepsDown(t *testing.T) {
	all := startCluster(t, 3)
	first := leaderOf(t, all...)
	write(t, "before", all...)
	first.wire.partition(true)
	rest := others(all, first)
	leaderOf(t, rest...)
	write(t, "while-away", rest...)
	eventually(t, "the old leader to step down", func() bool { return !first.Leader() })
	if hasNamespace(first.Raft, "while-away") {
		t.Fatal("the cut was none")
	}
	first.wire.partition(false)
	sameState(t, "while-away", all...)
}

// TestSnapshotIsInstalled has a follower away for longer than the log reaches
// back.
func TestSnapshotIsInstalled(t *testing.T) {
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	write(t, "before", all...)
	sameState(t, "before", all...)
	away := others(all, leader)[0]
	away.stop(t)
	rest := others(all, away)
	for i := range 50 {
		write(t, fmt.Sprint("n", i), rest...)
	}
	for _, m := range rest {
		if err := m.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	last := away.LastIndex()
	for _, m := range rest {
		if first, _ := m.stores.logs.FirstIndex(); first <= last+1 {
			t.Fatalf("the log still reaches back to %d, and the follower was at %d", first, last)
		}
	}
	write(t, "after-snapshot", rest...)
	back := startMember(t, away.cfg.ID, away.cfg.Dir, away.cfg.Address, nil)
	sameState(t, "after-snapshot", append(rest, back)...)
	write(t, "more", append(rest, back)...)
	// What was installed is there after a restart, and the log goes on from it.
	back = back.restart(t)
	sameState(t, "more", append(rest, back)...)
	write(t, "last", append(rest, back)...)
	sameState(t, "last", append(rest, back)...)
}

// TestUncommittedEntriesAreTakenBack leaves entries in the log of a leader that
// was cut off, which the others never saw, and overwrites them.
func TestUncommittedEntriesAreTakenBack(t *testing.T) {
	all := startCluster(t, 3)
	first := leaderOf(t, all...)
	write(t, "before", all...)
	sameState(t, "before", all...)
	first.wire.partition(true)
	lost := make(chan error, 1)
	go func() {
		_, err := first.Do(context.Background(), &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "lost"}}})
		lost <- err
	}()
	rest := others(all, first)
	write(t, "other", rest...)
	if err := <-lost; err == nil {
		t.Fatal("a write was acknowledged by a leader that had no majority")
	}
	stale := first.LastIndex()
	// The entry is still there after a restart, and goes when the leader is heard.
	first.stop(t)
	for i := range 5 {
		write(t, fmt.Sprint("n", i), rest...)
	}
	back := startMember(t, first.cfg.ID, first.cfg.Dir, first.cfg.Address, nil)
	if back.LastIndex() != stale {
		t.Logf("the log ends at %d after the restart, at %d before", back.LastIndex(), stale)
	}
	both := append(rest, back)
	sameState(t, "n4", both...)
	if hasNamespace(back.Raft, "lost") {
		t.Error("an entry that was never committed was applied")
	}
	back = back.restart(t)
	both = append(rest, back)
	write(t, "last", both...)
	sameState(t, "last", both...)
}

func TestMembersChange(t *testing.T) {
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	changes, stop := leader.Watch()
	defer stop()
	write(t, "before", all...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	fourth := startMember(t, "server-4", t.TempDir(), "127.0.0.1:0", nil)
	if err := leader.AddNonvoter(ctx, fourth.cfg.ID, fourth.cfg.Address); err != nil {
		t.Fatal(err)
	}
	eventually(t, "word of the change", func() bool {
		select {
		case <-changes:
			return true
		default:
			return false
		}
	})
	sameState(t, "before", append(all, fourth)...)
	if !fourth.Bootstrapped() {
		t.Error("a server that was taken in is part of no cluster")
	}
	if got := voters(t, leader); got != 3 {
		t.Errorf("%d servers have a vote", got)
	}
	if err := leader.AddVoter(ctx, fourth.cfg.ID, fourth.cfg.Address); err != nil {
		t.Fatal(err)
	}
	if got := voters(t, leader); got != 4 {
		t.Errorf("%d servers have a vote", got)
	}
	if err := leader.DemoteVoter(ctx, fourth.cfg.ID); err != nil {
		t.Fatal(err)
	}
	if err := leader.TransferLeadership(ctx, fourth.cfg.ID); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("a server without a vote shall lead: %v", err)
	}
	if err := leader.RemoveServer(ctx, fourth.cfg.ID); err != nil {
		t.Fatal(err)
	}
	if err := leader.TransferLeadership(ctx, fourth.cfg.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a server that is none shall lead: %v", err)
	}
	// The leader removes itself, and the others go on.
	if err := leader.RemoveServer(ctx, leader.cfg.ID); err != nil {
		t.Fatal(err)
	}
	rest := others(all, leader)
	write(t, "after", rest...)
	if next := leaderOf(t, rest...); next == leader || voters(t, next) != 2 {
		t.Error("the removed server still counts")
	}
}

func voters(t testing.TB, m *member) int {
	t.Helper()
	c, err := m.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range c.Servers {
		if s.Voter {
			n++
		}
	}
	return n
}

func TestLeadershipIsTransferred(t *testing.T) {
	all := startCluster(t, 3)
	first := leaderOf(t, all...)
	write(t, "before", all...)
	to := others(all, first)[0]
	if err := first.TransferLeadership(context.Background(), to.cfg.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the chosen server to lead", to.Leader)
	write(t, "after", all...)
	sameState(t, "after", all...)
}

// TestAloneOnTheNetworkLeadsAtOnce has a server that could have company.
func TestAloneOnTheNetworkLeadsAtOnce(t *testing.T) {
	m := startMember(t, "server-1", t.TempDir(), "127.0.0.1:0", func(c *Config) {
		c.Bootstrap = true
		c.Multiplier = 10000 // it would wait for hours
	})
	awaitLeader(t, m.Raft)
	write(t, "a", m)
	second := startMember(t, "server-2", t.TempDir(), "127.0.0.1:0", nil)
	if err := m.AddVoter(context.Background(), "server-2", second.cfg.Address); err != nil {
		t.Fatal(err)
	}
	sameState(t, "a", m, second)
}

// TestRestoreReachesFollowers replaces the state of a cluster.
func TestRestoreReachesFollowers(t *testing.T) {
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	write(t, "kept", all...)
	path := t.TempDir() + "/saved"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := leader.Save(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	write(t, "gone", all...)
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := leader.Restore(context.Background(), f, false); err != nil {
		t.Fatal(err)
	}
	sameState(t, "kept", all...)
	write(t, "more", all...)
	sameState(t, "more", all...)
	for _, m := range all {
		if hasNamespace(m.Raft, "gone") {
			t.Errorf("%s holds what the snapshot does not", m.cfg.ID)
		}
	}
}
