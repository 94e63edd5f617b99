package node

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// ResolveToken tells a client agent who a secret belongs to, and by which
// policies, so that the agent can decide itself. The answer has no secret.
func (s *Service) ResolveToken(ctx context.Context, req *api.TokenResolveRequest) (*api.TokenResolveResponse, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if err := s.itself(ctx, "tokens", req.NodeID); err != nil {
		return nil, err
	}
	view := s.Store.View()
	if _, err := known(view, req.NodeID, req.SecretID); err != nil {
		return nil, err
	}
	resp := &api.TokenResolveResponse{}
	resolver := s.Tokens
	if resolver == nil {
		// Whoever must show who they are nevertheless, as on the sockets of tasks, is
		// told whether they did.
		resp.Off, resolver = true, s.Identities
		if req.Token == "" || resolver == nil {
			return resp, nil
		}
	}
	identity, err := resolver.Resolve(view, req.Token)
	if err != nil {
		resp.Denied, resp.Unknown = err.Error(), auth.WrongSecret(err)
		return resp, nil
	}
	if identity.Token != nil {
		t := *identity.Token
		t.SecretID = ""
		resp.Token = &t
	}
	resp.Workload = identity.Workload
	for _, name := range identity.Policies {
		if p, ok := view.ACLPolicy(name); ok {
			resp.Policies = append(resp.Policies, p)
		}
	}
	return resp, nil
}
