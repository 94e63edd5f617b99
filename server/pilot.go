package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/autopilot"
	"github.com/seraihq/serai/server/gossip"
)

// lookAfterServers is autopilot's work, for as long as this server leads.
func (s *Server) lookAfterServers(ctx context.Context) error {
	loop := autopilot.New(autopilot.Config{
		Observe: s.observe, Apply: s.applyChange, Logger: s.cfg.Logger.With("component", "autopilot"),
		Changed: func() <-chan struct{} {
			if s.gossip == nil {
				return nil
			}
			return s.gossip.Changed()
		},
	})
	s.pilot.Store(loop)
	defer s.pilot.Store(nil)
	return loop.Run(ctx)
}

// observe looks at all servers that Raft or gossip knows, and asks those that
// live.
func (s *Server) observe(ctx context.Context) (*autopilot.Observation, error) {
	c, err := s.raft.Configuration()
	if err != nil {
		return nil, err
	}
	view := s.store.View()
	o := &autopilot.Observation{Config: view.AutopilotConfig(), Cluster: s.cluster()}
	known := s.known()
	index := map[string]int{}
	for i := range known {
		index[known[i].ID] = i
	}
	for _, x := range c.Servers {
		i, ok := index[x.ID]
		if !ok {
			i = len(known)
			known = append(known, autopilot.Server{ID: x.ID, Address: x.Address, Status: api.ServerUnknown})
		}
		known[i].Raft, known[i].RaftAddress, known[i].Voter = true, x.Address, x.Voter
	}
	s.askAll(ctx, known)
	o.Servers = known
	o.Time, o.Term, o.LastIndex = time.Now(), s.raft.Term(), s.raft.LastIndex()
	return o, ctx.Err()
}

// known lists the servers that gossip knows, this one among them.
func (s *Server) known() []autopilot.Server {
	self := autopilot.Server{ID: s.cfg.ID, Name: s.memberName(), Build: s.cfg.Version, Address: s.cfg.Address, Status: api.ServerAlive, Leader: true}
	if s.gossip == nil {
		return []autopilot.Server{self}
	}
	self.Nonvoter, self.Zone = s.cfg.Membership.Nonvoter, s.cfg.Membership.Zone
	out := []autopilot.Server{self}
	seen := map[string]int{s.cfg.ID: 0}
	for _, x := range append(s.gossip.Servers(), s.gossip.Removed()...) {
		at, twice := seen[x.ID]
		if x.ID == s.cfg.ID || twice && x.Status != gossip.Alive {
			continue // under an older name it is gone
		}
		server := autopilot.Server{
			ID: x.ID, Name: x.Name, Build: x.Build, Address: x.Address, Status: string(x.Status), Nonvoter: x.Nonvoter, Zone: x.Zone,
		}
		if twice {
			out[at] = server
			continue
		}
		seen[x.ID] = len(out)
		out = append(out, server)
	}
	return out
}

// askAll asks the servers that live who they are.
func (s *Server) askAll(ctx context.Context, servers []autopilot.Server) {
	var asking sync.WaitGroup
	for i := range servers {
		x := &servers[i]
		if x.Leader || x.Status != api.ServerAlive {
			continue
		}
		asking.Go(func() {
			st, err := s.ask(ctx, x.Address, &api.ServerStatusRequest{})
			if err != nil {
				s.cfg.Logger.Debug("a server does not answer", "component", "autopilot", "server", x.Name, "address", x.Address, "err", err)
				return
			}
			x.Stats = st
		})
	}
	asking.Wait()
}

// applyChange does what autopilot has decided.
func (s *Server) applyChange(ctx context.Context, c autopilot.Change) error {
	switch c.Verb {
	case autopilot.Add:
		return s.raft.AddNonvoter(ctx, c.ID, c.Address)
	case autopilot.Promote:
		return s.raft.AddVoter(ctx, c.ID, c.Address)
	case autopilot.Move:
		if c.Voter {
			return s.raft.AddVoter(ctx, c.ID, c.Address)
		}
		return s.raft.AddNonvoter(ctx, c.ID, c.Address)
	case autopilot.Demote:
		return s.raft.DemoteVoter(ctx, c.ID)
	case autopilot.Remove:
		return s.raft.RemoveServer(ctx, c.ID)
	case autopilot.Yield:
		return s.raft.TransferLeadership(ctx, "")
	}
	return fmt.Errorf("autopilot wants %q, which is unknown", c.Verb)
}

// AutopilotHealth reports on the servers. It is the leader's to do; elsewhere
// the error is of kind api.ErrNoLeader.
func (s *Server) AutopilotHealth(ctx context.Context) (*api.AutopilotHealth, error) {
	for {
		loop := s.pilot.Load()
		if loop == nil {
			return nil, api.Errorf(api.ErrNoLeader, "this server does not lead")
		}
		if h := loop.Health(); h != nil {
			return h, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
