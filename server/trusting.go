package server

import (
	"context"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/trust"
)

// TLS is what a server needs to sign certificates; nil Keys: it has no TLS.
type TLS struct {
	Keys      *tlsx.Keys
	CAKeyFile string
	Gossip    string // key of server { encrypt }, for servers that join before there is gossip
	// Peer gives the way to the server at an address.
	Peer func(address string) trust.Peer
}

func (s *Server) newTrust() *trust.Service {
	return trust.New(trust.Config{
		Store: s.store, Log: raftLog{s.raft}, Logger: s.cfg.Logger.With("component", "trust"),
		Region: s.cfg.Region, Datacenter: s.cfg.Datacenter, Keys: s.cfg.TLS.Keys, KeyFile: s.cfg.TLS.CAKeyFile, Gossip: s.gossipKey,
		AccessControl: s.cfg.ACL.Enabled, Servers: s.Peers, LiveServer: s.liveServer, Leader: s.trustLeader, Others: s.trustOthers,
	})
}

// gossipKey gives the key that gossip is written with, which is not the
// configured one any more once the cluster has changed its keys.
func (s *Server) gossipKey() string {
	if g := s.talk.Load(); g != nil {
		if key := g.Key(); key != "" {
			return key.Reveal()
		}
	}
	return s.cfg.TLS.Gossip
}

// trustLeader gives the way to the server that leads; nil: it is this one.
func (s *Server) trustLeader(ctx context.Context) (trust.Peer, error) {
	address, err := s.Route(ctx)
	if err != nil || address == "" {
		return nil, err
	}
	return s.cfg.TLS.Peer(address), nil
}

// trustOthers gives the ways to the other servers that have a vote.
func (s *Server) trustOthers() []trust.Peer {
	var out []trust.Peer
	for _, address := range s.addresses(func(x *api.RaftServer) bool { return x.Voter && x.ID != s.cfg.ID }) {
		out = append(out, s.cfg.TLS.Peer(address))
	}
	return out
}

// liveServer says whether a server of the name runs.
func (s *Server) liveServer(name string) bool {
	for _, m := range s.Members().Members {
		if own, _, _ := strings.Cut(m.Name, "."+s.cfg.Region); m.Status == "alive" && strings.EqualFold(own, name) {
			return true
		}
	}
	return false
}

// Trust signs the certificates of agents.
func (s *Server) Trust() *trust.Service { return s.trust }
