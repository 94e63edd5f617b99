package rpc

import (
	"context"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// What several nodes say of their allocations, in one call: a string that one of
// them has written is a number for the others.

// updatesAnswer holds the errors of the updates that were refused.
type updatesAnswer struct {
	Refused []updateRefused
}

type updateRefused struct {
	At    int    // in the order of the call
	Kind  string // see kinds
	Error string
}

func encodeMany(reqs []*api.AllocUpdateRequest) ([]byte, error) {
	w := wire.NewWriter(nil)
	w.Uint(uint64(len(reqs)))
	for _, req := range reqs {
		if err := writeUpdate(w, req, req.Allocs); err != nil {
			return nil, err
		}
	}
	return w.Bytes(), nil
}

func decodeMany(b []byte) ([]*api.AllocUpdateRequest, error) {
	r := wire.NewReader(b)
	var reqs []*api.AllocUpdateRequest
	for range r.Len() {
		req := readUpdate(r)
		if r.Err() != nil {
			break
		}
		reqs = append(reqs, req)
	}
	if err := r.End(); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "updates of several nodes: %v", err)
	}
	return reqs, nil
}

func (h *Handler) updates(w http.ResponseWriter, r *http.Request, body []byte) error {
	reqs, err := decodeMany(body)
	if err != nil {
		return err
	}
	failed, err := h.nodes.UpdateMany(r.Context(), reqs)
	if err != nil {
		return err
	}
	out := &updatesAnswer{}
	for i, err := range failed {
		if err != nil {
			told := serverError(err)
			out.Refused = append(out.Refused, updateRefused{At: i, Kind: kindName(told), Error: told.Error()})
		}
	}
	b, err := wire.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(b) // an error is that the caller is gone
	return nil
}

// UpdateMany passes on what nodes said to a server that does not lead. It gives
// an error, or nil, for each of them, in their order; the second one is that
// nobody knows what became of them.
func (c *Client) UpdateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.updateMany(ctx, reqs)
}

func (c *Client) updateMany(ctx context.Context, reqs []*api.AllocUpdateRequest) ([]error, error) {
	if len(reqs) == 1 {
		return []error{c.UpdateAllocs(ctx, reqs[0])}, nil
	}
	b, err := encodeMany(reqs)
	if err != nil {
		return nil, err
	}
	if len(b) > maxRequest {
		half := len(reqs) / 2
		first, err := c.updateMany(ctx, reqs[:half])
		if err != nil {
			return nil, err
		}
		rest, err := c.updateMany(ctx, reqs[half:])
		return append(first, rest...), err
	}
	resp, err := c.post(ctx, pathUpdates, b)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, maxRequest, "the answer")
	if err != nil {
		return nil, err
	}
	got := new(updatesAnswer)
	if err := decodeObject(body, "answer", got); err != nil {
		return nil, err
	}
	out := make([]error, len(reqs))
	for _, x := range got.Refused {
		if x.At >= 0 && x.At < len(out) {
			out[x.At] = remoteError(x.Kind, x.Error)
		}
	}
	return out, nil
}
