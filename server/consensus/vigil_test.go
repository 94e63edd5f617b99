package consensus

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// patientCluster starts three servers that would wait for a silent leader for
// longer than any test takes.
func patientCluster(t *testing.T) ([]*member, *member) {
	t.Helper()
	all := startCluster(t, 3)
	leader := leaderOf(t, all...)
	for _, m := range all {
		c := m.raft.ReloadableConfig()
		c.HeartbeatTimeout, c.ElectionTimeout = 10*patience, 10*patience
		if err := m.raft.ReloadConfig(c); err != nil {
			t.Fatal(err)
		}
	}
	// A follower's timer runs on as it was set; each leader's silence is short of it
	// only while it is heard.
	write(t, "before", all...)
	return all, leader
}

// TestEndedLeaderIsReplacedAtOnce does not wait for silence: with these times there
// would be no leader within the test.
func TestEndedLeaderIsReplacedAtOnce(t *testing.T) {
	all, first := patientCluster(t)
	first.stop(t)
	rest := others(all, first)
	leaderOf(t, rest...)
	write(t, "after", rest...)
}

// TestSilentLeaderIsWaitedFor cuts the leader's connections while its port is
// open: nobody stands for election for that.
func TestSilentLeaderIsWaitedFor(t *testing.T) {
	all, first := patientCluster(t)
	term := first.Term()
	first.wire.partition(true)
	rest := others(all, first)
	for _, m := range rest {
		select {
		case <-time.After(2 * probeFor):
		case <-m.closed:
		}
		if m.raft.State() != raft.Follower || m.Term() != term {
			t.Errorf("%s is %s in term %d", m.cfg.ID, m.State(), m.Term())
		}
	}
}
