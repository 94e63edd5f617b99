package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Config describes one server's part in the cluster.
type Config struct {
	// Dir is where the log and the snapshots are kept. OpenMemory ignores it.
	Dir string

	// ID names the server for ever; Address is where others reach it.
	ID      string
	Address string

	// FSM applies the commands. Nobody else writes to its store.
	FSM *fsm.FSM

	Logger *slog.Logger

	// Fatal is called when a log entry cannot be applied, or the disk has failed:
	// the process must stop, with the first error shown. Nothing more is applied after it; what
	// waits for an entry gets the error.
	Fatal func(error)

	// Stream is how servers reach each other. Without it the server is alone: it
	// is its cluster, and leads as soon as it is open.
	Stream StreamLayer

	// Locate gives the address of a server by its ID, where it is known better
	// than the log knows it; nil, or an empty answer: the log's holds.
	Locate func(id string) string

	// Bootstrap has a server without a log make a cluster of itself. One that has
	// a Stream and is not told so waits for Bootstrap, or for a leader.
	Bootstrap bool

	// Multiplier stretches the time without a leader after which servers elect
	// one; 1 when 0.
	Multiplier int

	// SnapshotAfter is the number of log entries after which a snapshot is
	// made, 65536 when 0.
	SnapshotAfter uint64

	// TrailingEntries is how many entries the log keeps behind a snapshot, for
	// servers that were away for a moment, 1024 when 0.
	TrailingEntries uint64
}

// stop tells that the server must stop.
func (c *Config) stop(err error) {
	if c.Logger != nil {
		c.Logger.Error("the server must stop", "component", "raft", "err", err)
	}
	if c.Fatal != nil {
		c.Fatal(err)
	}
}

// Tuning.
const (
	snapshotInterval = 30 * time.Second
	snapshotAfter    = 65536
	trailingEntries  = 1024
	keptSnapshots    = 2
	batchEntries     = 512
	closeWait        = 5 * time.Second // for the answers to what was in flight
)

// Raft is a running server of the cluster.
type Raft struct {
	raft   *raft.Raft
	fsm    *fsm.FSM
	log    *slog.Logger
	cfg    Config
	stores stores
	back   *atomic.Uint64 // see ReadIndex
	close  func() error   // does it once

	gate    sync.RWMutex // guards closing, and flying against Close
	closing bool         // nothing new is handed to Raft
	flying  sync.WaitGroup

	closed    chan struct{} // Raft has been shut down
	compacted chan struct{} // the compactor has ended
	observed  chan struct{} // observe has ended
	watched   chan struct{} // vigil has ended
	changed   *watchers
}

// stores are what Raft keeps its things in.
type stores struct {
	pace      *pace
	logs      raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	closer    io.Closer
}

// Open starts a server that keeps everything under cfg.Dir. It restores the
// newest snapshot and applies the rest of the log as soon as it leads.
func Open(cfg Config) (*Raft, error) {
	s, err := openDisk(&cfg)
	if err != nil {
		return nil, fmt.Errorf("open raft in %s: %w", cfg.Dir, err)
	}
	r, err := start(cfg, s)
	if err != nil {
		s.closer.Close()
		return nil, fmt.Errorf("open raft in %s: %w", cfg.Dir, err)
	}
	return r, nil
}

// OpenMemory starts a server that forgets everything when it stops.
func OpenMemory(cfg Config) (*Raft, error) {
	mem := raft.NewInmemStore()
	s := stores{logs: mem, stable: mem, snapshots: raft.NewInmemSnapshotStore(), pace: &pace{}}
	r, err := start(cfg, s)
	if err != nil {
		return nil, fmt.Errorf("open raft in memory: %w", err)
	}
	return r, nil
}

func start(cfg Config, s stores) (*Raft, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	log := cfg.Logger.With("component", "raft")
	conf := library(cfg, log)
	var trans raft.Transport
	var network *transport
	if cfg.Stream == nil {
		_, trans = raft.NewInmemTransport(raft.ServerAddress(cfg.Address))
	} else {
		network = newTransport(cfg.Stream, cfg.Address, cfg.Locate, log)
		trans = network
	}
	grown, changed := newGrowth(), &watchers{}
	m := &machine{fsm: cfg.FSM, fatal: cfg.Fatal, log: log, grown: grown, reconfigured: changed.tell, pace: s.pace}
	if network != nil {
		m.reached = network.commits.reached
	}
	r, err := launch(cfg, conf, m, s, trans)
	if err != nil {
		if network != nil {
			network.Close()
		}
		return nil, err
	}
	out := &Raft{
		raft: r, fsm: cfg.FSM, log: log, cfg: cfg, stores: s, changed: changed, back: &m.back,
		closed: make(chan struct{}), compacted: make(chan struct{}), observed: make(chan struct{}), watched: make(chan struct{}),
	}
	out.close = sync.OnceValue(out.shutdown)
	seen := make(chan raft.Observation, 16)
	o := raft.NewObserver(seen, false, ofInterest)
	r.RegisterObserver(o)
	go out.observe(seen, o)
	go out.compactor(grown)
	if network == nil {
		close(out.watched)
		return out, nil
	}
	go out.vigil(network)
	if alone(r, conf.LocalID) {
		network.elect()
	}
	return out, nil
}

