package consensus

import (
	"fmt"
	"io"
	"log/slog"

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
	dead  error // the entry that could not be applied; only Raft's goroutine looks
}

// outcome is what a command came to, on its way back to Apply.
type outcome struct {
	result any
	err    error
}

// Apply applies one entry. After one that could not be applied it applies no
// other: that one would be missing.
func (m *machine) Apply(l *raft.Log) any {
	if m.dead != nil {
		return outcome{err: m.dead}
	}
	m.grown.add(len(l.Data))
	result, err := m.fsm.Apply(l.Index, l.Data)
	if err != nil && fsm.Fatal(err) {
		m.dead = err
		m.log.Error("the server must stop", "err", err)
		if m.fatal != nil {
			m.fatal(err)
		}
	}
	return outcome{result, err}
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
	if err := m.fsm.Store().Restore(r); err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
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
