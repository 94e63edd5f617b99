package agent

import (
	"context"
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
		ErrorLog: slog.NewLogLogger(a.logger.With("component", "join").Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(a.joins); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
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
	binding, err := r.TLS.ExportKeyingMaterial(pki.Binding, nil, pki.BindingSize)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	return a.server.Trust().Join(r.Context(), req, claims, body, binding, net.ParseIP(host))
}
