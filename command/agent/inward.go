package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// inward is a way for this agent to ask its own HTTP API, in memory: what its
// listeners want of their callers, certificates for example, does not concern it.
type inward struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
}

func newInward() *inward {
	return &inward{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *inward) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *inward) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *inward) Addr() net.Addr { return &net.UnixAddr{Name: "self", Net: "unix"} }

// dial connects, once the API is answered.
func (l *inward) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run answers until ctx ends.
func (l *inward) run(ctx context.Context, people http.Handler, logger *slog.Logger) error {
	s := &http.Server{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "self" // no address of the network
			people.ServeHTTP(w, r)
		}),
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	_ = s.Serve(l) // it is closed when the agent ends
	return nil
}

// client asks. No proxy of the environment is in between, and who answers sends
// it nowhere else.
func (l *inward) client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: l.dial, DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
