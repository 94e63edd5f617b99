package endpoint

import (
	"context"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/state"
)

// authorize finds out who asks, and refuses what the table says that they may
// not do. It stands before every handler, and is the only place that does.
func (e *Endpoints) authorize(ctx context.Context, v *state.View, op *api.Endpoint, req any) (*auth.Identity, error) {
	if e.ACL == nil {
		return auth.All, nil
	}
	if op.Needs().Public() {
		return &auth.Identity{ACL: auth.Nothing}, nil
	}
	token, err := e.ACL.Resolve(v, auth.SecretOf(ctx))
	if err != nil {
		return nil, err
	}
	if token.ACL.Management() {
		return token, nil
	}
	return token, token.ACL.Check(op, auth.SubjectOf(op, req, token, func(id string) (string, bool) { return objectNamespace(v, op, id) }))
}

// Authorize does the same for an operation that somebody else answers: the agent
// itself, or the client of a node.
func (e *Endpoints) Authorize(ctx context.Context, op *api.Endpoint, req any) (*auth.Identity, error) {
	return e.authorize(ctx, e.Store.View(), op, req)
}

// Resolve finds out who a secret belongs to.
func (e *Endpoints) Resolve(secret api.Sensitive) (*auth.Identity, error) {
	if e.ACL == nil {
		return auth.All, nil
	}
	return e.ACL.Resolve(e.Store.View(), secret)
}

// objectNamespace finds the namespace of the object that a path names.
func objectNamespace(v *state.View, op *api.Endpoint, id string) (string, bool) {
	switch {
	case strings.HasPrefix(op.Path, "/v1/allocation/"), strings.HasPrefix(op.Path, "/v1/client/"):
		if a, ok := v.Allocation(id); ok {
			return a.Namespace, true
		}
	case strings.HasPrefix(op.Path, "/v1/evaluation/"):
		if x, ok := v.Evaluation(id); ok {
			return x.Namespace, true
		}
	case strings.HasPrefix(op.Path, "/v1/deployment/"):
		if d, ok := v.Deployment(id); ok {
			return d.Namespace, true
		}
	case strings.HasPrefix(op.Path, "/v1/scaling/policy/"):
		if p := policyByID(v, id); p != nil {
			return p.Namespace, true
		}
	default:
		panic("endpoint: " + op.Name + " is about an object of unknown kind")
	}
	return "", false
}
