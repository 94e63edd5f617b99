package node

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
)

// Cluster is where a server stands among the others.
type Cluster interface {
	// Route waits, for a bounded time, until there is a leader, and gives its
	// address; empty: it is this server. An error of kind api.ErrNoLeader says
	// that there is none.
	Route(ctx context.Context) (address string, err error)
	// Peer gives the way to the server at an address.
	Peer(address string) Peer
	// Lost is closed when this server has not heard from a leader for so long
	// that clients should turn to another one.
	Lost() <-chan struct{}
}

// Peer is another server.
type Peer interface {
	Register(ctx context.Context, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error)
	// Heartbeats passes several on; the answers are in their order.
	Heartbeats(ctx context.Context, beats []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error)
	UpdateAllocs(ctx context.Context, req *api.AllocUpdateRequest) error
	// UpdateMany passes on what several nodes said; the errors are in their order.
	UpdateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error)
	// Deadlines tells the server for how long nodes are still waited for.
	Deadlines(ctx context.Context, d *api.NodeDeadlines) error
	// ReadIndex asks the leader how far it is.
	ReadIndex(ctx context.Context, req *api.ReadIndexRequest) (*api.ReadIndex, error)
}

// alone is a cluster of one.
type alone struct{}

func (alone) Route(context.Context) (string, error) { return "", nil }
func (alone) Peer(string) Peer                      { return nil }
func (alone) Lost() <-chan struct{}                 { return nil }

// catchUp is how long a call waits for this server to have what the caller has
// seen elsewhere.
const catchUp = 5 * time.Second

// leader gives the way to the server that leads; nil: it is this one.
func (s *Service) leader(ctx context.Context) (Peer, error) {
	address, err := s.Cluster.Route(ctx)
	if err != nil || address == "" {
		return nil, err
	}
	return s.Cluster.Peer(address), nil
}

// passRegister has the leader take up a node, and waits until this server knows
// it too, since the node goes on here.
func (s *Service) passRegister(ctx context.Context, peer Peer, req *api.NodeRegisterRequest) (*api.NodeRegisterResponse, error) {
	resp, err := peer.Register(ctx, req)
	if err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	_, _ = s.Store.WaitIndex(wait, resp.Index) // Sync waits again, where it matters
	return resp, nil
}

// caughtUp waits until what this server tells a node is no older than what the
// node has seen already: to a node, an allocation that is not named is one to be
// stopped. The leader is as far as anybody is.
func (s *Service) caughtUp(ctx context.Context, req *api.NodeSyncRequest) error {
	address, err := s.Cluster.Route(ctx)
	if err != nil || address == "" {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if _, err := s.Store.WaitIndex(wait, req.Index); err != nil {
		return s.behind(ctx, req.Index)
	}
	// A node that was registered through another server comes with the log.
	for {
		v, tracker := s.Store.View().Track()
		if _, ok := v.Node(req.NodeID); ok {
			return nil
		}
		if tracker.Wait(wait) != nil {
			return ctx.Err() // what follows says that the node is not known
		}
	}
}

func (s *Service) behind(ctx context.Context, index uint64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return api.Errorf(api.ErrUnavailable, "this server is at index %d and the node has seen %d: ask another server", s.Store.View().Index(), index)
}
