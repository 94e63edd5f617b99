package endpoint

import (
	"context"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/seraihq/serai/api"
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
}

// in says whether a namespace is one of those asked for.
func (r *Read) in(namespace string) bool {
	return r.Namespace == api.AllNamespaces || r.Namespace == namespace
}

// read declares the handler of a read.
func read[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(r *Read, req *Req) (Resp, error)) {
	wildcard := op.Response.Kind() == reflect.Slice || op.Endpoint == api.EvaluationsCount.Endpoint
	e.table[op.Endpoint] = func(ctx context.Context, req any) (any, api.Meta, error) {
		q := req.(readRequest).Options()
		if err := e.region(q.Region); err != nil {
			return nil, api.Meta{}, err
		}
		return e.blocking(ctx, q, func(v *state.View) (any, string, error) {
			r := &Read{View: v, Namespace: q.Namespace}
			if err := r.resolve(op.Endpoint, wildcard); err != nil {
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
	e.table[op.Endpoint] = func(_ context.Context, req any) (any, api.Meta, error) {
		q := req.(readRequest).Options()
		if err := e.region(q.Region); err != nil {
			return nil, api.Meta{}, err
		}
		v := e.Store.View()
		r := &Read{View: v, Namespace: q.Namespace}
		if err := r.resolve(op.Endpoint, true); err != nil {
			return nil, api.Meta{}, err
		}
		resp, err := h(r, req.(*Req))
		return resp, api.Meta{Index: max(v.Index(), 1), KnownLeader: true}, err
	}
}

// blocking evaluates a read, and again whenever what it has read changes, until
// its index is newer than the one asked for or the time is up.
func (e *Endpoints) blocking(ctx context.Context, q *api.QueryOptions, eval func(*state.View) (any, string, error)) (any, api.Meta, error) {
	var wait context.Context
	for {
		v, tracker := e.Store.View().Track()
		resp, next, err := eval(v)
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
