package rpc

import (
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The compact form of an api.AllocUpdateRequest.

const (
	updateTasks = 1 << iota
	updateNetwork
	updateDeployment
)

// encodeUpdates makes a call of the first of these updates, as many as fit into
// one, and says how many they are.
func encodeUpdates(req *api.AllocUpdateRequest, allocs []*api.Allocation) (b []byte, n int, err error) {
	n = min(len(allocs), maxUpdates)
	for {
		if b, err = encodeUpdate(req, allocs[:n]); err != nil || len(b) <= maxRequest || n == 1 {
			return b, n, err
		}
		n /= 2
	}
}

func encodeUpdate(req *api.AllocUpdateRequest, allocs []*api.Allocation) ([]byte, error) {
	w := wire.NewWriter(nil)
	err := writeUpdate(w, req, allocs)
	return w.Bytes(), err
}

func writeUpdate(w *wire.Writer, req *api.AllocUpdateRequest, allocs []*api.Allocation) error {
	w.ID(req.NodeID)
	w.String(req.SecretID.Reveal())
	w.Uint(uint64(len(allocs)))
	for _, a := range allocs {
		w.ID(a.ID)
		w.Uint(bit(a.TaskStates != nil, updateTasks) | bit(a.NetworkStatus != nil, updateNetwork) | bit(a.DeploymentStatus != nil, updateDeployment))
		w.Ref(a.ClientStatus)
		w.Ref(a.ClientDescription)
		if a.TaskStates != nil {
			w.Tasks(a.TaskStates)
		}
		if a.NetworkStatus != nil {
			if err := w.Object(a.NetworkStatus); err != nil {
				return err
			}
		}
		if a.DeploymentStatus != nil {
			if err := w.Object(a.DeploymentStatus); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeUpdate(b []byte) (*api.AllocUpdateRequest, error) {
	r := wire.NewReader(b)
	req := readUpdate(r)
	if err := r.End(); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "updates of allocations: %v", err)
	}
	return req, nil
}

func readUpdate(r *wire.Reader) *api.AllocUpdateRequest {
	req := &api.AllocUpdateRequest{NodeID: r.ID(), SecretID: api.Sensitive(r.String())}
	for range r.Len() {
		a := &api.Allocation{ID: r.ID()}
		set := r.Uint()
		a.ClientStatus, a.ClientDescription = r.Ref(), r.Ref()
		if set&updateTasks != 0 {
			a.TaskStates = r.Tasks()
		}
		if set&updateNetwork != 0 {
			r.Object(&a.NetworkStatus)
		}
		if set&updateDeployment != 0 {
			r.Object(&a.DeploymentStatus)
		}
		if r.Err() != nil {
			break
		}
		req.Allocs = append(req.Allocs, a)
	}
	return req
}

// decodeObject reads a request or an answer in CBOR.
func decodeObject(b []byte, what string, x any) error {
	if err := wire.Unmarshal(b, x); err != nil {
		return fmt.Errorf("%s: %w", what, api.Errorf(api.ErrInvalid, "%v", err))
	}
	return nil
}
