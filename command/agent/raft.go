package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server"
	"github.com/seraihq/serai/server/consensus"
	"github.com/seraihq/serai/server/gossip"
	"github.com/seraihq/serai/server/node"
	"github.com/seraihq/serai/server/trust"
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

// Accept waits for a server. The connection ends when its certificate is revoked.
func (s raftStream) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	t, ok := c.(*tls.Conn)
	if err != nil || !ok || s.dialer.Keys == nil {
		return c, err
	}
	state := t.ConnectionState()
	p, _ := tlsx.PeerOn(&state)
	return &heldConn{Conn: c, release: s.dialer.Keys.Hold(p.Serial, func() { _ = c.Close() })}, nil
}

// heldConn stops being held when it is closed.
type heldConn struct {
	net.Conn
	release func()
}

func (h *heldConn) Close() error {
	h.release()
	return h.Conn.Close()
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

// membership says how the server finds the others; nil: it does not.
func (a *Agent) membership() (*server.Membership, error) {
	if a.cfg.DevMode {
		return nil, nil
	}
	c := a.cfg.Server
	host, err := literal(a.cfg.Addresses.Serf)
	if err != nil {
		return nil, err
	}
	advertise := a.cfg.Advertise.Serf
	if ip := net.ParseIP(host); advertise == "" && ip.IsUnspecified() {
		advertise = a.cfg.Reachable(ip)
	}
	return &server.Membership{
		Gossip: gossip.Config{Host: host, Port: a.cfg.Ports.Serf, Advertise: advertise, Key: c.Encrypt, RejoinAfterLeave: c.RejoinAfterLeave},
		Expect: c.BootstrapExpect, Nonvoter: c.NonVotingServer, Zone: c.RedundancyZone,
		StartJoin: c.ServerJoin.StartJoin, RetryJoin: c.ServerJoin.RetryJoin, RetryInterval: c.ServerJoin.RetryInterval, Retries: c.ServerJoin.RetryMax,
		Ask: a.peers.client.Status, Autopilot: a.cfg.Autopilot.API(),
	}, nil
}

// literal gives the IP address of a host.
func literal(host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	ips, err := net.LookupIP(host)
	if err != nil || len(ips) == 0 {
		return "", fmt.Errorf("addresses.serf = %q: %w", host, err)
	}
	return ips[0].String(), nil
}

// peers are other servers, by their addresses.
type peers struct{ client *rpc.Client }

func (p peers) node(address string) node.Peer         { return p.client.At(address) }
func (p peers) trust(address string) trust.Peer       { return p.client.At(address) }
func (p peers) http(address string) http.RoundTripper { return p.client.At(address) }
