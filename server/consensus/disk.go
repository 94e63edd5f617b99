package consensus

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/server/consensus/wal"
)

// openDisk opens and checks what a server keeps on disk, restores the newest
// snapshot, and does what an operator has left word of.
func openDisk(cfg *Config) (stores, error) {
	s, err := openStores(cfg)
	if err != nil {
		return stores{}, err
	}
	if err := recoverPeers(cfg, s); err != nil {
		return stores{}, errors.Join(err, s.closer.Close())
	}
	return s, nil
}

// openStores opens and checks what a server keeps on disk, and restores the
// newest snapshot.
func openStores(cfg *Config) (stores, error) {
	if err := os.MkdirAll(snapshotDir(cfg.Dir), 0o700); err != nil {
		return stores{}, err
	}
	stable, err := openStable(filepath.Join(cfg.Dir, "stable"))
	if err != nil {
		return stores{}, err
	}
	newest, err := stable.GetUint64(keyNewestSegment)
	if err != nil && !errors.Is(err, errNotFound) {
		return stores{}, errors.Join(err, stable.Close())
	}
	log, err := wal.Open(wal.Options{
		Dir: filepath.Join(cfg.Dir, "log"), Logger: cfg.Logger, Newest: newest,
		Begun: func(number uint64) error { return stable.SetUint64(keyNewestSegment, number) },
	})
	if err != nil {
		return stores{}, errors.Join(err, stable.Close())
	}
	s, err := openSnapshots(cfg, log, stable)
	if err != nil {
		return stores{}, errors.Join(err, log.Close(), stable.Close())
	}
	return s, nil
}

// keyNewestSegment is where the number of the log's newest segment is kept, so
// that a log without it is noticed.
var keyNewestSegment = []byte("NewestSegment")

func openSnapshots(cfg *Config, log *wal.Log, stable *stable) (stores, error) {
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, keptSnapshots, newBridge(cfg.Logger))
	if err != nil {
		return stores{}, fmt.Errorf("open snapshots: %w", err)
	}
	index, term, err := restoreNewest(cfg, snapshots)
	if err != nil {
		return stores{}, err
	}
	if err := dropStale(log, index, term); err != nil {
		return stores{}, fmt.Errorf("drop the log before the snapshot: %w", err)
	}
	if first := log.FirstIndex(); first > index+1 {
		return stores{}, fmt.Errorf("%w: it starts at entry %d and the newest readable snapshot in %s ends at %d; put the missing snapshot back, or start this server empty and restore a saved snapshot",
			wal.ErrCorrupt, first, snapshotDir(cfg.Dir), index)
	}
	out := cfg.Logger
	if out == nil {
		out = slog.New(slog.DiscardHandler)
	}
	took := &pace{}
	cache := &logCache{logStore: logStore{log: log, pace: took, out: out.With("component", "raft"), fatal: cfg.stop}}
	return stores{pace: took, logs: cache, stable: stable, snapshots: snapshots, closer: closers{log, stable}}, nil
}

// closers close several things.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, x := range c {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}

// dropStale empties a log that does not lead up to the snapshot: it ends before
// the snapshot's last entry, or holds another entry in its place. That is left
// when a server stops after the leader sent it a snapshot and before the log was
// emptied; what comes next would not follow on it.
func dropStale(log *wal.Log, index, term uint64) error {
	first, last := log.FirstIndex(), log.LastIndex()
	if index == 0 || last == 0 || first > index {
		return nil
	}
	if last >= index {
		var e wal.Entry
		if err := log.Get(index, &e); err != nil || e.Term == term {
			return err
		}
	}
	return log.DeleteRange(first, last)
}

// restoreNewest restores the newest snapshot and returns the index and term of
// its last entry, 0 when there is none.
func restoreNewest(cfg *Config, snapshots raft.SnapshotStore) (index, term uint64, err error) {
	list, err := snapshots.List()
	if err != nil {
		return 0, 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) == 0 {
		return 0, 0, nil
	}
	place := filepath.Join(snapshotDir(cfg.Dir), list[0].ID)
	_, source, err := snapshots.Open(list[0].ID)
	if err != nil {
		return 0, 0, fmt.Errorf("snapshot %s: %w; move it away to fall back to the one before it, or start this server empty and restore a saved snapshot", place, err)
	}
	defer source.Close()
	if err := cfg.FSM.Store().Restore(source); err != nil {
		return 0, 0, fmt.Errorf("snapshot %s: %w", place, err)
	}
	return list[0].Index, list[0].Term, nil
}

// logStore gives Raft our log.
type logStore struct {
	log   *wal.Log
	pace  *pace
	out   *slog.Logger
	fatal func(error)
}

// FirstIndex returns the index of the oldest entry, 0 for none.
func (s logStore) FirstIndex() (uint64, error) { return s.log.FirstIndex(), nil }

// LastIndex returns the index of the newest entry, 0 for none.
func (s logStore) LastIndex() (uint64, error) { return s.log.LastIndex(), nil }

// IsMonotonic says that the log takes no gaps, so that Raft empties it when a
// restored snapshot leaves one.
func (s logStore) IsMonotonic() bool { return true }

// GetLog reads an entry.
func (s logStore) GetLog(index uint64, out *raft.Log) error {
	var e wal.Entry
	if err := s.log.Get(index, &e); err != nil {
		if errors.Is(err, wal.ErrNotFound) {
			return raft.ErrLogNotFound
		}
		return err
	}
	*out = raft.Log{Index: e.Index, Term: e.Term, Type: raft.LogType(e.Type), Data: e.Data, Extensions: e.Extensions}
	if e.AppendedAt != 0 {
		out.AppendedAt = time.Unix(0, e.AppendedAt)
	}
	return nil
}

// StoreLog appends an entry.
func (s logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries; they are durable when it returns.
func (s logStore) StoreLogs(logs []*raft.Log) error {
	entries := make([]wal.Entry, len(logs))
	for i, l := range logs {
		entries[i] = wal.Entry{Index: l.Index, Term: l.Term, Type: uint8(l.Type), Data: l.Data, Extensions: l.Extensions}
		if !l.AppendedAt.IsZero() {
			entries[i].AppendedAt = l.AppendedAt.UnixNano()
		}
	}
	start := time.Now()
	err := s.log.Append(entries)
	if err == nil {
		bytes := 0
		for _, l := range logs {
			bytes += len(l.Data)
		}
		s.pace.synced(s.out, start, len(logs), bytes)
	}
	if errors.Is(err, wal.ErrBroken) {
		s.fatal(fmt.Errorf("write the log: %w", err))
	}
	if err != nil {
		// The leader steps down, is elected again at once and tries again. A
		// full disk must not make that a busy loop.
		time.Sleep(appendRetry)
	}
	return err
}

// appendRetry is how long the log rests when the disk did not take an entry.
const appendRetry = 500 * time.Millisecond

// DeleteRange removes entries at one end of the log.
func (s logStore) DeleteRange(low, high uint64) error { return s.log.DeleteRange(low, high) }
