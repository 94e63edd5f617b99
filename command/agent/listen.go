package agent

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// listen takes the address of the HTTP API.
func (a *Agent) listen() (*listen.Server, error) {
	l := a.cfg.Limits
	return listen.Open(listen.Config{
		For: "HTTP", Address: net.JoinHostPort(a.cfg.Addresses.HTTP, strconv.Itoa(a.cfg.Ports.HTTP)), Logger: a.logger.With("component", "http"),
		ReadHeaderTimeout: l.HTTPReadHeaderTimeout, IdleTimeout: l.HTTPIdleTimeout,
		MaxHeaderBytes: int(l.HTTPMaxHeaderBytes), MaxConnsPerClient: l.HTTPMaxConnsPerClient, Grace: stopGrace,
		TLS: a.httpTLS(), HandshakeTimeout: l.HTTPSHandshakeTimeout,
	})
}

// listenRPC takes the address for other agents; nil when there is no server that
// they could ask.
func (a *Agent) listenRPC() (*listen.Server, error) {
	if !a.cfg.Server.Enabled {
		return nil, nil
	}
	l := a.cfg.Limits
	s, err := listen.Open(listen.Config{
		For: "RPC", Address: net.JoinHostPort(a.cfg.Addresses.RPC, strconv.Itoa(a.cfg.Ports.RPC)), Logger: a.logger.With("component", "rpc"),
		ReadHeaderTimeout: l.HTTPReadHeaderTimeout, IdleTimeout: l.HTTPIdleTimeout,
		MaxHeaderBytes: int(l.HTTPMaxHeaderBytes), MaxConnsPerClient: l.RPCMaxConnsPerClient, Grace: stopGrace, HTTP2: true,
		TLS: a.rpcTLS(), HandshakeTimeout: l.RPCHandshakeTimeout,
	})
	if err == nil && a.cfg.TLS.CAKeyFile != "" {
		a.joins = s.Streams(tlsx.ProtoJoin)
	}
	if err != nil || s.Address().IP.IsLoopback() || a.cfg.TLS.RPC {
		return s, err
	}
	_ = s.Close()
	return nil, api.Errorf(api.ErrNotBuilt, "addresses.rpc = %q: connections between agents are not encrypted without tls { rpc = true }, so the RPC port listens on loopback only; set addresses { rpc = \"127.0.0.1\" }", a.cfg.Addresses.RPC)
}

// rpcHandler answers other agents: their own calls, and people's requests that
// they pass on.
func (a *Agent) rpcHandler(people http.Handler) http.Handler {
	calls := rpc.NewHandler(a.server.Nodes(), a.server.Trust(), a.logger.With("component", "rpc"))
	if !a.cfg.DevMode {
		calls.Serve(a.server)
	}
	return a.permitted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, rpc.Prefix) {
			calls.ServeHTTP(w, r)
			return
		}
		people.ServeHTTP(w, r)
	}))
}

// guarded puts the checks before what a listener answers with.
func (a *Agent) guarded(at *listen.Server, next http.Handler) http.Handler {
	l := a.cfg.Limits
	guard := listen.Guard{
		Loopback:     at.Address().IP.IsLoopback(),
		AllowedHosts: l.HTTPAllowedHosts, AllowedOrigins: l.HTTPAllowedOrigins,
		Changes: changes,
	}
	return guard.Wrap(a.known(listen.Bodies(l.HTTPMaxBodyBytes, otherwiseBounded, next)))
}

// changes finds the GET requests that have effects.
func changes(r *http.Request) bool {
	return r.URL.Path == api.ClientGC.Path || strings.HasPrefix(r.URL.Path, "/v1/client/allocation/")
}

// otherwiseBounded finds the requests whose bodies the limit of the HTTP API is
// not for: snapshots may be of any size, and calls between agents have a limit
// of their own.
func otherwiseBounded(r *http.Request) bool {
	return r.URL.Path == api.SnapshotRestore.Path || strings.HasPrefix(r.URL.Path, rpc.Prefix)
}
