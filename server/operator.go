package server

import (
	"context"

	"github.com/seraihq/serai/api"
)

// RemovePeer removes a server from the cluster; on the leader.
func (s *Server) RemovePeer(ctx context.Context, id string) error {
	if err := s.hasPeer(func(x *api.RaftServer) bool { return x.ID == id }); err != nil {
		return err
	}
	if err := s.raft.RemoveServer(ctx, id); err != nil {
		return err
	}
	s.cfg.Logger.Warn("an operator removed a server", "id", id)
	return nil
}

// TransferLeadership makes another server lead; on the leader. It is named by
// its ID or its address; both empty: the one that is closest behind.
func (s *Server) TransferLeadership(ctx context.Context, id, address string) error {
	if id == "" && address != "" {
		err := s.hasPeer(func(x *api.RaftServer) bool {
			if x.Address == address {
				id = x.ID
			}
			return x.Address == address
		})
		if err != nil {
			return err
		}
	}
	if id == s.cfg.ID {
		return nil // it leads
	}
	return s.raft.TransferLeadership(ctx, id)
}

func (s *Server) hasPeer(is func(*api.RaftServer) bool) error {
	c, err := s.raft.Configuration()
	if err != nil {
		return err
	}
	for _, x := range c.Servers {
		if is(x) {
			return nil
		}
	}
	return api.Errorf(api.ErrNotFound, "no such server was found in the Raft configuration; \"serai operator raft list-peers\" lists them")
}

// NodeBrake tells whether silent nodes are held; on the leader.
func (s *Server) NodeBrake() api.NodeBrake { return s.heartbeat.BrakeState() }

// ReleaseNodeBrake lets silent nodes be given up; on the leader.
func (s *Server) ReleaseNodeBrake() { s.heartbeat.Release() }
