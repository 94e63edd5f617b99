package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/autopilot"
	"github.com/seraihq/serai/server/backup"
	"github.com/seraihq/serai/server/broker"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/deploy"
	"github.com/seraihq/serai/server/drain"
	"github.com/seraihq/serai/server/endpoint"
	"github.com/seraihq/serai/server/events"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/gc"
	"github.com/seraihq/serai/server/gossip"
	"github.com/seraihq/serai/server/heartbeat"
	"github.com/seraihq/serai/server/keyring"
	"github.com/seraihq/serai/server/node"
	"github.com/seraihq/serai/server/periodic"
	"github.com/seraihq/serai/server/planner"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trust"
)

// Config is what Open needs.
type Config struct {
	Name       string
	ID         string // names the server for ever
	Region     string
	Datacenter string
	Address    string // where other servers would reach it, host:port
	Dir        string // where the log and snapshots are; empty: in memory
	Version    string
	Logger     *slog.Logger

	SchedulerConfig *api.SchedulerConfiguration // of a cluster that has none yet
	Limits          endpoint.Limits
	Drivers         endpoint.DriverCheck
	GC              gc.Thresholds
	GCInterval      time.Duration
	Heartbeat       Heartbeat
	TLS             TLS
	EventBuffer     int           // commits that the event stream remembers
	Backup          backup.Config // snapshots by the clock; none without a Target
	Protocol        int           // newest protocol version that this server may use; 0: what its build knows
	SnapshotAfter   uint64
	TrailingEntries uint64

	// Stream is how servers reach each other; nil: this one is alone. Peer gives
	// the calls to the server at an address, and is needed with it.
	Stream consensus.StreamLayer
	Peer   func(address string) node.Peer
	// Bootstrap has a new server make a cluster of itself. Otherwise it waits to
	// be told who the servers are, or to be taken in.
	Bootstrap      bool
	RaftMultiplier int
	// Membership is how it finds the others; nil: it does not.
	Membership *Membership

	ACL ACL
	// Issuer is the URL under which others find the keys of identities; empty: they
	// are told where those are.
	Issuer string
}

// ACL says whether requests need tokens.
type ACL struct {
	Enabled bool
	Tokens  endpoint.TokenLimits
	// Initial is the secret of the first management token of a cluster that has
	// none yet, a UUID; empty: the operator makes it.
	Initial api.Sensitive
}

// Heartbeat says how soon a silent node is down.
type Heartbeat struct {
	MinTTL    time.Duration
	Grace     time.Duration
	Failover  time.Duration
	MaxPerSec float64
	Brake     heartbeat.Brake
}

// Server is one server. See the package comment.
type Server struct {
	cfg       Config
	store     *state.Store
	raft      *consensus.Raft
	endpoints *endpoint.Endpoints
	events    *events.Buffer
	nodes     *node.Service
	broker    *broker.Broker
	heartbeat *heartbeat.Monitor
	collector *gc.Collector
	tokens    *auth.Resolver // nil: access control is off
	ids       *auth.Resolver // of tasks' identities, always
	ring      *keyring.Ring
	gossip    *gossip.Gossip                 // nil: none
	talk      atomic.Pointer[gossip.Gossip]  // the same, for Raft, which starts before
	pilot     atomic.Pointer[autopilot.Loop] // nil: this server does not lead
	word      promise
	trust     *trust.Service

	clusterMu sync.Mutex // held while the file of the cluster's ID is written

	standing   *standing
	asks       asks          // for reads that this server answers as a follower
	strictAsks asks          // the same, for those that are consistent
	ready      chan struct{} // closed when it first leads or follows, and has caught up
	fatal      chan error
}

// Open opens the store and the log. What is damaged is refused. The caller
// calls Run, and then Close.
func Open(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, store: state.New(), standing: newStanding(), ready: make(chan struct{}), fatal: make(chan error, 1)}
	rc := consensus.Config{
		Dir: cfg.Dir, ID: cfg.ID, Address: cfg.Address, FSM: fsm.New(s.store), Logger: cfg.Logger,
		SnapshotAfter: cfg.SnapshotAfter, TrailingEntries: cfg.TrailingEntries,
		Stream: cfg.Stream, Bootstrap: cfg.Bootstrap, Multiplier: cfg.RaftMultiplier, Locate: s.locate,
		Fatal: func(err error) {
			select {
			case s.fatal <- err:
			default:
			}
		},
	}
	open := consensus.Open
	if cfg.Dir == "" {
		open = consensus.OpenMemory
	}
	var err error
	if s.raft, err = open(rc); err != nil {
		return nil, err
	}
	s.assemble()
	if err := s.openGossip(); err != nil {
		return nil, errors.Join(err, s.raft.Close())
	}
	return s, nil
}

