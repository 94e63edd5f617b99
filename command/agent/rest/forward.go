package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/internal/tlsx"
)

// hopsHeader counts the agents that have passed a request on: from a client to
// a server, from there to the leader, and to the node that it is about.
const hopsHeader = "Serai-Hops"

const maxHops = 4

// local are the operations that an agent without a server answers itself.
var local = []*api.Endpoint{
	api.JobsParse.Endpoint, api.RegionsList.Endpoint, api.AgentSelf.Endpoint, api.AgentServers.Endpoint, api.AgentSetServers.Endpoint, api.AgentHealth.Endpoint,
	api.AgentMonitor.Endpoint, api.AgentReload.Endpoint, api.Metrics.Endpoint,
}

// proxies pass requests on as they are, streams and WebSocket sessions included.
type proxies struct {
	server *httputil.ReverseProxy // to a server, for an agent that has none
	leader *httputil.ReverseProxy // to the server that leads
	node   *httputil.ReverseProxy // to the node that is in the context
}

func (a *API) newProxies() proxies {
	p := proxies{node: a.proxy("the agent of the node", toNodeOf, fromNode)}
	p.node.Transport = a.nodeTransport()
	if a.Peer != nil {
		p.leader = a.proxy("the leader", func(*httputil.ProxyRequest) {}, asItIs)
		p.leader.Transport = leaderTransport{a}
	}
	if a.Servers != nil {
		p.server = a.proxy("a server", func(*httputil.ProxyRequest) {}, asItIs)
		p.server.Transport = a.Servers
	}
	return p
}

// asItIs takes an answer as a server gives it.
func asItIs(*http.Response) error { return nil }

// proxy passes requests on to somebody; rewrite says where, and answered looks
// at what comes back.
func (a *API) proxy(whom string, rewrite func(r *httputil.ProxyRequest), answered func(*http.Response) error) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		FlushInterval: -1, // every part of a stream is wanted at once
		Rewrite: func(r *httputil.ProxyRequest) {
			rewrite(r)
			r.Out.Header.Set(hopsHeader, strconv.Itoa(hops(r.In)+1))
			// This agent's guard has looked at where the request comes from.
			for _, name := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
				r.Out.Header.Del(name)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			for name := range a.Headers { // this agent has set its own
				resp.Header.Del(name)
			}
			resp.Header.Del("X-Content-Type-Options")
			return answered(resp)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if !errors.Is(err, api.ErrNoLeader) {
				err = api.Errorf(api.ErrUnavailable, "%s cannot be reached: %v%s", whom, err, doubt(r, err))
			}
			a.fail(w, r, err)
		},
	}
}

// doubt is what to say of a request that was on its way when the connection broke.
func doubt(r *http.Request, err error) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || errors.Is(err, tlsx.ErrUnreached) {
		return ""
	}
	return "; nobody knows whether the request was carried out: look before you send it again"
}

// hops reads the count; less than none would let a request go round for ever.
func hops(r *http.Request) int {
	n, _ := strconv.Atoi(r.Header.Get(hopsHeader))
	return max(n, 0)
}

func (a *API) toServer(w http.ResponseWriter, r *http.Request) { a.proxies.server.ServeHTTP(w, r) }

// forward passes a request on that another agent has to answer; done says that
// it did.
func (a *API) forward(w http.ResponseWriter, r *http.Request, match api.Match) (done bool, err error) {
	op := match.Endpoint
	if op.Kind != api.OnNode && op != api.AgentMonitor.Endpoint {
		if a.Server != nil {
			return a.forwardToLeader(w, r, op)
		}
		if a.Servers == nil || slices.Contains(local, op) {
			return false, nil
		}
		a.toServer(w, r)
		return true, nil
	}
	alloc, node := match.Value("id"), r.URL.Query().Get("node_id")
	if op == api.JobActionRun.Endpoint { // the ID is that of the job
		alloc = r.URL.Query().Get("allocID")
	}
	if op == api.ClientMetaApply.Endpoint {
		if node, err = nodeOfBody(r); err != nil {
			return false, err
		}
	}
	if a.Client != nil && (alloc != "" && a.Client.HasAlloc(alloc) || alloc == "" && (node == "" || node == a.Client.NodeID())) {
		return false, nil
	}
	if alloc == "" && node == "" || alloc != "" && len(alloc) != 36 || hops(r) >= maxHops {
		return false, nil // what answers here tells what is wrong
	}
	if a.Server == nil {
		if a.Servers == nil || hops(r) > 0 { // a server took this node for the right one
			return false, nil
		}
		a.toServer(w, r)
		return true, nil
	}
	if away, err := a.leaderKnows(r, alloc, node); err != nil {
		return false, err
	} else if away {
		a.toLeader(w, r)
		return true, nil
	}
	if err := a.permitForward(r, match); err != nil {
		return false, err
	}
	return a.toNode(w, r, alloc, node)
}

// toNode passes a request on to the node of an allocation, or the one named.
func (a *API) toNode(w http.ResponseWriter, r *http.Request, alloc, node string) (done bool, err error) {
	if alloc != "" {
		var known bool
		if node, known = a.Server.Locate(alloc); !known {
			return false, nil
		}
	}
	if a.Client != nil && node == a.Client.NodeID() {
		return false, nil
	}
	to, known := a.Server.Node(node)
	if !known {
		return false, api.Errorf(api.ErrNotFound, "Unknown node %q", node)
	}
	if err := a.reachable(to); err != nil {
		return false, err
	}
	a.proxies.node.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nodeKey{}, to)))
	return true, nil
}

// nodeOfBody finds the node that a body names and leaves the body to be read again.
func nodeOfBody(r *http.Request) (string, error) {
	if r.Body == nil {
		return "", nil
	}
	data, err := io.ReadAll(listen.JSONDepth(r.Body, listen.MaxJSONDepth))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return "", listen.TooLarge(large.Limit)
	}
	if err != nil {
		return "", fmt.Errorf("read request body: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	var named struct{ NodeID string }
	_ = json.Unmarshal(data, &named) // whoever answers tells what is wrong
	return named.NodeID, nil
}
