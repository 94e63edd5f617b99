package endpoint

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/state"
)

const (
	maxWait     = 300 * time.Second
	defaultWait = 300 * time.Second
)

// Read is what the handler of a read is given: a view that records what is
// read through it, and the namespace that is asked for.
type Read struct {
	*state.View
	Namespace string // "*" for all, where the operation allows that
	NextToken string // set by the handler: where the next page begins

	op    *api.Endpoint
	token *auth.Identity
}

// in says whether a namespace is one of those asked for, and the token may see
// what the operation shows there.
func (r *Read) in(namespace string) bool {
	if r.Namespace == api.AllNamespaces {
		return r.token.ACL.Sees(r.op, namespace)
	}
	return r.Namespace == namespace
}

// can says whether the token has one of some capabilities in a namespace.
func (r *Read) can(namespace string, capabilities ...string) bool {
	return slices.ContainsFunc(capabilities, func(c string) bool { return r.token.ACL.In(namespace, c) })
}

// read declares the handler of a read.
func read[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(r *Read, req *Req) (Resp, error)) {
	e.table[op.Endpoint] = func(ctx context.Context, req any) (any, api.Meta, error) {
		q := req.(readRequest).Options()
		if err := e.region(q.Region); err != nil {
			return nil, api.Meta{}, err
		}
		return e.blocking(ctx, op.Endpoint, q, req, func(v *state.View, token *auth.Identity) (any, string, error) {
			r := &Read{View: v, Namespace: q.Namespace, op: op.Endpoint, token: token}
			if err := r.resolve(op.Endpoint, op.Lists()); err != nil {
				return nil, "", err
			}
			resp, err := h(r, req.(*Req))
			return resp, r.NextToken, err
		})
	}
}

// resolve fills in the default namespace and refuses one that does not exist.
func (r *Read) resolve(op *api.Endpoint, wildcard bool) error {
	if op.Namespace != api.NamespaceQuery {
		return nil
	}
	switch r.Namespace {
	case "":
		r.Namespace = api.DefaultNamespace
	case api.AllNamespaces:
		if !wildcard {
			return api.Errorf(api.ErrInvalid, "namespace %q is for lists; name the namespace of the object", api.AllNamespaces)
		}
		return nil
	}
	if _, ok := r.View.Namespace(r.Namespace); !ok {
		return api.Errorf(api.ErrNotFound, "namespace %q not found", r.Namespace)
	}
	return nil
}

// lookup declares the handler of a read with a body, which never blocks.
func lookup[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(r *Read, req *Req) (Resp, error)) {
	e.table[op.Endpoint] = func(ctx context.Context, req any) (any, api.Meta, error) {
		q := req.(readRequest).Options()
		if err := e.region(q.Region); err != nil {
			return nil, api.Meta{}, err
		}
		v := e.Store.View()
		token, err := e.authorize(ctx, v, op.Endpoint, req)
		if err != nil {
			return nil, api.Meta{}, err
		}
		r := &Read{View: v, Namespace: q.Namespace, op: op.Endpoint, token: token}
		if err := r.resolve(op.Endpoint, true); err != nil {
			return nil, api.Meta{}, err
		}
		resp, err := h(r, req.(*Req))
		return resp, api.Meta{Index: max(v.Index(), 1), KnownLeader: true}, err
	}
}

// blocking evaluates a read, and again whenever what it has read changes, until
// its index is newer than the one asked for or the time is up. What the token
// may do is looked at each time, and when the time is up.
func (e *Endpoints) blocking(ctx context.Context, op *api.Endpoint, q *api.QueryOptions, req any, eval func(*state.View, *auth.Identity) (any, string, error)) (any, api.Meta, error) {
	var wait context.Context
	for {
		whole := e.Store.View()
		token, err := e.authorize(ctx, whole, op, req)
		if err != nil {
			return nil, api.Meta{}, err
		}
		v, tracker := whole.Track()
		resp, next, err := eval(v, token)
		meta := api.Meta{Index: tracker.Index(), KnownLeader: true, NextToken: next}
		if q.Index == 0 || meta.Index > q.Index {
			return resp, meta, err
		}
		if wait == nil {
			var cancel context.CancelFunc
			wait, cancel = context.WithTimeout(ctx, waitTime(q.Wait.Std()))
			defer cancel()
		}
		if tracker.Wait(wait) != nil {
			if ctx.Err() != nil {
				return nil, meta, ctx.Err()
			}
			if _, refused := e.authorize(ctx, e.Store.View(), op, req); refused != nil {
				return nil, api.Meta{}, refused
			}
			return resp, meta, err
		}
	}
}

// waitTime bounds the time that a read may block, and spreads those that were
// started together.
func waitTime(asked time.Duration) time.Duration {
	if asked <= 0 {
		asked = defaultWait
	}
	asked = min(asked, maxWait)
	return asked + rand.N(asked/16+1)
}
