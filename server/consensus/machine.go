package consensus

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// machine gives Raft our FSM.
type machine struct {
	fsm   *fsm.FSM
	fatal func(error)
	log   *slog.Logger
	grown *growth
	pace  *pace
	// back is the index that the state of a follower has to get to when that of
	// this server went back, see Raft.ReadIndex.
	back atomic.Uint64
	// reached is told of what is committed, before it is applied.
	reached func(index, term uint64)
	// reconfigured is told when the list of servers has changed.
	reconfigured func()
	dead         error // the entry that could not be applied; only Raft's goroutine looks
}

// outcome is what a command came to, on its way back to Apply.
type outcome struct {
	result any
	err    error
}

// Apply applies one entry.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies entries that were committed together. After one that could
// not be applied it applies no other: that one would be missing.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	if n := len(logs); n > 0 && m.reached != nil {
		m.reached(logs[n-1].Index, logs[n-1].Term)
	}
	out := make([]any, len(logs))
	entries := make([]fsm.Entry, 0, len(logs))
	places := make([]int, 0, len(logs))
	for i, l := range logs {
		out[i] = outcome{err: m.dead}
		if l.Type == raft.LogConfiguration {
			m.reconfigured()
		}
		if l.Type == raft.LogCommand && m.dead == nil {
			m.grown.add(len(l.Data))
			entries, places = append(entries, fsm.Entry{Index: l.Index, Data: l.Data}), append(places, i)
		}
	}
	start := time.Now()
	outcomes := m.fsm.ApplyBatch(entries)
	if len(entries) > 0 {
		m.pace.applied(m.log, start, entries)
	}
	for i, o := range outcomes {
		out[places[i]] = outcome{o.Result, o.Err}
		if o.Err != nil && m.dead == nil && fsm.Fatal(o.Err) {
			m.die(o.Err)
		}
	}
	return out
}

func (m *machine) die(err error) {
	m.dead = err
	m.log.Error("the server must stop", "err", err)
	if m.fatal != nil {
		m.fatal(err)
	}
}

// Snapshot takes a view; writing it out happens beside further entries.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.dead != nil {
		return nil, m.dead
	}
	m.grown.bytes = 0
	return snapshot{m.fsm.Store().View(), m.grown}, nil
}

// Restore replaces the state by that of a snapshot, whole or not at all.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	old, before := m.fsm.Store().View().Index(), m.back.Load()
	m.back.Store(max(old+1, before))
	if err := m.fsm.Store().Restore(r); err != nil {
		m.back.Store(before)
		return fmt.Errorf("restore snapshot: %w", err)
	}
	if m.fsm.Store().View().Index() > old {
		m.back.Store(before)
	}
	m.reconfigured()
	return nil
}

// snapshot is a view on its way to the snapshot store.
type snapshot struct {
	view  *state.View
	grown *growth
}

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	out := &counted{Writer: sink}
	if err := s.view.WriteSnapshot(out); err != nil {
		_ = sink.Cancel()
		return err
	}
	s.grown.last.Store(out.n)
	return sink.Close()
}

func (s snapshot) Release() {}
