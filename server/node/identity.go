package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// maxNames bounds the identities that are signed in one call.
const maxNames = 64

// SignIdentities signs identities of a task for the node that runs it, and for no
// other one.
func (s *Service) SignIdentities(ctx context.Context, req *api.IdentitySignRequest) (*api.IdentitySignResponse, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if len(req.Names) > maxNames {
		return nil, api.Errorf(api.ErrInvalid, "%d identities in one call; at most %d", len(req.Names), maxNames)
	}
	a, view, err := s.placed(ctx, req)
	if err != nil {
		return nil, err
	}
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil || g.LookupTask(req.Task) == nil {
		return nil, api.Errorf(api.ErrNotFound, "allocation %s has no task %.80q", a.ID, req.Task)
	}
	needed := g.LookupTask(req.Task).NeededIdentities()
	resp := &api.IdentitySignResponse{}
	now := time.Now()
	for _, name := range req.Names {
		i := slices.IndexFunc(needed, func(id *api.WorkloadIdentity) bool { return id.Name == name })
		if i < 0 {
			return nil, api.Errorf(api.ErrNotFound, "task %q of allocation %s has no identity %.80q", req.Task, a.ID, name)
		}
		signed, err := s.Ring.Sign(view, a, req.Task, needed[i], now)
		if err != nil {
			return nil, err
		}
		resp.Identities = append(resp.Identities, signed)
	}
	return resp, nil
}

// placed finds the allocation of a request, which must run on the node that
// asks. A server that is behind waits until it knows of it.
func (s *Service) placed(ctx context.Context, req *api.IdentitySignRequest) (*api.Allocation, *state.View, error) {
	wait, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		view, tracker := s.Store.View().Track()
		_, err := known(view, req.NodeID, req.SecretID)
		if err == nil {
			a, ok := view.Allocation(req.AllocationID)
			switch {
			case ok && a.NodeID != req.NodeID:
				return nil, nil, api.Errorf(api.ErrDenied, "Permission denied: allocation %s is on another node", req.AllocationID)
			case ok && a.ClientTerminal():
				return nil, nil, api.Errorf(api.ErrDenied, "Permission denied: allocation %s has ended", req.AllocationID)
			case ok:
				return a, view, nil
			}
			err = api.Errorf(api.ErrUnavailable, "this server does not know allocation %.40q; ask another one", req.AllocationID)
		}
		if errors.Is(err, api.ErrDenied) {
			return nil, nil, err
		}
		if tracker.Wait(wait) != nil {
			return nil, nil, err
		}
	}
}
