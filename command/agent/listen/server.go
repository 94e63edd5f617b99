package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is what New needs.
type Config struct {
	Address           string // host:port; port 0 takes a free one
	For               string // what is listened for, in errors: "HTTP", "RPC"
	HTTP2             bool   // HTTP/2 without encryption beside HTTP/1.1
	Logger            *slog.Logger
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int
	MaxConnsPerClient int // 0 = no limit
	Grace             time.Duration
}

// Server is an HTTP listener.
type Server struct {
	http     *http.Server
	listener net.Listener
	grace    time.Duration
	cancel   context.CancelFunc
}

// Open takes the address. Requests are answered from Run on.
func Open(c Config) (*Server, error) {
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for %s: %w; is another agent running?", c.Address, c.For, err)
	}
	base, cancel := context.WithCancel(context.Background())
	s := &Server{
		listener: Limit(l, c.MaxConnsPerClient),
		grace:    c.Grace,
		cancel:   cancel,
		http: &http.Server{
			ReadHeaderTimeout: c.ReadHeaderTimeout,
			IdleTimeout:       c.IdleTimeout,
			MaxHeaderBytes:    c.MaxHeaderBytes,
			BaseContext:       func(net.Listener) context.Context { return base },
			ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
		},
	}
	if c.HTTP2 {
		s.http.Protocols = new(http.Protocols)
		s.http.Protocols.SetHTTP1(true)
		s.http.Protocols.SetUnencryptedHTTP2(true)
		s.http.HTTP2 = &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout,
			MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connBuffer,
		}
	}
	return s, nil
}

// Of a connection of HTTP/2.
const (
	// pingAfter is how long it is quiet before it is tested, pingTimeout how long
	// the answer may take, and writeTimeout how long the other side may not read.
	pingAfter    = 15 * time.Second
	pingTimeout  = 10 * time.Second
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
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		s.cancel()
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.cancel()
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer stop()
	if err := s.http.Shutdown(end); err != nil {
		_ = s.http.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Close gives the address back when Run was never called.
func (s *Server) Close() error {
	s.cancel()
	return s.listener.Close()
}
