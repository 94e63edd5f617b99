package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/version"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/gossip"
)

// Membership says how a server finds the others.
type Membership struct {
	// Gossip is where it gossips; Self and Dir are filled in.
	Gossip gossip.Config
	// Expect is how many servers make a new cluster together; below 2 nobody is
	// waited for.
	Expect   int
	Nonvoter bool   // it never has a vote
	Zone     string // redundancy zone; empty: none

	// StartJoin is joined once, RetryJoin again and again until somebody is;
	// Retries bounds that, 0 does not.
	StartJoin     []string
	RetryJoin     []string
	RetryInterval time.Duration
	Retries       int

	// Ask asks the server at an address, host:port of its RPC listener.
	Ask func(ctx context.Context, address string, req *api.ServerStatusRequest) (*api.ServerStatus, error)
	// Autopilot is the configuration of a cluster that has none yet; nil: the
	// default.
	Autopilot *api.AutopilotConfiguration
}

const (
	// askWait bounds the question to one server.
	askWait = 2 * time.Second
	// lookEvery is how often the others are looked at when nothing happens.
	lookEvery = time.Second
	// leaveWait is how long a server that leaves waits to be removed from Raft.
	leaveWait = 10 * time.Second
	// clusterFile keeps the ID of the cluster: a server that has only just been
	// started knows by it where it belongs, before its log is applied.
	clusterFile = "cluster-id"
)

// openGossip begins to gossip, if that was asked for.
func (s *Server) openGossip() error {
	m := s.cfg.Membership
	if m == nil {
		return nil
	}
	c := m.Gossip
	c.Logger = s.cfg.Logger
	if s.cfg.Dir != "" {
		c.Dir = filepath.Join(s.cfg.Dir, "gossip")
	}
	c.Self = gossip.Server{
		Name: s.memberName(), ID: s.cfg.ID, Region: s.cfg.Region, Datacenter: s.cfg.Datacenter, Build: s.cfg.Version, Address: s.cfg.Address,
		Expect: m.Expect, Nonvoter: m.Nonvoter, Zone: m.Zone, Cluster: s.cluster(),
		ProtocolMin: version.ProtocolMin(), ProtocolMax: s.protocolMax(),
	}
	g, err := gossip.Open(c)
	if err != nil {
		return err
	}
	s.gossip = g
	s.talk.Store(g)
	return nil
}

// locate gives the address at which a server says that it is; empty: it is not
// there. It is asked before there is gossip, too.
func (s *Server) locate(id string) string {
	g := s.talk.Load()
	if g == nil {
		return ""
	}
	for _, x := range g.Servers() {
		if x.ID == id && x.Status == gossip.Alive {
			return x.Address
		}
	}
	return ""
}

