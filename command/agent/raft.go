package agent

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/node"
)

// raftStream is how servers replicate the log to each other: connections to the
// RPC port that ask for Raft.
type raftStream struct {
	net.Listener
	dialer *tlsx.Dialer
}

// Dial connects to a server.
func (s raftStream) Dial(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.dialer.Dial(ctx, address, tlsx.ProtoRaft)
}

// raftStream takes the connections of other servers; nil: this one is alone.
func (a *Agent) raftStream() consensus.StreamLayer {
	if a.cfg.DevMode || a.rpc == nil {
		return nil
	}
	return raftStream{a.rpc.Streams(tlsx.ProtoRaft), a.dialer}
}

// bootstraps says whether a new server makes a cluster of itself: it was told to
// expect no others, or was told nothing and knows none that it could join.
func (a *Agent) bootstraps() bool {
	c := a.cfg.Server
	switch c.BootstrapExpect {
	case 0:
		return len(c.ServerJoin.RetryJoin)+len(c.ServerJoin.StartJoin) == 0
	case 1:
		return true
	}
	return false
}

// peers are other servers, by their addresses.
type peers struct{ client *rpc.Client }

func (p peers) node(address string) node.Peer         { return p.client.At(address) }
func (p peers) http(address string) http.RoundTripper { return p.client.At(address) }
