package endpoint

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Log has commands applied.
type Log interface {
	// Apply returns when the command is durable and applied here: the result is
	// what the command's type says, the index is that of its log entry.
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Write is what the handler of a write is given: the latest view, the namespace
// that is meant, and the log.
type Write struct {
	*state.View
	Namespace string
	Now       time.Time
	Index     uint64 // of the last command that was applied

	ctx   context.Context
	log   Log
	token *auth.Identity
}

// apply has a command applied and notes its index.
func (w *Write) apply(c fsm.Command) (any, error) {
	result, index, err := w.log.Apply(w.ctx, c)
	w.Index = max(w.Index, index)
	return result, err
}

// write declares the handler of a write.
func write[Req, Resp any](e *Endpoints, op api.Op[Req, Resp], h func(w *Write, req *Req) (Resp, error)) {
	e.table[op.Endpoint] = func(ctx context.Context, req any) (any, api.Meta, error) {
		opts := req.(writeRequest).Writing()
		if err := e.region(opts.Region); err != nil {
			return nil, api.Meta{}, err
		}
		v := e.Store.View()
		token, err := e.authorize(ctx, v, op.Endpoint, req)
		if err != nil {
			return nil, api.Meta{}, err
		}
		w := &Write{View: v, Namespace: opts.Namespace, Now: e.Now(), ctx: ctx, log: e.Log, token: token}
		if op.Namespace == api.NamespaceQuery {
			if err := w.resolve(); err != nil {
				return nil, api.Meta{}, err
			}
		}
		resp, err := h(w, req.(*Req))
		return resp, api.Meta{Index: w.Index, KnownLeader: true}, err
	}
}

func (w *Write) resolve() error {
	switch w.Namespace {
	case "":
		w.Namespace = api.DefaultNamespace
	case api.AllNamespaces:
		return api.Errorf(api.ErrInvalid, "namespace %q is for lists; name the namespace of the object", api.AllNamespaces)
	}
	if _, ok := w.View.Namespace(w.Namespace); !ok {
		return api.Errorf(api.ErrNotFound, "namespace %q not found", w.Namespace)
	}
	return nil
}