// assemble makes the parts; it starts nothing.
func (s *Server) assemble() {
	log := raftLog{s.raft}
	s.ring, s.ids = keyring.NewRing(s.cfg.Issuer), auth.NewResolver(time.Now)
	if s.cfg.ACL.Enabled {
		s.tokens = s.ids
	}
	component := func(name string) *slog.Logger { return s.cfg.Logger.With("component", name) }
	h := s.cfg.Heartbeat
	s.heartbeat = heartbeat.New(heartbeat.Config{
		Store: s.store, Log: log, Logger: component("heartbeat"),
		MinTTL: h.MinTTL, Grace: h.Grace, Failover: h.Failover, MaxPerSec: h.MaxPerSec, Brake: h.Brake,
	})
	s.collector = gc.New(s.store, log, s.cfg.GC, s.cfg.GCInterval, s.cfg.Logger)
	s.events = events.New(s.store, s.cfg.EventBuffer)
	s.nodes = node.New(node.Config{Store: s.store, Log: log, Logger: component("node"), Ready: s.ready, Beat: s.heartbeat.Beat, Cluster: members{s}, Tokens: s.tokens, Identities: s.ids, Ring: s.ring})
	s.broker = broker.New(broker.Config{
		Store: s.store, Logger: component("broker"),
		Cancel: func(ctx context.Context, list []broker.Superseded) error {
			c := &fsm.EvalCancel{Time: time.Now().UnixNano()}
			for _, x := range list {
				c.Cancels = append(c.Cancels, fsm.EvalCanceled(x))
			}
			_, _, err := log.Apply(ctx, c)
			return err
		},
		Unblock: func(ctx context.Context, evals []*api.Evaluation) error {
			_, _, err := log.Apply(ctx, &fsm.EvalUpsert{Evals: evals})
			return err
		},
	})
	s.trust = s.newTrust()
	s.endpoints = endpoint.New(endpoint.Config{
		Trust: s.trust, Signature: s.signature(),
		Store: s.store, Log: log, Logger: component("endpoint"), Region: s.cfg.Region,
		Limits: s.cfg.Limits, Drivers: s.cfg.Drivers, Collect: s.collector.Collect,
		ACL: s.tokens, Tokens: s.cfg.ACL.Tokens, BootstrapReset: s.bootstrapReset,
	})
}

// raftLog is the log as the parts see it.
type raftLog struct{ raft *consensus.Raft }

func (l raftLog) Apply(ctx context.Context, c fsm.Command) (any, uint64, error) {
	done, err := l.raft.Do(ctx, c)
	if !errors.Is(err, api.ErrNoLeader) {
		touched(ctx)
	}
	return done.Result, done.Index, err
}

