package consensus

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// probeTimeout bounds the attempt to reach a leader that hung up.
	probeTimeout = 500 * time.Millisecond
	// probeAgain is how long it takes to the next attempt, and probeFor to the last.
	probeAgain = 20 * time.Millisecond
	probeFor   = time.Second
	// yield is how long a server lets each of those before it, by ID, stand for
	// election first: of two that do so together often neither wins.
	yield = 150 * time.Millisecond
)

// vigil notices that the leader's process has ended, and stands for election
// then: that a machine refuses connections to the leader's port is known at once,
// while silence has to be waited for. It returns when the server closes.
func (r *Raft) vigil(network *transport) {
	defer close(r.watched)
	for {
		select {
		case <-network.streams.hungUp:
		case <-r.closed:
			return
		}
		term := r.raft.CurrentTerm()
		leader, rank := r.follows()
		if leader == "" || !r.gone(network, leader, term) {
			continue
		}
		if !r.rest(time.Duration(rank)*yield) || !r.still(leader, term) {
			continue
		}
		r.log.Warn("the leader's process has ended, this server stands for election", "leader", leader)
		network.elect()
	}
}

// follows gives the leader that this server follows, and how many servers are to
// stand for election before this one; an empty ID when it is not for this server
// to do so.
func (r *Raft) follows() (leader raft.ServerID, rank int) {
	_, leader = r.raft.LeaderWithID()
	if r.raft.State() != raft.Follower || leader == "" {
		return "", 0
	}
	var voters []raft.ServerID
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter && s.ID != leader {
			voters = append(voters, s.ID)
		}
	}
	slices.Sort(voters)
	rank = slices.Index(voters, raft.ServerID(r.cfg.ID))
	if rank < 0 {
		return "", 0
	}
	return leader, rank
}

// gone says whether nothing listens where the leader was: twice, since one that
// is starting again will. A process that ends closes its sockets one after the
// other, so that the first attempts may still reach it; one that is heard from
// lives.
func (r *Raft) gone(network *transport, leader raft.ServerID, term uint64) bool {
	hungUp, refused := time.Now(), 0
	for time.Since(hungUp) < probeFor {
		if network.refuses(leader, r.addressInLog(leader)) {
			refused++
		}
		if refused == 2 {
			return true
		}
		if !r.rest(probeAgain) || !r.still(leader, term) || r.raft.LastContact().After(hungUp) {
			return false
		}
	}
	return false
}

// still says whether this server follows that leader yet.
func (r *Raft) still(leader raft.ServerID, term uint64) bool {
	_, now := r.raft.LeaderWithID()
	return r.raft.State() == raft.Follower && now == leader && r.raft.CurrentTerm() == term
}

func (r *Raft) addressInLog(id raft.ServerID) raft.ServerAddress {
	for _, s := range r.raft.GetConfiguration().Configuration().Servers {
		if s.ID == id {
			return s.Address
		}
	}
	return ""
}

// rest waits; it says whether the server is still open.
func (r *Raft) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.closed:
		return false
	}
}

// refuses says whether a machine says that nothing listens at a server's address.
// One that is silent, or out of reach, may lead on.
func (t *transport) refuses(id raft.ServerID, address raft.ServerAddress) bool {
	if t.locate != nil {
		if a := t.locate(string(id)); a != "" {
			address = raft.ServerAddress(a)
		}
	}
	c, err := t.streams.Dial(address, probeTimeout)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
