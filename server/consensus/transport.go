package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/seraihq/serai/api"
)

// StreamLayer is how servers reach each other: a listener of the connections
// that are meant for Raft, and a dialer of such. Both are expected to have
// made sure who is at the other end.
type StreamLayer interface {
	net.Listener
	// Dial connects to the server at an address, host:port.
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

const (
	// transportTimeout bounds dialing a server, and each read and write; a
	// snapshot gets more by its size.
	transportTimeout = 10 * time.Second
	// pooledConns is how many idle connections to each server are kept.
	pooledConns = 3
)

// transport is the library's transport with an address of its own choice, and
// with a way to hand Raft a call that came from nowhere.
type transport struct {
	*raft.NetworkTransport
	address raft.ServerAddress
	locate  func(id string) string // nil: the log's addresses hold
	streams *streams
	calls   chan raft.RPC
	closed  chan struct{}
	close   func() error
	commits commits
}

func newTransport(layer StreamLayer, address string, locate func(string) string, log *slog.Logger) *transport {
	closed := make(chan struct{})
	s := &streams{StreamLayer: layer, end: closed, open: map[net.Conn]struct{}{}, hungUp: make(chan struct{}, 1)}
	c := &raft.NetworkTransportConfig{
		Stream: s, MaxPool: pooledConns, Timeout: transportTimeout, Logger: newBridge(log), MsgpackUseNewTimeFormat: true,
	}
	if locate != nil {
		c.ServerAddressProvider = locator(locate)
	}
	t := &transport{
		NetworkTransport: raft.NewNetworkTransportWithConfig(c),
		address:          raft.ServerAddress(address), locate: locate, streams: s, calls: make(chan raft.RPC), closed: closed,
	}
	t.close = sync.OnceValue(t.end)
	go t.relay()
	return t
}

// locator finds servers that have moved: all may have at once, and then nobody
// leads who could write that down.
type locator func(id string) string

// ServerAddr gives the address of a server; the error has the library take the
// one in the log.
func (l locator) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if a := l(string(id)); a != "" {
		return raft.ServerAddress(a), nil
	}
	return "", api.Errorf(api.ErrNotFound, "no address of server %s is known but the log's", id)
}

// LocalAddr is where others reach this server, which need not be where it
// listens.
func (t *transport) LocalAddr() raft.ServerAddress { return t.address }

// Consumer gives the calls to be answered.
func (t *transport) Consumer() <-chan raft.RPC { return t.calls }

func (t *transport) relay() {
	for {
		select {
		case call := <-t.NetworkTransport.Consumer():
			t.deliver(call)
		case <-t.closed:
			return
		}
	}
}

func (t *transport) deliver(call raft.RPC) {
	select {
	case t.calls <- call:
	case <-t.closed:
	}
}

// elect has this server stand for election now. It is for one that has nobody
// to wait for.
func (t *transport) elect() {
	answer := make(chan raft.RPCResponse, 1)
	t.deliver(raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, RespChan: answer})
}

// Close ends all connections.
func (t *transport) Close() error { return t.close() }

func (t *transport) end() error {
	close(t.closed)
	err := t.NetworkTransport.Close()
	t.CloseStreams()
	t.streams.hangUp()
	return err
}

// streams is a stream layer that knows the connections that it has accepted,
// which the library leaves open when it ends.
type streams struct {
	StreamLayer
	end    <-chan struct{} // of the transport
	hungUp chan struct{}   // receives when a server has ended a connection; has room for one

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	ended bool
}

// Accept waits for a connection. Behind a listener that was closed before Raft
// it waits for the end, which is near.
func (s *streams) Accept() (net.Conn, error) {
	c, err := s.StreamLayer.Accept()
	if errors.Is(err, net.ErrClosed) {
		<-s.end
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		c.Close()
		return nil, net.ErrClosed
	}
	a := &accepted{Conn: c, from: s}
	s.open[a] = struct{}{}
	return a, nil
}

// Dial connects to a server.
func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	c, err := s.StreamLayer.Dial(string(address), timeout)
	if err != nil {
		return nil, fmt.Errorf("reach server %s: %w", address, err)
	}
	return c, nil
}

func (s *streams) hangUp() {
	s.mu.Lock()
	s.ended = true
	var all []net.Conn
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// accepted is a connection that somebody else has opened.
type accepted struct {
	net.Conn
	from *streams
}

func (a *accepted) Close() error {
	a.from.mu.Lock()
	delete(a.from.open, a)
	a.from.mu.Unlock()
	select {
	case a.from.hungUp <- struct{}{}:
	default:
	}
	return a.Conn.Close()
}
