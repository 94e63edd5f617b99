package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/gossip"
)

// joinOthers joins the servers of the configuration. An error ends the server:
// one that shall not work alone should not.
func (s *Server) joinOthers(ctx context.Context) error {
	m := s.cfg.Membership
	if m == nil {
		return nil
	}
	if len(m.StartJoin) > 0 {
		if _, err := s.gossip.Join(m.StartJoin); err != nil {
			return fmt.Errorf("start_join: %w", err)
		}
	}
	if len(m.RetryJoin) == 0 {
		return nil
	}
	var last error
	for try := 1; ; try++ {
		n, err := s.gossip.Join(m.RetryJoin)
		if s.others() > 0 {
			s.cfg.Logger.Info("joined other servers", "asked", n, "known", s.others())
			return nil
		}
		if err != nil && (last == nil || err.Error() != last.Error()) {
			s.cfg.Logger.Warn("no server is joined yet, trying again", "every", m.RetryInterval, "err", err)
			last = err
		}
		if m.Retries > 0 && try >= m.Retries {
			return errors.Join(fmt.Errorf("retry_join: no other server was joined in %d tries (retry_max)", try), err)
		}
		timer := time.NewTimer(m.RetryInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if s.others() > 0 { // they have come to us
			return nil
		}
	}
}

// others counts the other servers that live.
func (s *Server) others() int {
	n := 0
	for _, x := range s.gossip.Servers() {
		if x.ID != s.cfg.ID && x.Status == gossip.Alive {
			n++
		}
	}
	return n
}

// errAlone is the answer of a server that gossips with nobody.
func errAlone() error {
	return api.Errorf(api.ErrInvalid, "a server in -dev mode is alone; start agents without -dev to make a cluster (docs/operate/membership.md)")
}

// Join joins the servers at the addresses, each host[:port] of their gossip, and
// gives how many were.
func (s *Server) Join(addresses []string) (int, error) {
	if s.gossip == nil {
		return 0, errAlone()
	}
	return s.gossip.Join(addresses)
}

// ForceLeave declares a server that failed to have left, and has it removed
// from Raft by that; with prune it is forgotten as well.
func (s *Server) ForceLeave(name string, prune bool) error {
	if s.gossip == nil {
		return errAlone()
	}
	if name == "" {
		return api.Errorf(api.ErrInvalid, "no server is named; `serai server members` lists them")
	}
	return s.gossip.ForceLeave(name, prune)
}

// ListKeys asks all servers for their gossip keys.
func (s *Server) ListKeys() (*api.KeyringResponse, error) {
	if s.gossip == nil {
		return nil, errAlone()
	}
	return s.gossip.ListKeys()
}

// InstallKey gives all servers a further gossip key.
func (s *Server) InstallKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if s.gossip == nil {
		return nil, errAlone()
	}
	return s.gossip.InstallKey(key)
}

// UseKey has all servers write with a gossip key that they have.
func (s *Server) UseKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if s.gossip == nil {
		return nil, errAlone()
	}
	return s.gossip.UseKey(key)
}

// RemoveKey takes a gossip key from all servers.
func (s *Server) RemoveKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if s.gossip == nil {
		return nil, errAlone()
	}
	return s.gossip.RemoveKey(key)
}

// ServerAddresses lists where clients reach the servers: those of the cluster
// that are not known to be gone.
func (s *Server) ServerAddresses() []string {
	gone := map[string]bool{}
	for _, x := range s.known() {
		gone[x.ID] = x.Status != api.ServerAlive
	}
	return s.addresses(func(x *api.RaftServer) bool { return !gone[x.ID] })
}

// Leave has this server leave the cluster for good: another one leads, the
// others are told, and the leader removes it from Raft. A server that is the
// only one of its cluster stays what it is.
func (s *Server) Leave(ctx context.Context) error {
	if s.gossip == nil {
		return nil
	}
	s.cfg.Logger.Info("this server leaves the others")
	ctx, cancel := context.WithTimeout(ctx, leaveWait)
	defer cancel()
	voters := s.addresses(func(x *api.RaftServer) bool { return x.Voter })
	if s.raft.Leader() && len(voters) > 1 {
		if err := s.raft.TransferLeadership(ctx, ""); err != nil {
			s.cfg.Logger.Warn("leadership was not handed over, this server removes itself", "err", err)
			if err := s.raft.RemoveServer(ctx, s.cfg.ID); err != nil {
				return fmt.Errorf("leave: %w", err)
			}
		}
	}
	others := s.gossip.Servers()
	if err := s.gossip.Leave(); err != nil {
		return err
	}
	return s.awaitRemoval(ctx, others)
}

// awaitRemoval waits until the leader has removed this server, as the others
// tell: nobody tells the one that is removed.
func (s *Server) awaitRemoval(ctx context.Context, others []*gossip.Server) error {
	if !s.raft.Bootstrapped() || s.isOnly() {
		return nil
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, x := range others {
			if x.ID == s.cfg.ID || x.Status != gossip.Alive {
				continue
			}
			st, err := s.ask(ctx, x.Address, &api.ServerStatusRequest{})
			if err == nil && st.Leader != "" && !slices.Contains(st.Servers, s.cfg.ID) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return api.Errorf(api.ErrUnavailable, "leave: the leader has not removed this server within %s; `serai operator raft list-peers` shows whether it has by now", leaveWait)
		case <-tick.C:
		}
	}
}

// isOnly says whether this server is the only one of its cluster.
func (s *Server) isOnly() bool {
	c, err := s.raft.Configuration()
	return err == nil && len(c.Servers) == 1 && c.Servers[0].ID == s.cfg.ID
}
