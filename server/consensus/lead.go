package consensus

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
)

// Leader says whether this server leads.
func (r *Raft) Leader() bool { return r.raft.State() == raft.Leader }

// LeaderAddress returns the address and ID of the server that leads, as far as
// this one knows; empty when nobody does.
func (r *Raft) LeaderAddress() (address, id string) {
	a, i := r.raft.LeaderWithID()
	return string(a), string(i)
}

// retryLead is how long the leader's work rests after it ended in an error.
const retryLead = time.Second

// Lead runs lead for as long as this server leads: it starts when leadership
// is won, its context ends when leadership is lost, and it is waited for. When
// lead returns before, it is started again after a pause. Lead itself returns
// when ctx ends, and belongs to one caller.
func (r *Raft) Lead(ctx context.Context, lead func(context.Context) error) error {
	changes := r.raft.LeaderCh()
	if !r.Leader() {
		if err := r.awaitLeadership(ctx, changes); err != nil {
			return err
		}
	}
	for {
		term, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- lead(term) }()
		r.untilLost(ctx, r.raft.CurrentTerm(), changes, done)
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			r.log.Warn("leader work ended", "err", err)
		}
		if err := r.awaitLeadership(ctx, changes); err != nil {
			return err
		}
	}
}

// untilLost returns when leadership is lost, ctx ends or the work is done; the
// result of the work stays in done.
func (r *Raft) untilLost(ctx context.Context, since uint64, changes <-chan bool, done chan error) {
	for {
		select {
		case leads := <-changes:
			if !leads || r.raft.CurrentTerm() != since {
				return // also when it was lost and won again in between
			}
		case <-ctx.Done():
			return
		case err := <-done:
			done <- err
			r.pause(ctx)
			return
		}
	}
}

func (r *Raft) pause(ctx context.Context) {
	t := time.NewTimer(retryLead)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Raft) awaitLeadership(ctx context.Context, changes <-chan bool) error {
	for !r.Leader() {
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// TransferLeadership asks another server to lead.
func (r *Raft) TransferLeadership(ctx context.Context) error {
	if err := r.wait(ctx, r.raft.LeadershipTransfer); err != nil {
		return kind("transfer leadership", err)
	}
	return nil
}

// Stats are Raft's own figures, by name, as text.
func (r *Raft) Stats() map[string]string { return r.raft.Stats() }

// LastIndex returns the index of the last log entry.
func (r *Raft) LastIndex() uint64 { return r.raft.LastIndex() }

// AppliedIndex returns the index of the last log entry that was applied.
func (r *Raft) AppliedIndex() uint64 { return r.raft.AppliedIndex() }

// LastContact returns when this server last heard from the leader; the zero
// time when it leads.
func (r *Raft) LastContact() time.Time {
	if r.Leader() {
		return time.Time{}
	}
	return r.raft.LastContact()
}

// Configuration lists the servers of the cluster.
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
