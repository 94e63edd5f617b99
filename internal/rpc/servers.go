package rpc

import (
	"context"

	"github.com/seraihq/serai/api"
)

// Servers answers other servers.
type Servers interface {
	// Status says who this server is and how far.
	Status(ctx context.Context, req *api.ServerStatusRequest) (*api.ServerStatus, error)
	// Deadlines takes over how long the leader would still wait for nodes.
	Deadlines(ctx context.Context, d *api.NodeDeadlines) (*api.NodeDeadlines, error)
	// ReadIndex says how far the leader is.
	ReadIndex(ctx context.Context, req *api.ReadIndexRequest) (*api.ReadIndex, error)
	// ServerAddresses lists where clients reach the servers, host:port.
	ServerAddresses() []string
}

// Serve has the handler answer other servers as well, and tell client agents
// which servers there are.
func (h *Handler) Serve(s Servers) { h.servers = s }

// telling adds the list of servers to what a call answers.
func telling[Req any](h *Handler, call func(context.Context, *Req) (*api.NodeRegisterResponse, error)) func(context.Context, *Req) (*api.NodeRegisterResponse, error) {
	if h.servers == nil {
		return call
	}
	return func(ctx context.Context, req *Req) (*api.NodeRegisterResponse, error) {
		resp, err := call(ctx, req)
		if err != nil {
			return nil, err
		}
		told := *resp
		told.Servers = h.servers.ServerAddresses()
		return &told, nil
	}
}

// Deadlines tells another server how long the leader would still wait for nodes.
func (c *Client) Deadlines(ctx context.Context, d *api.NodeDeadlines) error {
	_, err := call[api.NodeDeadlines](ctx, c, pathDeadlines, d)
	return err
}

// Status asks the server at an address who it is and how far.
func (c *Client) Status(ctx context.Context, address string, req *api.ServerStatusRequest) (*api.ServerStatus, error) {
	return call[api.ServerStatus](ctx, c.At(address), pathStatus, req)
}

// ReadIndex asks the leader how far it is.
func (c *Client) ReadIndex(ctx context.Context, req *api.ReadIndexRequest) (*api.ReadIndex, error) {
	return call[api.ReadIndex](ctx, c, pathIndex, req)
}
