package consensus

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/internal/slow"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/server/fsm"
)

// pace remembers how long the parts of a commit took last, to tell the cause
// of one that was slow.
type pace struct {
	fsync, apply atomic.Int64 // nanoseconds
}

// synced notes that entries were kept by the disk.
func (p *pace) synced(log *slog.Logger, start time.Time, entries, bytes int) {
	took := time.Since(start)
	p.fsync.Store(int64(took))
	telemetry.Since(start, "raft", "wal", "fsync")
	if slow.Fsync.Over(took) {
		slow.Fsync.Tell(log, took, "entries", entries, "bytes", bytes, "next", "see with \"serai doctor -measure-disk\" whether it is always so; give server.data_dir a disk of its own")
	}
}

// applied notes that entries were applied to the state.
func (p *pace) applied(log *slog.Logger, start time.Time, entries []fsm.Entry) {
	took := time.Since(start)
	p.apply.Store(int64(took))
	if !slow.Apply.Over(took) {
		return
	}
	largest, bytes := 0, 0
	for i, e := range entries {
		if bytes += len(e.Data); len(e.Data) > len(entries[largest].Data) {
			largest = i
		}
	}
	slow.Apply.Tell(log, took, "entries", len(entries), "bytes", bytes, "largest", fsm.Name(entries[largest].Data), "index", entries[largest].Index)
}

// committed notes how long a command took from being handed to the log until it
// was applied.
func (p *pace) committed(log *slog.Logger, start time.Time, entry []byte) {
	took := time.Since(start)
	if !slow.Commit.Over(took) {
		return
	}
	fsync, apply := time.Duration(p.fsync.Load()), time.Duration(p.apply.Load())
	slow.Commit.Tell(log, took, "command", fsm.Name(entry), "bytes", len(entry), "cause", cause(took, fsync, apply),
		"last_fsync", fsync.Round(time.Microsecond), "last_apply", apply.Round(time.Microsecond))
}

// cause names what most of the time went to, as far as can be told.
func cause(took, fsync, apply time.Duration) string {
	switch {
	case fsync > took/2:
		return "this server's disk"
	case apply > took/2:
		return "applying entries"
	}
	return "other servers, or many commands at once"
}
