package endpoint

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trust"
)

// Trust is what people can ask of package trust.
type Trust interface {
	NewToken(ctx context.Context, req *api.JoinTokenRequest) (api.JoinTokenResponse, error)
	RevokeToken(ctx context.Context, id string) error
	Rotate(ctx context.Context) error
	Retire(ctx context.Context, force bool) error
	Revoke(ctx context.Context, serial, name string) ([]string, error)
	SignCLI(ctx context.Context, req *api.CASignRequest) (api.CASignResponse, error)
}

func (e *Endpoints) trust() {
	read(e, api.CARead, func(r *Read, _ *api.ListRequest) (api.CAResponse, error) {
		return trust.Describe(r.Reader), nil
	})
	write(e, api.CARotate, func(w *Write, _ *api.WriteRequest) (api.CAResponse, error) {
		return e.afterwards(e.Trust.Rotate(w.ctx))
	})
	write(e, api.CARetire, func(w *Write, req *api.CARetireRequest) (api.CAResponse, error) {
		return e.afterwards(e.Trust.Retire(w.ctx, req.Force))
	})
	write(e, api.CARevoke, e.caRevoke)
	write(e, api.CASign, func(w *Write, req *api.CASignRequest) (api.CASignResponse, error) {
		return e.Trust.SignCLI(w.ctx, req)
	})
	write(e, api.JoinTokenCreate, func(w *Write, req *api.JoinTokenRequest) (api.JoinTokenResponse, error) {
		return e.Trust.NewToken(w.ctx, req)
	})
	read(e, api.JoinTokensList, func(r *Read, _ *api.ListRequest) ([]*api.JoinToken, error) {
		return joinTokens(r.Reader, e.Now()), nil
	})
	write(e, api.JoinTokenRevoke, func(w *Write, req *api.NameWriteRequest) (api.None, error) {
		return api.None{}, e.Trust.RevokeToken(w.ctx, req.Name)
	})
}

// joinTokens lists the tokens that are remembered and have not expired.
func joinTokens(v state.Reader, now time.Time) []*api.JoinToken {
	out := []*api.JoinToken{}
	for t := range v.JoinTokens() {
		if t.Expires > now.UnixNano() {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *api.JoinToken) int { return cmp.Compare(a.Expires, b.Expires) })
	return out
}

// afterwards tells what holds after a change.
func (e *Endpoints) afterwards(err error) (api.CAResponse, error) {
	if err != nil {
		return api.CAResponse{}, err
	}
	return trust.Describe(e.Store.View().Reader), nil
}
