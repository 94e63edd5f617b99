package rest

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/seraihq/serai/api"
)

// Cluster is what the API needs of the servers as a group.
type Cluster interface {
	// Join joins the servers at the addresses of their gossip.
	Join(addresses []string) (joined int, err error)
	ForceLeave(name string, prune bool) error
	AutopilotHealth(ctx context.Context) (*api.AutopilotHealth, error)
	ListKeys() (*api.KeyringResponse, error)
	InstallKey(key api.Sensitive) (*api.KeyringResponse, error)
	UseKey(key api.Sensitive) (*api.KeyringResponse, error)
	RemoveKey(key api.Sensitive) (*api.KeyringResponse, error)
}

// memberHandlers declares what the agent answers of the servers as a group.
func (a *API) memberHandlers() {
	value(a, api.AgentJoin, func(_ context.Context, req *api.AgentJoinRequest) (api.AgentJoinResponse, error) {
		if err := a.needServer(); err != nil {
			return api.AgentJoinResponse{}, err
		}
		if len(req.Addresses) == 0 {
			return api.AgentJoinResponse{}, api.Errorf(api.ErrInvalid, "missing address to join")
		}
		n, err := a.Server.Join(req.Addresses)
		if err != nil {
			return api.AgentJoinResponse{Error: err.Error()}, nil
		}
		return api.AgentJoinResponse{NumJoined: n}, nil
	})
	value(a, api.AgentForceLeave, func(_ context.Context, req *api.AgentForceLeaveRequest) (api.None, error) {
		if err := a.needServer(); err != nil {
			return api.None{}, err
		}
		return api.None{}, a.Server.ForceLeave(req.Node, req.Prune)
	})
	value(a, api.AgentSetServers, a.setServers)
	a.keyring()
	stream(a, api.Op[api.AutopilotHealthRequest, api.Raw]{Endpoint: api.AutopilotHealthRead.Endpoint}, a.autopilotHealth)
}

// setServers replaces the servers that a client asks.
func (a *API) setServers(_ context.Context, req *api.AgentSetServersRequest) (api.None, error) {
	if a.Servers == nil {
		return api.None{}, api.Errorf(api.ErrInvalid, "this agent has a server of its own and asks that one; set the servers of an agent that has none")
	}
	if len(req.Addresses) == 0 {
		return api.None{}, api.Errorf(api.ErrInvalid, "missing server address")
	}
	for _, address := range req.Addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return api.None{}, api.Errorf(api.ErrInvalid, "%q is not host:port", address)
		}
	}
	a.Servers.SetServers(req.Addresses)
	return api.None{}, nil
}

func (a *API) keyring() {
	value(a, api.AgentKeyringList, func(context.Context, *api.ListRequest) (*api.KeyringResponse, error) {
		if err := a.needServer(); err != nil {
			return nil, err
		}
		return a.Server.ListKeys()
	})
	for _, x := range []struct {
		op api.Op[api.KeyringRequest, *api.KeyringResponse]
		do func(Cluster, api.Sensitive) (*api.KeyringResponse, error)
	}{
		{api.AgentKeyringInstall, Cluster.InstallKey}, {api.AgentKeyringUse, Cluster.UseKey},
		{api.AgentKeyringRemove, Cluster.RemoveKey}, {api.AgentKeyringDelete, Cluster.RemoveKey},
	} {
		value(a, x.op, func(_ context.Context, req *api.KeyringRequest) (*api.KeyringResponse, error) {
			if err := a.needServer(); err != nil {
				return nil, err
			}
			return x.do(a.Server, api.Sensitive(req.Key))
		})
	}
}

// autopilotHealth answers with the status 429 when a server is not healthy, so
// that a probe sees it.
func (a *API) autopilotHealth(w http.ResponseWriter, r *http.Request, req *api.AutopilotHealthRequest) error {
	if err := a.needServer(); err != nil {
		return err
	}
	h, err := a.Server.AutopilotHealth(r.Context())
	if err != nil {
		return err
	}
	if h.Healthy || req.Always {
		return writeValue(w, r, h)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	return json.NewEncoder(w).Encode(h)
}
