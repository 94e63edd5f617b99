package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/node"
)

const (
	// leaderWait is how long a request waits for a leader: an election takes about
	// a second.
	leaderWait = 5 * time.Second
	// lostAfter is how long a server may hear from no leader before clients are
	// sent to another one.
	lostAfter = 5 * time.Second
	// contactEvery is how often that is looked at.
	contactEvery = 500 * time.Millisecond
	// readyEvery is how often a server that starts looks whether it has caught up.
	readyEvery = 10 * time.Millisecond
)

// standing is where this server stands among the others.
type standing struct {
	// term is the one in which it leads and has applied everything from before; 0:
	// none.
	term atomic.Uint64

	mu      sync.Mutex
	changed chan struct{}   // closed, and replaced, when term changes
	lost    context.Context // done while the leader is not heard
	lose    context.CancelFunc
}

func newStanding() *standing {
	s := &standing{changed: make(chan struct{})}
	s.lost, s.lose = context.WithCancel(context.Background())
	return s
}

func (s *standing) set(term uint64) {
	s.term.Store(term)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *standing) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// heard notes whether the leader was heard from of late.
func (s *standing) heard(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !ok:
		s.lose()
	case s.lost.Err() != nil:
		s.lost, s.lose = context.WithCancel(context.Background())
	}
}

// alone gives a context that is done when the leader has not been heard for a
// while.
func (s *standing) alone() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// leading says whether this server leads and may answer for the cluster.
func (s *Server) leading() bool {
	term := s.standing.term.Load()
	return term != 0 && s.raft.Leader() && s.raft.Term() == term
}

// Address is where other servers reach this one.
func (s *Server) Address() string { return s.cfg.Address }

// settle waits until this server has applied everything from before it led, and
// gives the term that it leads in.
func (s *Server) settle(ctx context.Context) (term uint64, err error) {
	for {
		term = s.raft.Term()
		if err := s.raft.Barrier(ctx); err != nil {
			return 0, err
		}
		if s.raft.Term() == term {
			return term, nil
		}
	}
}

// Route waits until there is a leader, up to leaderWait, and gives its address;
// empty: it is this server. An error of kind api.ErrNoLeader says that there is
// none.
func (s *Server) Route(ctx context.Context) (address string, err error) {
	if s.leading() {
		return "", nil
	}
	if address, ok := s.elsewhere(); ok {
		return address, nil
	}
	changes, stop := s.raft.Watch()
	defer stop()
	timer := time.NewTimer(leaderWait)
	defer timer.Stop()
	for {
		next := s.standing.next()
		if s.leading() {
			return "", nil
		}
		if address, ok := s.elsewhere(); ok {
			return address, nil
		}
		select {
		case <-changes:
		case <-next:
		case <-timer.C:
			return "", api.Errorf(api.ErrNoLeader, "No cluster leader")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// elsewhere gives the address of a leader that is another server.
func (s *Server) elsewhere() (address string, ok bool) {
	address, id := s.raft.LeaderAddress()
	return address, address != "" && id != s.cfg.ID
}

// members is the server's view of the cluster for client agents.
type members struct{ *Server }

func (m members) Peer(address string) node.Peer { return m.cfg.Peer(address) }

func (m members) Lost() <-chan struct{} { return m.standing.alone().Done() }

// watchContact notes how long the leader has not been heard from.
func (s *Server) watchContact(ctx context.Context) error {
	tick := time.NewTicker(contactEvery)
	defer tick.Stop()
	begun := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			heard := s.raft.LastContact()
			if heard.Before(begun) {
				heard = begun // one that has only just been started is given the time
			}
			s.standing.heard(time.Since(heard) < lostAfter)
		}
	}
}

// becomeReady waits until this server leads, or follows and has what the leader
// had when it was first heard.
func (s *Server) becomeReady(ctx context.Context) error {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		next := s.standing.next()
		if s.leading() {
			break
		}
		if _, follows := s.elsewhere(); follows {
			if index, known := s.raft.Committed(); known {
				if _, err := s.store.WaitIndex(ctx, index); err != nil {
					return err
				}
				break
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next:
		case <-tick.C:
		}
	}
	close(s.ready)
	return nil
}

// HandOver has another server lead, where there is one, before this one stops.
func (s *Server) HandOver() {
	voters := s.addresses(func(x *api.RaftServer) bool { return x.Voter })
	if !s.raft.Leader() || len(voters) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handOverWait)
	defer cancel()
	if err := s.raft.TransferLeadership(ctx, ""); err != nil {
		s.cfg.Logger.Warn("leadership was not handed over, the others elect a leader", "err", err)
	}
}

// handOverWait is how long a server that stops waits for another one to lead.
const handOverWait = 3 * time.Second
