package agent

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
)

// joinTimeout is how long one who joins may take to ask, and to read the answer.
const joinTimeout = 20 * time.Second

// serveJoins answers those that have no certificate yet, until ctx ends.
func (a *Agent) serveJoins(ctx context.Context) error {
	if a.joins == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pki.JoinPath, a.join)
	s := &http.Server{
		Handler: mux, ReadTimeout: joinTimeout, WriteTimeout: 2 * joinTimeout, IdleTimeout: time.Second, MaxHeaderBytes: 8 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, joinKey{}, c) },
		ErrorLog:    slog.NewLogLogger(a.logger.With("component", "join").Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(joinListener{a.joins}); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// joinKey finds in a context the joinConn that a request came on.
type joinKey struct{}

// joinListener hands out connections whose TLS net/http does not see: it serves
// no protocol but those it knows by name.
type joinListener struct{ net.Listener }

type joinConn struct {
	net.Conn
	tls *tls.Conn
}

func (l joinListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("a connection to join is not encrypted")
	}
	return joinConn{t, t}, nil
}

// join answers a request to join.
func (a *Agent) join(w http.ResponseWriter, r *http.Request) {
	answer, err := a.admit(r)
	if err != nil {
		a.logger.Warn("an agent that wants to join is refused", "remote", r.RemoteAddr, "err", err)
		http.Error(w, err.Error(), api.Status(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (a *Agent) admit(r *http.Request) (*pki.JoinAnswer, error) {
	req, claims, body, err := pki.DecodeJoin(r.Body)
	if err != nil {
		return nil, err
	}
	state := r.Context().Value(joinKey{}).(joinConn).tls.ConnectionState()
	binding, err := state.ExportKeyingMaterial(pki.Binding, nil, pki.BindingSize)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	return a.server.Trust().Join(r.Context(), req, claims, body, binding, net.ParseIP(host))
}
