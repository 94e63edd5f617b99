package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

// Config is what New needs.
type Config struct {
	Address string // host:port; port 0 takes a free one
	For     string // what is listened for, in errors: "HTTP", "RPC"
	HTTP2   bool   // HTTP/2 without encryption beside HTTP/1.1, where TLS is nil
	// TLS gives the configuration for the protocols that are spoken, preferred
	// first; nil: nothing is encrypted.
	TLS func(protos []string) *tls.Config
	// HandshakeTimeout is how long a connection may take to say what it speaks; 0: 5 s.
	HandshakeTimeout  time.Duration
	Logger            *slog.Logger
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int
	MaxConnsPerClient int // 0 = no limit
	Grace             time.Duration
}

// Server is an HTTP listener.
type Server struct {
	cfg      Config
	http     *http.Server
	listener net.Listener
	sorter   *sorter // nil: everything is HTTP without TLS
	protos   []string
	cancel   context.CancelFunc
}

// Open takes the address. Requests are answered from Run on.
func Open(c Config) (*Server, error) {
	l, err := (&net.ListenConfig{KeepAliveConfig: keepAlive}).Listen(context.Background(), "tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for %s: %w; is another agent running?", c.Address, c.For, err)
	}
	base, cancel := context.WithCancel(context.Background())
	s := &Server{
		cfg:      c,
		listener: Limit(l, c.MaxConnsPerClient),
		cancel:   cancel,
		http: &http.Server{
			ReadHeaderTimeout: c.ReadHeaderTimeout,
			IdleTimeout:       c.IdleTimeout,
			MaxHeaderBytes:    c.MaxHeaderBytes,
			BaseContext:       func(net.Listener) context.Context { return base },
			ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
		},
	}
	if c.HTTP2 || c.TLS != nil {
		s.http.Protocols = new(http.Protocols)
		s.http.Protocols.SetHTTP1(true)
		s.http.Protocols.SetHTTP2(c.TLS != nil)
		s.http.Protocols.SetUnencryptedHTTP2(c.TLS == nil)
		s.http.HTTP2 = &http.HTTP2Config{
			WriteByteTimeout:          writeTimeout,
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connBuffer,
		}
	}
	if c.TLS != nil {
		s.sort()
		s.protos = []string{tlsx.ProtoHTTP2, tlsx.ProtoHTTP1}
	}
	return s, nil
}

// sort has the connections looked at before they are served.
func (s *Server) sort() {
	if s.sorter == nil {
		s.sorter = newSorter(s.listener, nil, cmp.Or(s.cfg.HandshakeTimeout, tlsx.HandshakeTimeout), s.cfg.Logger)
	}
}

// Streams takes the connections that speak a protocol other than HTTP: under TLS
// those that agreed on it, else those that begin with its preamble. It is called
// before Run. What is accepted is the caller's to close, and ends neither with
// the listener nor with Run.
func (s *Server) Streams(proto string) net.Listener {
	s.sort()
	out := s.sorter.newStream()
	s.sorter.streams[proto] = out
	s.protos = append(s.protos, proto)
	return out
}

// keepAlive has the kernel find connections whose other side is gone, within 35
// seconds. Pings of HTTP/2 would do so too, but a server that lacks processors
// for a while would find all of its connections dead, and have thousands of
// clients connect again at once.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}

// Of a connection of HTTP/2.
const (
	// writeTimeout is how long the other side may not read.
	writeTimeout = 30 * time.Second
	// streamBuffer and connBuffer are how much may be on its way to a handler.
	streamBuffer = 256 << 10
	connBuffer   = 1 << 20
)

// Address is where the server listens.
func (s *Server) Address() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// Handle sets the handler, before Run.
func (s *Server) Handle(h http.Handler) { s.http.Handler = h }

// Run answers requests until ctx ends. Then open requests are cancelled, which
// ends blocking queries and streams, and given the grace period to finish.
func (s *Server) Run(ctx context.Context) error {
	serve, sorted := s.listener, make(chan error, 1)
	if s.sorter != nil {
		if s.cfg.TLS != nil {
			s.sorter.tls = newGate().guarding(s.cfg.TLS(s.protos))
		}
		serve = s.sorter.http
		go func() { sorted <- s.sorter.run() }()
		defer func() { _ = s.listener.Close(); <-sorted }()
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(serve) }()
	select {
	case err := <-sorted:
		sorted <- err
		_ = s.http.Close()
		return fmt.Errorf("accept for %s: %w", s.cfg.For, errors.Join(err, ignoreClosed(<-served)))
	case err := <-served:
		s.cancel()
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.cancel()
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer stop()
	if err := s.http.Shutdown(end); err != nil {
		_ = s.http.Close()
	}
	if err := ignoreClosed(<-served); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close gives the address back when Run was never called.
func (s *Server) Close() error {
	s.cancel()
	if s.sorter != nil {
		s.sorter.stop()
	}
	return s.listener.Close()
}
