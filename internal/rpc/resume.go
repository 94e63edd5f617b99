package rpc

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// syncRequest is an api.NodeSyncRequest on the wire. Servers that do not know
// Have send everything.
type syncRequest struct {
	NodeID   string
	SecretID api.Sensitive
	Index    uint64
	Have     []byte // about 20 bytes for each
}

// maxHave bounds it: a node that has more is told everything.
const maxHave = maxNode - maxSmall

func encodeSyncRequest(req *api.NodeSyncRequest) ([]byte, error) {
	out := syncRequest{NodeID: req.NodeID, SecretID: req.SecretID, Index: req.Index}
	if len(req.Have) > 0 {
		w := wire.NewWriter(nil)
		w.Uint(uint64(len(req.Have)))
		for i := range req.Have {
			w.ID(req.Have[i].ID)
			w.Uint(req.Have[i].Index)
			w.Ref(req.Have[i].Status)
		}
		if out.Have = w.Bytes(); len(out.Have) > maxHave {
			out.Have = nil
		}
	}
	return wire.Marshal(&out)
}

func decodeSyncRequest(b []byte) (*api.NodeSyncRequest, error) {
	var in syncRequest
	if err := decodeObject(b, "request", &in); err != nil {
		return nil, err
	}
	req := &api.NodeSyncRequest{NodeID: in.NodeID, SecretID: in.SecretID, Index: in.Index}
	if len(in.Have) == 0 {
		return req, nil
	}
	r := wire.NewReader(in.Have)
	for range r.Len() {
		h := api.AllocHeld{ID: r.ID(), Index: r.Uint(), Status: r.Ref()}
		if r.Err() != nil {
			break
		}
		req.Have = append(req.Have, h)
	}
	if err := r.End(); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "what the node has: %v", err)
	}
	return req, nil
}
