package consensus

import (
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
)

// timing is how long servers wait for each other.
type timing struct {
	election time.Duration // without a leader before one is elected, up to twice as long
	lease    time.Duration // how long a leader leads on that hears from no majority
	commit   time.Duration // how soon followers learn, where no notice tells them, what is committed
}

// A server that is alone has nobody to wait for: its times only bound how soon
// it leads after Open. A cluster's are a compromise: a leader whose machine falls
// silent is replaced within about two seconds (one whose process ends, at once:
// see vigil), and a machine that stalls for half a second keeps its leadership.
// Each follower is sent a message per commit time also when nothing happens, so
// that one is longer than for a server alone: what is committed is told apart
// from it (see commits).
var (
	timingAlone   = timing{election: 10 * time.Millisecond, lease: 10 * time.Millisecond, commit: 5 * time.Millisecond}
	timingCluster = timing{election: 800 * time.Millisecond, lease: 700 * time.Millisecond, commit: 50 * time.Millisecond}
)

func (c *Config) timing() timing {
	if c.Stream == nil {
		return timingAlone
	}
	t, n := timingCluster, time.Duration(max(c.Multiplier, 1))
	return timing{election: n * t.election, lease: n * t.lease, commit: t.commit}
}

// library gives the settings of the library.
func library(cfg Config, log *slog.Logger) *raft.Config {
	t := cfg.timing()
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(cfg.ID)
	conf.HeartbeatTimeout, conf.ElectionTimeout = t.election, t.election
	conf.LeaderLeaseTimeout = t.lease
	conf.CommitTimeout = t.commit
	conf.SnapshotInterval, conf.SnapshotThreshold = snapshotInterval, snapshotAfter
	if cfg.SnapshotAfter > 0 {
		conf.SnapshotThreshold = cfg.SnapshotAfter
	}
	conf.TrailingLogs = trailingEntries
	if cfg.TrailingEntries > 0 {
		conf.TrailingLogs = cfg.TrailingEntries
	}
	conf.MaxAppendEntries = batchEntries
	conf.BatchApplyCh = true
	conf.NoSnapshotRestoreOnStart = true // openDisk has done it
	conf.NoLegacyTelemetry = true
	conf.ShutdownOnRemove = false // a server that was removed says so, and can be taken in again
	conf.Logger = newBridge(log)
	return conf
}