// launch makes the first configuration, where it is this server's to make, and
// starts the library.
func launch(cfg Config, conf *raft.Config, m *machine, s stores, trans raft.Transport) (*raft.Raft, error) {
	known, err := raft.HasExistingState(s.logs, s.stable, s.snapshots)
	if err != nil {
		return nil, err
	}
	if !known && (cfg.Bootstrap || cfg.Stream == nil) {
		first := configuration([]Server{{ID: cfg.ID, Address: cfg.Address}})
		if err := raft.BootstrapCluster(conf, s.logs, s.stable, s.snapshots, trans, first); err != nil {
			return nil, fmt.Errorf("bootstrap: %w", err)
		}
	}
	r, err := raft.NewRaft(conf, m, s.logs, s.stable, s.snapshots, trans)
	if disk, ok := s.stable.(*stable); ok && err == nil {
		disk.runs(cfg.stop)
	}
	return r, err
}

// alone says whether a server is the only one with a vote.
func alone(r *raft.Raft, id raft.ServerID) bool {
	voters := 0
	mine := false
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
			mine = mine || s.ID == id
		}
	}
	return voters == 1 && mine
}

// Close stops the server: it takes nothing more, gives what it has taken a
// moment to be answered, and ends. What was acknowledged stays.
func (r *Raft) Close() error { return r.close() }

func (r *Raft) shutdown() error {
	r.gate.Lock()
	r.closing = true
	r.gate.Unlock()
	landed := make(chan struct{})
	go func() {
		r.flying.Wait()
		close(landed)
	}()
	select {
	case <-landed:
	case <-time.After(closeWait):
	}
	err := r.raft.Shutdown().Error()
	close(r.closed)
	<-r.compacted
	<-r.observed
	<-r.watched
	if r.stores.closer != nil {
		err = errors.Join(err, r.stores.closer.Close())
	}
	return err
}

// HashesAt gives the hashes of this server's tables as of the fsm.StateMark in a
// log entry.
func (r *Raft) HashesAt(ctx context.Context, index uint64) ([]state.TableHash, error) {
	return r.fsm.HashesAt(ctx, index)
}

// Applied is what became of a command.
type Applied struct {
	Index  uint64 // of its log entry
	Result any    // what the command's type says
}

// Apply puts a command (see fsm.Encode) in the log and returns when it is
// durable and applied here. The error is the command's refusal as the FSM gave
// it, or one of kind api.ErrNoLeader (not done here: ask the leader) or
// api.ErrUnavailable (the outcome is unknown). When ctx ends first, the
// command may still be applied.
func (r *Raft) Apply(ctx context.Context, entry []byte) (Applied, error) {
	if err := fsm.Allow(entry, r.protocol()); err != nil {
		return Applied{}, err
	}
	var f raft.ApplyFuture
	defer r.stores.pace.committed(r.log, time.Now(), entry)
	err := r.wait(ctx, func() raft.Future {
		f = r.raft.Apply(entry, enqueueTimeout(ctx))
		return f
	})
	if err != nil {
		return Applied{}, kind("apply "+fsm.Name(entry), err)
	}
	out, ok := f.Response().(outcome)
	if !ok {
		return Applied{}, kind("apply "+fsm.Name(entry), fmt.Errorf("no outcome (%v)", f.Response()))
	}
	return Applied{Index: f.Index(), Result: out.result}, out.err
}

// Do encodes a command and applies it.
func (r *Raft) Do(ctx context.Context, c fsm.Command) (Applied, error) {
	if err := fsm.AllowCommand(c, r.protocol()); err != nil {
		return Applied{}, err
	}
	entry, err := fsm.Encode(c)
	if err != nil {
		return Applied{}, err
	}
	return r.Apply(ctx, entry)
}

// protocol is the cluster's protocol version, as far as this server has applied
// the log.
func (r *Raft) protocol() int { return r.fsm.Store().View().Protocol() }

// Barrier returns when everything that was in the log before it is applied
// here: a new leader calls it before it trusts its state.
func (r *Raft) Barrier(ctx context.Context) error {
	err := r.wait(ctx, func() raft.Future { return r.raft.Barrier(enqueueTimeout(ctx)) })
	if err != nil {
		return kind("barrier", err)
	}
	return nil
}

// enqueueTimeout bounds how long a request may wait to be taken up.
func enqueueTimeout(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), time.Nanosecond)
	}
	return 0
}

// wait hands something to Raft and waits for what comes of it, but no longer
// than for ctx or Close: the library answers everything while it runs, and
// never what it had not taken up when it was shut down.
func (r *Raft) wait(ctx context.Context, submit func() raft.Future) error {
	r.gate.RLock()
	if r.closing {
		r.gate.RUnlock()
		return raft.ErrRaftShutdown
	}
	r.flying.Add(1)
	r.gate.RUnlock()
	f := submit()
	done := make(chan error, 1)
	go func() {
		defer r.flying.Done()
		done <- f.Error()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return raft.ErrRaftShutdown
	}
}

// snapshotDir is where the snapshots of a server on disk are.
func snapshotDir(dir string) string { return filepath.Join(dir, "snapshots") }
