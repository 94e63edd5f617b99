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
		return nil, fmt.Errorf("listen on %s for HTTP: %w; is another agent running?", c.Address, err)
	}
	base, cancel := context.WithCancel(context.Background())
	return &Server{
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
	}, nil
}

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
