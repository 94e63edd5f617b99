package agent

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
)

// listen takes the address of the HTTP API.
func (a *Agent) listen() (*listen.Server, error) {
	l := a.cfg.Limits
	return listen.Open(listen.Config{
		Address: net.JoinHostPort(a.cfg.Addresses.HTTP, strconv.Itoa(a.cfg.Ports.HTTP)), Logger: a.logger.With("component", "http"),
		ReadHeaderTimeout: l.HTTPReadHeaderTimeout, IdleTimeout: l.HTTPIdleTimeout,
		MaxHeaderBytes: int(l.HTTPMaxHeaderBytes), MaxConnsPerClient: l.HTTPMaxConnsPerClient, Grace: stopGrace,
	})
}

// guarded puts the checks before the API.
func (a *Agent) guarded(next http.Handler) http.Handler {
	l := a.cfg.Limits
	guard := listen.Guard{
		Loopback:     a.http.Address().IP.IsLoopback(),
		AllowedHosts: l.HTTPAllowedHosts, AllowedOrigins: l.HTTPAllowedOrigins,
		Changes: changes,
	}
	return guard.Wrap(listen.Bodies(l.HTTPMaxBodyBytes, isSnapshot, next))
}

// changes finds the GET requests that have effects.
func changes(r *http.Request) bool {
	return r.URL.Path == api.ClientGC.Path || strings.HasPrefix(r.URL.Path, "/v1/client/allocation/")
}

// isSnapshot finds the one request whose body may be of any size.
func isSnapshot(r *http.Request) bool {
	return r.URL.Path == api.SnapshotRestore.Path
}
