package consensus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

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
	if _, err := leader.Save(context.Background(), f, false); err != nil {
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

// TestStopBetweenSnapshotAndLog has a server stop after a snapshot was installed
// and before its log was emptied.
func TestStopBetweenSnapshotAndLog(t *testing.T) {
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	write(t, "before", all...)
	sameState(t, "before", all...)
	away := others(all, leader)[0]
	away.stop(t)
	rest := others(all, away)
	for i := range 30 {
		write(t, fmt.Sprint("n", i), rest...)
	}
	leader = leaderOf(t, rest...)
	if err := leader.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(snapshotDir(away.cfg.Dir), os.DirFS(snapshotDir(leader.cfg.Dir))); err != nil {
		t.Fatal(err)
	}
	cfg := config(away.cfg.Dir)
	opened, err := openDisk(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if last, _ := opened.logs.LastIndex(); last != 0 {
		t.Errorf("the log ends at entry %d, before the snapshot", last)
	}
	if err := opened.closer.Close(); err != nil {
		t.Fatal(err)
	}
	back := startMember(t, away.cfg.ID, away.cfg.Dir, away.cfg.Address, nil)
	if !hasNamespace(back.Raft, "n29") {
		t.Fatal("the snapshot was not restored")
	}
	write(t, "after", rest...)
	sameState(t, "after", append(rest, back)...)
	back = back.restart(t)
	sameState(t, "after", append(rest, back)...)
}