// Run works until ctx ends or an entry of the log cannot be applied.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.nodes.Run(ctx) })
	g.Go(func() error { return s.events.Run(ctx) })
	g.Go(func() error { return s.trust.Run(ctx) })
	g.Go(func() error { return s.raft.Lead(ctx, s.lead) })
	g.Go(func() error { return s.measure(ctx) })
	g.Go(func() error { return s.watchContact(ctx) })
	g.Go(func() error { return s.becomeReady(ctx) })
	g.Go(func() error { return s.followMembers(ctx) })
	g.Go(func() error { return s.joinOthers(ctx) })
	g.Go(func() error {
		select {
		case err := <-s.fatal:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close stops the log. What was acknowledged stays.
func (s *Server) Close() error {
	var err error
	if s.gossip != nil {
		err = s.gossip.Close()
	}
	return errors.Join(err, s.raft.Close())
}

// lead does the leader's work until ctx ends.
func (s *Server) lead(ctx context.Context) error {
	term, err := s.settle(ctx)
	if err != nil {
		return err
	}
	if err := s.found(ctx); err != nil {
		return err
	}
	if err := s.firstToken(ctx); err != nil {
		return err
	}
	if err := s.trust.Found(ctx); err != nil {
		return err
	}
	if err := s.firstRootKey(ctx); err != nil {
		return err
	}
	s.cfg.Logger.Info("this server leads", "index", s.store.View().Index())
	g, ctx := errgroup.WithContext(ctx)
	p := planner.New(planner.Config{Store: s.store, Queue: s.broker, Log: raftLog{s.raft}, Logger: s.cfg.Logger.With("component", "planner")})
	g.Go(func() error { return s.broker.Run(ctx) })
	g.Go(func() error { return p.Run(ctx) })
	d := deploy.New(deploy.Config{Store: s.store, Log: raftLog{s.raft}, Logger: s.cfg.Logger.With("component", "deploy")})
	g.Go(func() error { return d.Run(ctx) })
	g.Go(func() error { return s.heartbeat.Run(ctx) })
	g.Go(func() error { return s.shareDeadlines(ctx, term) })
	g.Go(func() error { return s.collector.Run(ctx) })
	g.Go(func() error { return s.followProtocol(ctx) })
	g.Go(func() error { return s.lookAfterServers(ctx) })
	if s.cfg.Backup.Target != nil {
		g.Go(func() error { return s.backUp(ctx) })
	}
	g.Go(func() error {
		return drain.New(drain.Config{Store: s.store, Log: raftLog{s.raft}, Logger: s.cfg.Logger.With("component", "drain")}).Run(ctx)
	})
	g.Go(func() error {
		return periodic.New(periodic.Config{Store: s.store, Log: raftLog{s.raft}, Logger: s.cfg.Logger.With("component", "periodic")}).Run(ctx)
	})
	s.standing.set(term)
	defer s.standing.set(0)
	return g.Wait()
}

// found gives a new cluster its identity and its configuration.
func (s *Server) found(ctx context.Context) error {
	view := s.store.View()
	if _, ok := view.ClusterMeta(); ok {
		return nil
	}
	id := newClusterID()
	if _, err := s.raft.Do(ctx, &fsm.ClusterMeta{ClusterID: id, Time: time.Now().UnixNano()}); err != nil {
		return fmt.Errorf("give the cluster its identity: %w", err)
	}
	if err := s.keepCluster(id); err != nil { // before anybody can stop it and have it join another
		return fmt.Errorf("keep the cluster's identity: %w", err)
	}
	if s.gossip != nil { // at once: until then servers of any other cluster would be let in
		if err := s.gossip.SetCluster(id); err != nil {
			s.cfg.Logger.Debug("the other servers were not told which cluster this server belongs to, telling them again", "err", err)
		}
	}
	if c := s.cfg.SchedulerConfig; c != nil && *c != *api.DefaultSchedulerConfiguration() {
		if _, err := s.raft.Do(ctx, &fsm.SchedulerConfigSet{Config: c}); err != nil {
			return fmt.Errorf("store the default scheduler configuration: %w", err)
		}
	}
	if m := s.cfg.Membership; m != nil && m.Autopilot != nil && *m.Autopilot != *api.DefaultAutopilotConfiguration() {
		if _, err := s.raft.Do(ctx, &fsm.AutopilotConfigSet{Config: m.Autopilot}); err != nil {
			return fmt.Errorf("store the default autopilot configuration: %w", err)
		}
	}
	return nil
}

// firstToken gives a cluster without a management token the one that the
// operator has prepared.
func (s *Server) firstToken(ctx context.Context) error {
	if _, done := s.store.View().ACLBootstrap(); done || s.tokens == nil || s.cfg.ACL.Initial == "" {
		return nil
	}
	t := endpoint.ManagementToken(s.cfg.ACL.Initial, time.Now())
	if _, err := s.raft.Do(ctx, &fsm.ACLBootstrap{Token: t}); err != nil {
		return fmt.Errorf("store the first management token: %w", err)
	}
	s.cfg.Logger.Info("access control has its first management token", "accessor_id", t.AccessorID)
	return nil
}

// Ready is closed when the server leads, or follows a leader, and has caught up
// with the log.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Nodes answers client agents.
func (s *Server) Nodes() *node.Service { return s.nodes }
