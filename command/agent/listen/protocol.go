package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

// sorter is a listener whose connections speak several protocols. Those of HTTP
// are its own; the others go to the streams that asked for them. Every
// connection is looked at in a goroutine of its own, so that one that says
// nothing keeps nobody waiting, and for no longer than timeout.
type sorter struct {
	inner   net.Listener
	tls     *tls.Config // nil: a preamble tells the protocol
	timeout time.Duration
	logger  *slog.Logger
	http    *stream
	streams map[string]*stream // by protocol
	end     context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup
}

func newSorter(inner net.Listener, config *tls.Config, timeout time.Duration, logger *slog.Logger) *sorter {
	s := &sorter{inner: inner, tls: config, timeout: timeout, logger: logger, streams: map[string]*stream{}}
	s.end, s.stop = context.WithCancel(context.Background())
	s.http = s.newStream()
	return s
}

// run accepts until the listener is closed.
func (s *sorter) run() error {
	defer s.work.Wait()
	defer s.stop()
	var wait time.Duration
	for {
		c, err := s.inner.Accept()
		if err != nil {
			if passing, ok := err.(interface{ Temporary() bool }); ok && passing.Temporary() && s.end.Err() == nil {
				// Out of files: what is open goes on, and may end.
				wait = min(max(2*wait, 5*time.Millisecond), time.Second)
				s.logger.Warn("a connection is not accepted, trying again", "err", err)
				select {
				case <-time.After(wait):
				case <-s.end.Done():
				}
				continue
			}
			return err
		}
		wait = 0
		s.work.Go(func() { s.sort(c) })
	}
}

// sort finds out what a connection speaks and hands it over.
func (s *sorter) sort(c net.Conn) {
	ctx, cancel := context.WithTimeout(s.end, s.timeout)
	defer cancel()
	// Closing ends a read that the context cannot.
	stop := context.AfterFunc(s.end, func() { _ = c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(s.timeout))
	out, proto, err := s.greet(ctx, c)
	if err != nil {
		s.logger.Debug("a connection is refused", "remote", c.RemoteAddr().String(), "err", err)
		_ = c.Close()
		return
	}
	_ = out.SetDeadline(time.Time{})
	to := s.http
	if !tlsx.IsHTTP(proto) {
		if to = s.streams[proto]; to == nil {
			s.logger.Debug("a connection of an unknown protocol is refused", "remote", c.RemoteAddr().String())
			_ = c.Close()
			return
		}
	}
	select {
	case to.conns <- out:
	case <-to.closed:
		_ = out.Close()
	case <-ctx.Done(): // nobody takes it
		_ = out.Close()
	}
}

// greet makes the handshake, or reads the preamble.
func (s *sorter) greet(ctx context.Context, c net.Conn) (net.Conn, string, error) {
	if s.tls != nil {
		t := tls.Server(c, s.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, "", err
		}
		return t, t.ConnectionState().NegotiatedProtocol, nil
	}
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		return nil, "", err
	}
	if first[0] != tlsx.PreambleStart {
		return &begun{Conn: c, first: first[:]}, tlsx.ProtoHTTP1, nil
	}
	proto, err := readPreamble(c)
	return c, proto, err
}

// readPreamble reads the name of a protocol, behind the first byte of a
// preamble: not a byte further than its newline.
func readPreamble(r io.Reader) (string, error) {
	var name strings.Builder
	var b [1]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		switch {
		case b[0] == '\n' && name.Len() > 0 && !tlsx.IsHTTP(name.String()):
			return name.String(), nil
		case name.Len() == tlsx.MaxProto, b[0] <= ' ', b[0] > '~':
			return "", errPreamble
		}
		name.WriteByte(b[0])
	}
}

var errPreamble = errors.New("what the connection begins with is neither HTTP nor the name of a protocol")

// begun is a connection whose first bytes were read already.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

// stream is a listener of the connections of one protocol.
type stream struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
	end     <-chan struct{} // of the sorter
}

func (s *sorter) newStream() *stream {
	return &stream{address: s.inner.Addr(), conns: make(chan net.Conn), closed: make(chan struct{}), end: s.end.Done()}
}

// Accept waits for the next connection.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
	case <-s.end:
	}
	return nil, net.ErrClosed
}

// Close ends Accept. Connections that were accepted stay.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr is where the port listens.
func (s *stream) Addr() net.Addr { return s.address }