// cluster gives the ID of the cluster that this server belongs to, as far as it
// knows.
func (s *Server) cluster() string {
	if m, ok := s.store.View().ClusterMeta(); ok {
		return m.ClusterID
	}
	if s.cfg.Dir == "" || !s.raft.Bootstrapped() {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(s.cfg.Dir, clusterFile))
	if err != nil || len(b) > 128 {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// followMembers looks at the other servers until ctx ends: it makes a cluster
// with them when that is due, and tells them which one this server belongs to.
func (s *Server) followMembers(ctx context.Context) error {
	if s.gossip == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	changes, stop := s.raft.Watch()
	defer stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	founder := &founder{server: s, logger: s.cfg.Logger.With("component", "membership")}
	told := ""
	for {
		changed := s.gossip.Changed()
		if id := s.cluster(); id != "" && id != told {
			if err := s.tellCluster(id); err != nil {
				s.cfg.Logger.Debug("the other servers were not told which cluster this server belongs to, telling them again", "err", err)
			} else {
				told = id
			}
		}
		founder.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-changes:
		case <-tick.C:
		}
	}
}

func (s *Server) tellCluster(id string) error {
	if err := s.keepCluster(id); err != nil {
		return err
	}
	return s.gossip.SetCluster(id)
}

// keepCluster keeps the ID of the cluster, durably.
func (s *Server) keepCluster(id string) error {
	if s.cfg.Dir == "" {
		return nil
	}
	s.clusterMu.Lock()
	defer s.clusterMu.Unlock()
	path := filepath.Join(s.cfg.Dir, clusterFile)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// founder makes a new cluster of servers that expect each other.
type founder struct {
	server *Server
	logger *slog.Logger
	said   string // what was logged last
}

// look makes the cluster if it is time and this server's turn.
func (f *founder) look(ctx context.Context) {
	s := f.server
	if s.cfg.Membership.Expect < 2 || s.raft.Bootstrapped() {
		return
	}
	list, why := firstServers(s.gossip.Servers(), s.cfg.Membership.Expect)
	if why != "" {
		f.say(why)
		return
	}
	if list[0].ID != s.cfg.ID {
		f.say("all servers are here; " + list[0].Name + " makes the cluster of them")
		return
	}
	if err := f.found(ctx, list); err != nil {
		f.say(err.Error())
	}
}

// say logs what keeps the servers from being a cluster, once.
func (f *founder) say(text string) {
	if text != f.said {
		f.said = text
		f.logger.Info("no cluster yet: " + text)
	}
}

// found asks the others to be part of the cluster, and makes it when all agree.
// Nobody agrees to two.
func (f *founder) found(ctx context.Context, list []*gossip.Server) error {
	s := f.server
	var ids []string
	var servers []consensus.Server
	for _, x := range list {
		ids = append(ids, x.ID)
		servers = append(servers, consensus.Server{ID: x.ID, Address: x.Address})
	}
	if refusal := s.promise(s.cfg.ID, ids); refusal != "" {
		return errors.New(refusal)
	}
	for _, x := range list[1:] {
		st, err := s.ask(ctx, x.Address, &api.ServerStatusRequest{Claim: s.cfg.ID, Servers: ids})
		switch {
		case err != nil:
			return fmt.Errorf("server %s does not answer at its RPC address %s: %w", x.Name, x.Address, err)
		case st.ID != x.ID:
			return fmt.Errorf("at %s, the RPC address of server %s, another one answers", x.Address, x.Name)
		case !st.Claimed:
			return fmt.Errorf("server %s does not agree: %s", x.Name, st.Refusal)
		}
	}
	if err := s.raft.Bootstrap(servers); err != nil && !errors.Is(err, api.ErrConflict) {
		return err
	}
	f.logger.Info("the servers are a cluster", "servers", len(servers))
	return nil
}

func (s *Server) ask(ctx context.Context, address string, req *api.ServerStatusRequest) (*api.ServerStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	return s.cfg.Membership.Ask(ctx, address, req)
}

// firstServers gives the servers that make the first configuration, the one
// that has to make it first, or says why it is not time.
func firstServers(all []*gossip.Server, expect int) (list []*gossip.Server, why string) {
	for _, x := range all {
		switch {
		case x.Status != gossip.Alive:
		case x.Cluster != "":
			return nil, fmt.Sprintf("server %s belongs to cluster %s, whose leader will take this server in", x.Name, x.Cluster)
		case x.Expect != 0 && x.Expect != expect:
			return nil, fmt.Sprintf("server %s has bootstrap_expect = %d and this one %d; all servers need the same", x.Name, x.Expect, expect)
		case x.Expect == expect && !x.Nonvoter:
			list = append(list, x)
		}
	}
	if len(list) < expect {
		return nil, fmt.Sprintf("%d of %d servers (bootstrap_expect) are here", len(list), expect)
	}
	slices.SortFunc(list, func(a, b *gossip.Server) int { return strings.Compare(a.ID, b.ID) })
	return list[:expect], ""
}

// promiseFor is how long a server keeps its word to be part of a cluster that
// another one is about to make.
const promiseFor = 30 * time.Second

// promise is to whom a server gave its word. It is guarded by mu.
type promise struct {
	mu    sync.Mutex
	to    string
	until time.Time
}

// promise gives this server's word to be part of the cluster that another one
// makes of servers; the refusal is empty when it does.
func (s *Server) promise(to string, servers []string) (refusal string) {
	m := s.cfg.Membership
	s.word.mu.Lock()
	defer s.word.mu.Unlock()
	switch {
	case s.raft.Bootstrapped():
		return "it belongs to a cluster already"
	case m == nil || m.Expect != len(servers) || !slices.Contains(servers, s.cfg.ID) || !slices.Contains(servers, to):
		return "it expects other servers"
	case s.word.to != to && time.Now().Before(s.word.until):
		return "it is about to be part of the cluster that " + s.word.to + " makes"
	}
	s.word.to, s.word.until = to, time.Now().Add(promiseFor)
	return ""
}

// Status answers other servers: who this one is, and how far.
func (s *Server) Status(ctx context.Context, req *api.ServerStatusRequest) (*api.ServerStatus, error) {
	_, leader := s.raft.LeaderAddress()
	out := &api.ServerStatus{
		ID: s.cfg.ID, Name: s.memberName(), Region: s.cfg.Region, Cluster: s.cluster(), Bootstrapped: s.raft.Bootstrapped(),
		Leader: leader, LastTerm: s.raft.Term(), LastIndex: s.raft.LastIndex(), LastContact: s.sinceContact(),
	}
	if m := s.cfg.Membership; m != nil {
		out.Expect = m.Expect
	}
	if c, err := s.raft.Configuration(); err == nil {
		for _, x := range c.Servers {
			out.Servers = append(out.Servers, x.ID)
		}
	}
	if req.Mark != 0 {
		var err error
		if out.Tables, err = s.hashes(ctx, req.Mark); err != nil {
			out.TablesErr = err.Error()
		}
	}
	if req.Claim != "" {
		out.Refusal = s.promise(req.Claim, req.Servers)
		out.Claimed = out.Refusal == ""
	}
	return out, nil
}

// sinceContact is how long ago the leader was heard from; negative: never.
func (s *Server) sinceContact() api.Duration {
	heard := s.raft.LastContact()
	switch {
	case s.raft.Leader():
		return 0
	case heard.IsZero():
		return -1
	}
	return api.Duration(max(0, time.Since(heard)))
}
