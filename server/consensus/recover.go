package consensus

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// peersFile, in the directory of a server that does not run, lists the servers
// of a cluster that has lost its majority. The next start makes this server's
// state the cluster's, with these servers and no others.
const peersFile = "peers.json"

// keptPrefix begins the names of the directories that keep what was replaced.
const keptPrefix = "replaced-"

// recoverPeers does what peersFile says, when there is one.
func recoverPeers(cfg *Config, s stores) error {
	path := filepath.Join(cfg.Dir, peersFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	servers, err := raft.ReadConfigJSON(path)
	if err != nil {
		return fmt.Errorf("recover from %s: %w; it is a list of {\"id\", \"address\", \"non_voter\"}", path, err)
	}
	if !slices.ContainsFunc(servers.Servers, func(x raft.Server) bool { return string(x.ID) == cfg.ID }) {
		return fmt.Errorf("recover from %s: this server, %s, is not in it; add it, or move the file away", path, cfg.ID)
	}
	kept, err := keep(cfg.Dir)
	if err != nil {
		return fmt.Errorf("recover from %s: keep what is there: %w", path, err)
	}
	if err := reconfigure(cfg, s, servers); err != nil {
		return fmt.Errorf("recover from %s: %w; what was there is in %s too", path, err, kept)
	}
	if err := os.Rename(path, filepath.Join(kept, peersFile)); err != nil {
		return fmt.Errorf("recover from %s: %w; remove the file", path, err)
	}
	cfg.Logger.Warn("the servers of the cluster were replaced by those of peers.json; the other servers' data must not come back",
		"servers", len(servers.Servers), "kept", kept)
	return syncDir(cfg.Dir)
}

// reconfigure makes a snapshot of everything in the log, with other servers, and
// empties the log.
func reconfigure(cfg *Config, s stores, servers raft.Configuration) error {
	m := &machine{fsm: cfg.FSM, log: cfg.Logger, grown: newGrowth(), reconfigured: func() {}, pace: s.pace}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(cfg.Address))
	conf := library(*cfg, cfg.Logger)
	return raft.RecoverCluster(conf, m, s.logs, s.stable, s.snapshots, trans, servers)
}

// keep copies the log, the term and the snapshots aside, whole or not at all.
func keep(dir string) (string, error) {
	to := filepath.Join(dir, keptPrefix+time.Now().UTC().Format("20060102-150405.000"))
	part := to + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	for _, name := range []string{"log", "snapshots"} {
		if err := os.CopyFS(filepath.Join(part, name), os.DirFS(filepath.Join(dir, name))); err != nil {
			return "", errors.Join(err, os.RemoveAll(part))
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "stable"))
	if err == nil {
		err = os.WriteFile(filepath.Join(part, "stable"), b, 0o600)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Rename(part, to); err != nil {
		return "", err
	}
	return to, syncDir(dir)
}

// Offline is what the directory of a server that does not run holds.
type Offline struct {
	ID      string // of the server
	Servers []*api.RaftServer
	// Term is the newest that the server knows, and VotedFor the one that it gave
	// its vote to in VoteTerm.
	Term, VoteTerm uint64
	VotedFor       string
	// FirstIndex and LastIndex are of the log; both 0: it is empty. LastTerm is
	// that of the last entry.
	FirstIndex, LastIndex, LastTerm uint64
	Snapshots                       []OfflineSnapshot // newest first
	View                            *state.View       // of everything in snapshot and log, committed or not
}

// OfflineSnapshot is a snapshot of a server that does not run.
type OfflineSnapshot struct {
	ID          string
	Index, Term uint64
	Size        int64
}

// ReadOffline reads what a server that does not run has in dir. Nobody else may
// have it open.
func ReadOffline(dir, id string) (*Offline, error) {
	cfg := Config{Dir: dir, ID: id, FSM: fsm.New(state.New()), Logger: slog.New(slog.DiscardHandler)}
	for _, name := range []string{"log", "stable"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return nil, api.Errorf(api.ErrNotFound, "%s is not the data of a server: %v", dir, err)
		}
	}
	s, err := openStores(&cfg)
	if err != nil {
		return nil, fmt.Errorf("open raft in %s: %w", dir, err)
	}
	defer s.closer.Close()
	return readOffline(&cfg, s)
}

func readOffline(cfg *Config, s stores) (*Offline, error) {
	out := &Offline{ID: cfg.ID}
	out.Term, _ = s.stable.GetUint64([]byte("CurrentTerm"))
	out.VoteTerm, _ = s.stable.GetUint64([]byte("LastVoteTerm"))
	if candidate, err := s.stable.Get([]byte("LastVoteCand")); err == nil {
		out.VotedFor = string(candidate)
	}
	list, err := s.snapshots.List()
	if err != nil {
		return nil, err
	}
	var servers raft.Configuration
	after := uint64(0)
	for i, x := range list {
		out.Snapshots = append(out.Snapshots, OfflineSnapshot{x.ID, x.Index, x.Term, x.Size})
		if i == 0 {
			servers, after = x.Configuration, x.Index
		}
	}
	if out.FirstIndex, err = s.logs.FirstIndex(); err != nil {
		return nil, err
	}
	if out.LastIndex, err = s.logs.LastIndex(); err != nil {
		return nil, err
	}
	for i := max(after+1, out.FirstIndex); i > 0 && i <= out.LastIndex; i++ {
		var entry raft.Log
		if err := s.logs.GetLog(i, &entry); err != nil {
			return nil, fmt.Errorf("log entry %d: %w", i, err)
		}
		out.LastTerm = entry.Term
		switch entry.Type {
		case raft.LogConfiguration:
			servers = raft.DecodeConfiguration(entry.Data)
		case raft.LogCommand:
			if _, err := cfg.FSM.Apply(entry.Index, entry.Data); err != nil && fsm.Fatal(err) {
				return nil, fmt.Errorf("log entry %d: %w", i, err)
			}
		}
	}
	for _, x := range servers.Servers {
		out.Servers = append(out.Servers, &api.RaftServer{
			ID: string(x.ID), Node: string(x.ID), Address: string(x.Address), Voter: x.Suffrage == raft.Voter, RaftProtocol: "3",
		})
	}
	out.View = cfg.FSM.Store().View()
	return out, nil
}

// RecoverOffline makes a server that does not run the only one of its cluster,
// at an address, with all that it has. It returns where what was replaced is
// kept.
func RecoverOffline(dir, id, address string) (kept string, err error) {
	cfg := Config{Dir: dir, ID: id, Address: address, FSM: fsm.New(state.New()), Logger: slog.New(slog.DiscardHandler)}
	s, err := openStores(&cfg)
	if err != nil {
		return "", fmt.Errorf("open raft in %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, s.closer.Close()) }()
	if kept, err = keep(dir); err != nil {
		return "", fmt.Errorf("keep what is there: %w", err)
	}
	return kept, reconfigure(&cfg, s, configuration([]Server{{ID: id, Address: address}}))
}
