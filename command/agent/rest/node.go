package rest

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
)

// nodeKey finds in a context the *api.Node that a request is passed on to.
type nodeKey struct{}

// nodeHost ends the hosts of URLs by which nodes are reached. The ID stands
// before it, so that no two nodes share a connection, whatever address they tell.
const nodeHost = ".node.serai.invalid"

// toNodeOf turns a request to the node in its context.
func toNodeOf(r *httputil.ProxyRequest) {
	n := r.In.Context().Value(nodeKey{}).(*api.Node)
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", n.ID+nodeHost, n.HTTPAddr
	if n.TLSEnabled {
		r.Out.URL.Scheme = "https"
	}
}

// nodeTransport makes connections to the agents of nodes.
func (a *API) nodeTransport() *http.Transport {
	return &http.Transport{
		DialContext:        func(ctx context.Context, _, host string) (net.Conn, error) { return a.dialNode(ctx, host, false) },
		DialTLSContext:     func(ctx context.Context, _, host string) (net.Conn, error) { return a.dialNode(ctx, host, true) },
		DisableCompression: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}
}

// dialNode connects to the agent of the node whose ID begins the host. Over TLS
// the certificate must be an agent's of the region, and where it names an agent
// the node's.
func (a *API) dialNode(ctx context.Context, host string, encrypted bool) (net.Conn, error) {
	id, _, _ := strings.Cut(host, nodeHost)
	n, ok := a.Server.Node(id)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "Unknown node %q", id)
	}
	d := &tlsx.Dialer{}
	if encrypted {
		d = a.Nodes
	}
	return d.DialTo(ctx, n.HTTPAddr, tlsx.ProtoHTTP1, func(p tlsx.Peer) error {
		if p.Node != "" && p.Node != n.Name {
			return api.Errorf(api.ErrDenied, "Permission denied: what answers for node %s (%s) has the certificate of %s", n.ID, n.Name, p)
		}
		return p.Must(d.Region, "answering for a node", tlsx.RoleClient, tlsx.RoleServer)
	})
}

// reachable says why a node's agent cannot be reached safely.
func (a *API) reachable(n *api.Node) error {
	host, _, err := net.SplitHostPort(n.HTTPAddr)
	switch {
	case err != nil:
		return api.Errorf(api.ErrUnavailable, "node %s has told no address at which its agent answers", n.ID)
	case n.TLSEnabled && (a.Nodes == nil || a.Nodes.Keys == nil):
		return api.Errorf(api.ErrUnavailable, "the agent of node %s answers over TLS, and this server has no certificate to show; set tls { rpc = true }, or ask the node's own agent at %s", n.ID, n.HTTPAddr)
	case !n.TLSEnabled && (!tlsx.Loopback(host) || a.Nodes != nil && a.Nodes.Keys != nil):
		// Also not on loopback where there is TLS: the address is what a node on
		// another machine says.
		return api.Errorf(api.ErrUnavailable, "node %s answers at %s without TLS, and nothing is sent to other machines unencrypted; set tls { http = true } on that node, or ask its own agent", n.ID, n.HTTPAddr)
	}
	return nil
}
