package rest

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
)

// transferWait bounds how long a change of the servers may take.
const transferWait = 30 * time.Second

// operatorHandlers declares what operators do to the servers. The leader answers.
func (a *API) operatorHandlers() {
	value(a, api.RaftPeerRemove, func(ctx context.Context, req *api.RaftPeerRequest) (api.None, error) {
		if err := a.needServer(); err != nil {
			return api.None{}, err
		}
		if req.ID == "" {
			return api.None{}, api.Errorf(api.ErrInvalid, "must specify ?id with the server's ID")
		}
		ctx, cancel := context.WithTimeout(ctx, transferWait)
		defer cancel()
		return api.None{}, a.Server.RemovePeer(ctx, req.ID)
	})
	value(a, api.RaftTransfer, func(ctx context.Context, req *api.RaftPeerRequest) (api.None, error) {
		if err := a.needServer(); err != nil {
			return api.None{}, err
		}
		if (req.ID == "") == (req.Address == "") {
			return api.None{}, api.Errorf(api.ErrInvalid, "must specify either id or address of the server that shall lead")
		}
		ctx, cancel := context.WithTimeout(ctx, transferWait)
		defer cancel()
		return api.None{}, a.Server.TransferLeadership(ctx, req.ID, req.Address)
	})
	value(a, api.RaftVerify, func(ctx context.Context, _ *api.ListRequest) (api.StateVerification, error) {
		if err := a.needServer(); err != nil {
			return api.StateVerification{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, transferWait)
		defer cancel()
		return a.Server.Verify(ctx)
	})
	value(a, api.NodeBrakeRead, func(context.Context, *api.ListRequest) (api.NodeBrake, error) {
		if err := a.needServer(); err != nil {
			return api.NodeBrake{}, err
		}
		return a.Server.NodeBrake(), nil
	})
	value(a, api.NodeBrakeRelease, func(context.Context, *api.WriteRequest) (api.NodeBrake, error) {
		if err := a.needServer(); err != nil {
			return api.NodeBrake{}, err
		}
		a.Server.ReleaseNodeBrake()
		return a.Server.NodeBrake(), nil
	})
}
