package agent

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/command/agent/rest"
	"github.com/seraihq/serai/server/auth"
)

// socketConns bounds the connections of one task at a time.
const socketConns = 64

// taskSockets answers the HTTP API on the sockets of tasks. Whoever asks there
// must show a token or the identity of a task, also for what is public elsewhere
// and where access control is off.
type taskSockets struct {
	http    *http.Server
	handler atomic.Pointer[http.Handler]
	serial  atomic.Uint64
	agent   *Agent
}

// socketKey carries the number of the socket that a request came by.
type socketKey struct{}

// newTaskSockets makes them; requests are answered once answer was called.
func newTaskSockets(a *Agent) *taskSockets {
	s := &taskSockets{agent: a}
	l := a.cfg.Limits
	logger := a.logger.With("component", "task_api")
	s.http = &http.Server{
		ReadHeaderTimeout: l.HTTPReadHeaderTimeout, IdleTimeout: l.HTTPIdleTimeout, MaxHeaderBytes: int(l.HTTPMaxHeaderBytes),
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), socketKey{}, s.serial.Add(1))
		},
		Handler: http.HandlerFunc(s.ServeHTTP),
	}
	return s
}

// serve answers on a socket until it is closed.
func (s *taskSockets) serve(l net.Listener) {
	_ = s.http.Serve(netutil.LimitListener(l, socketConns)) // the end of the listener is no error
}

// answer sets what the API is answered with.
func (s *taskSockets) answer(people *rest.API) {
	if s == nil {
		return
	}
	guard := listen.Guard{AllowedHosts: []string{"*"}, AllowedOrigins: s.agent.cfg.Limits.HTTPAllowedOrigins, Changes: changes}
	h := guard.Wrap(listen.Bodies(s.agent.cfg.Limits.HTTPMaxBodyBytes, otherwiseBounded, s.agent.audited(people, people.Authenticated(s.agent.vouch()))))
	s.handler.Store(&h)
}

// ServeHTTP answers a request.
func (s *taskSockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.handler.Load()
	if h == nil {
		http.Error(w, "the agent is just starting; try again", http.StatusServiceUnavailable)
		return
	}
	// No address of the network, and never loopback: what is allowed to people on
	// this machine is not allowed to its tasks. Each task has its own, so that one
	// that guesses tokens slows only itself down.
	n, _ := r.Context().Value(socketKey{}).(uint64)
	r.RemoteAddr = "task-" + strconv.FormatUint(n, 10)
	(*h).ServeHTTP(w, r)
}

func (s *taskSockets) close() {
	if s != nil {
		_ = s.http.Close()
	}
}

// vouch gives what tells whether a secret is a token's, or the identity of a task
// that runs.
func (a *Agent) vouch() func(ctx context.Context, secret api.Sensitive) error {
	owner := a.owner()
	return func(ctx context.Context, secret api.Sensitive) error {
		_, err := owner(ctx, secret)
		return err
	}
}

// owner gives what finds out whose a secret is, also where access control is off.
func (a *Agent) owner() func(ctx context.Context, secret api.Sensitive) (*auth.Identity, error) {
	if a.server != nil {
		return a.server.Known
	}
	tokens := a.remoteTokens()
	tokens.unlimited = true
	return func(ctx context.Context, secret api.Sensitive) (*auth.Identity, error) {
		identity, err := tokens.resolve(ctx, secret)
		if err != nil {
			return nil, err
		}
		return identity, identity.Valid(time.Now())
	}
}
