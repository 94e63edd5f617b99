package rpc

import (
	"context"

	"github.com/seraihq/serai/api"
)

// beatsRequest is several heartbeats in one call.
type beatsRequest struct {
	Beats []*api.NodeHeartbeatRequest
}

// beatsAnswer holds their answers, in their order.
type beatsAnswer struct {
	Answers []beatAnswer
}

// beatAnswer is the answer to one, or its error.
type beatAnswer struct {
	api.NodeRegisterResponse
	Kind   string // of the error, see kinds
	Error  string
	Failed bool
}

func (h *Handler) heartbeats(ctx context.Context, req *beatsRequest) (*beatsAnswer, error) {
	list, err := h.nodes.Heartbeats(ctx, req.Beats)
	if err != nil {
		return nil, err
	}
	out := &beatsAnswer{Answers: make([]beatAnswer, len(list))}
	for i, a := range list {
		if a.Err == nil {
			out.Answers[i].NodeRegisterResponse = a.NodeRegisterResponse
			continue
		}
		told := serverError(a.Err)
		out.Answers[i] = beatAnswer{Kind: kindName(told), Error: told.Error(), Failed: true}
	}
	return out, nil
}

// Heartbeats passes on what nodes said to a server that does not lead.
func (c *Client) Heartbeats(ctx context.Context, beats []*api.NodeHeartbeatRequest) ([]api.NodeHeartbeatAnswer, error) {
	got, err := call[beatsAnswer](ctx, c, pathBeats, &beatsRequest{beats})
	if err != nil {
		return nil, err
	}
	out := make([]api.NodeHeartbeatAnswer, len(got.Answers))
	for i, a := range got.Answers {
		if a.Failed {
			out[i].Err = remoteError(a.Kind, a.Error)
		} else {
			out[i].NodeRegisterResponse = a.NodeRegisterResponse
		}
	}
	return out, nil
}

// At gives a client of one server that shares this one's connections.
func (c *Client) At(server string) *Client {
	return &Client{servers: newPool([]string{server}), dialer: c.dialer, decoded: c.decoded, http: c.http, upgrade: c.upgrade}
}
