package server

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/heartbeat"
)

// Deadlines takes over how long the leader would still wait for nodes, for when
// this server leads itself.
func (s *Server) Deadlines(_ context.Context, d *api.NodeDeadlines) (*api.NodeDeadlines, error) {
	return &api.NodeDeadlines{Term: d.Term}, s.heartbeat.Learn(d)
}

// shareTimeout is how long another server may take to be told.
const shareTimeout = 5 * time.Second

// shareDeadlines tells the other servers, until ctx ends, how long this one would
// still wait for nodes. One that cannot be told learns it the next time.
func (s *Server) shareDeadlines(ctx context.Context, term uint64) error {
	tick := time.NewTicker(heartbeat.ShareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		others := s.addresses(func(x *api.RaftServer) bool { return x.ID != s.cfg.ID })
		if len(others) == 0 || s.cfg.Peer == nil {
			continue
		}
		parts := s.heartbeat.Shared(term)
		var g errgroup.Group
		for _, address := range others {
			g.Go(func() error {
				s.tellDeadlines(ctx, address, parts)
				return nil
			})
		}
		_ = g.Wait() // there is none
	}
}

func (s *Server) tellDeadlines(ctx context.Context, address string, parts []*api.NodeDeadlines) {
	ctx, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	for _, part := range parts {
		if err := s.cfg.Peer(address).Deadlines(ctx, part); err != nil {
			s.cfg.Logger.Debug("a server was not told how long nodes are waited for", "server", address, "err", err)
			return
		}
	}
}
