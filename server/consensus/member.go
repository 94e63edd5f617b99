package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
)

// Server is a member of the cluster.
type Server struct {
	ID      string
	Address string
	// Nonvoter says that it receives the log and has no vote.
	Nonvoter bool
}

func configuration(servers []Server) raft.Configuration {
	var c raft.Configuration
	for _, s := range servers {
		suffrage := raft.Voter
		if s.Nonvoter {
			suffrage = raft.Nonvoter
		}
		c.Servers = append(c.Servers, raft.Server{Suffrage: suffrage, ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address)})
	}
	return c
}

// Bootstrap makes a new cluster of these servers. Every one of them may be told
// so, with the same list; one that has a log already answers with an error of
// kind api.ErrConflict and changes nothing.
func (r *Raft) Bootstrap(servers []Server) error {
	err := r.raft.BootstrapCluster(configuration(servers)).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return api.Errorf(api.ErrConflict, "bootstrap: this server is part of a cluster already")
	}
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	r.changed.tell()
	return nil
}

// Bootstrapped says whether this server is part of a cluster: it was told who
// the servers are, by Bootstrap or by a leader that took it in.
func (r *Raft) Bootstrapped() bool {
	return r.raft.LastIndex() > 0 || len(r.raft.GetConfiguration().Configuration().Servers) > 0
}

// AddVoter takes a server in, or gives one that is in it its vote or another
// address. Like every change of the cluster it is the leader's to do; elsewhere
// the error is of kind api.ErrNoLeader.
func (r *Raft) AddVoter(ctx context.Context, id, address string) error {
	return r.change(ctx, "add voter "+id, func(wait time.Duration) raft.IndexFuture {
		return r.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, wait)
	})
}

// AddNonvoter takes a server in that receives the log and has no vote. The vote
// of one that has it stays.
func (r *Raft) AddNonvoter(ctx context.Context, id, address string) error {
	return r.change(ctx, "add server "+id, func(wait time.Duration) raft.IndexFuture {
		return r.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, wait)
	})
}

// DemoteVoter takes a server's vote.
func (r *Raft) DemoteVoter(ctx context.Context, id string) error {
	return r.change(ctx, "demote server "+id, func(wait time.Duration) raft.IndexFuture {
		return r.raft.DemoteVoter(raft.ServerID(id), 0, wait)
	})
}

// RemoveServer removes a server from the cluster. The leader may remove itself;
// it stops leading then.
func (r *Raft) RemoveServer(ctx context.Context, id string) error {
	return r.change(ctx, "remove server "+id, func(wait time.Duration) raft.IndexFuture {
		return r.raft.RemoveServer(raft.ServerID(id), 0, wait)
	})
}

func (r *Raft) change(ctx context.Context, what string, submit func(time.Duration) raft.IndexFuture) error {
	if err := r.wait(ctx, func() raft.Future { return submit(enqueueTimeout(ctx)) }); err != nil {
		return kind(what, err)
	}
	return nil
}

// TransferLeadership makes another server lead: the one with the ID, or the one
// that is closest behind when it is empty.
func (r *Raft) TransferLeadership(ctx context.Context, id string) error {
	submit := r.raft.LeadershipTransfer
	if id != "" {
		address, err := r.addressOf(id)
		if err != nil {
			return err
		}
		submit = func() raft.Future { return r.raft.LeadershipTransferToServer(raft.ServerID(id), address) }
	}
	if err := r.wait(ctx, submit); err != nil {
		return kind("transfer leadership", err)
	}
	return nil
}

func (r *Raft) addressOf(id string) (raft.ServerAddress, error) {
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		switch {
		case string(s.ID) != id:
		case s.Suffrage != raft.Voter:
			return "", api.Errorf(api.ErrInvalid, "transfer leadership: server %s has no vote", id)
		default:
			return s.Address, nil
		}
	}
	return "", api.Errorf(api.ErrNotFound, "transfer leadership: no server has the ID %q", id)
}

// VerifyLeader asks the other servers whether this one still leads. An error of
// kind api.ErrNoLeader says that it does not.
func (r *Raft) VerifyLeader(ctx context.Context) error {
	if err := r.wait(ctx, r.raft.VerifyLeader); err != nil {
		return kind("verify leadership", err)
	}
	return nil
}

// Configuration lists the servers of the cluster, as far as this one knows.
func (r *Raft) Configuration() (*api.RaftConfiguration, error) {
	f := r.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, kind("read configuration", err)
	}
	_, leader := r.raft.LeaderWithID()
	out := &api.RaftConfiguration{Index: f.Index()}
	for _, s := range f.Configuration().Servers {
		out.Servers = append(out.Servers, &api.RaftServer{
			ID: string(s.ID), Node: string(s.ID), Address: string(s.Address),
			Leader: s.ID == leader, Voter: s.Suffrage == raft.Voter, RaftProtocol: "3",
		})
	}
	return out, nil
}
