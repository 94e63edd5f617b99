package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// openKeys reads the agent's keys; without TLS there are none.
func (a *Agent) openKeys() error {
	a.dialer = &tlsx.Dialer{Region: a.cfg.Region}
	if !a.cfg.TLS.Enabled() {
		return nil
	}
	var err error
	if a.keys, err = tlsx.Open(a.cfg.TLS.Options()); err != nil {
		return api.Errorf(api.ErrInvalid, "%v", err)
	}
	if !a.cfg.TLS.RPC {
		return nil
	}
	a.dialer.Keys = a.keys
	need := tlsx.RoleClient
	if a.cfg.Server.Enabled {
		need = tlsx.RoleServer
	}
	own := a.keys.Own()
	if !own.Is(need, a.cfg.Region) && !own.Is(tlsx.RoleServer, a.cfg.Region) {
		return api.Errorf(api.ErrInvalid, "tls: the certificate in %s is for %s, and this agent needs one for %s: the other agents would refuse it", a.cfg.TLS.CertFile, own, tlsx.RoleName(need, a.cfg.Region, "nomad"))
	}
	if own.Node != "" && own.Node != a.cfg.Name {
		return api.Errorf(api.ErrInvalid, "tls: the certificate in %s is for the agent %q, and this one is called %q; set name = %q", a.cfg.TLS.CertFile, own.Node, a.cfg.Name, own.Node)
	}
	return nil
}

// httpTLS is how the HTTP API is encrypted; nil: it is not.
func (a *Agent) httpTLS() func([]string) *tls.Config {
	if !a.cfg.TLS.HTTP {
		return nil
	}
	callers := tlsx.Anyone
	if a.cfg.TLS.VerifyHTTPSClient {
		callers = tlsx.Known
	}
	return func(protos []string) *tls.Config { return a.keys.Listening(callers, protos, nil) }
}

// rpcTLS is how the port for agents is encrypted; nil: it is not.
func (a *Agent) rpcTLS() func([]string) *tls.Config {
	if !a.cfg.TLS.RPC {
		return nil
	}
	return func(protos []string) *tls.Config {
		return a.keys.Listening(tlsx.Known, protos, func(proto string, p tlsx.Peer) error {
			if tlsx.IsHTTP(proto) {
				return p.Must(a.cfg.Region, "the RPC port", tlsx.RoleServer, tlsx.RoleClient)
			}
			return p.Must(a.cfg.Region, proto, tlsx.RoleServer)
		})
	}
}

// known says in each request's context who called, and refuses those whose
// certificate was revoked since their connection was made.
func (a *Agent) known(next http.Handler) http.Handler {
	if a.keys == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := tlsx.PeerOn(r.TLS)
		switch {
		case ok && a.keys.Revoked(p.Serial):
			w.Header().Set("Connection", "close")
			http.Error(w, "Permission denied: this certificate is revoked", http.StatusForbidden)
			return
		case ok: // a stream ends with the trust in whom it is for
			ctx, cancel := context.WithCancel(tlsx.WithPeer(r.Context(), p))
			defer cancel()
			defer a.keys.Hold(p.Serial, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// permitted refuses calls between agents for which the caller has not the role.
// Without TLS, on loopback, nobody has any.
func (a *Agent) permitted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := tlsx.PeerFrom(r.Context())
		if a.cfg.TLS.RPC && strings.HasPrefix(r.URL.Path, rpc.Prefix) {
			err := api.Errorf(api.ErrDenied, "Permission denied: a call between agents needs a certificate")
			if ok {
				err = p.Must(a.cfg.Region, "the call "+r.URL.Path, rpc.Roles(r.URL.Path)...)
			}
			if err != nil {
				rpc.Refuse(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// reloadKeys takes over what the files of TLS hold now. Open connections stay.
func (a *Agent) reloadKeys() error {
	if a.keys == nil {
		return nil
	}
	if err := a.keys.Reload(a.reloaded.TLS.Options()); err != nil {
		return fmt.Errorf("the keys that were loaded still hold: %w", err)
	}
	return nil
}

// scheme gives the scheme of a listener's URLs.
func scheme(config func([]string) *tls.Config) string {
	if config != nil {
		return "https"
	}
	return "http"
}
