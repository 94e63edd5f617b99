package rest

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// Authorizer says who may run the operations that this agent answers itself, or
// passes to a node. A server checks those that it answers by itself.
type Authorizer interface {
	// Authorize finds out whose the token of ctx is, and refuses what they may not
	// do with an error of kind ErrDenied. req points to the operation's request.
	Authorize(ctx context.Context, op *api.Endpoint, req any) (*auth.Identity, error)
}

// recheck is how often the token behind a stream is looked at again.
const recheck = 500 * time.Millisecond

// secretOf gives the secret that a request brings.
func secretOf(r *http.Request) api.Sensitive {
	if s := strings.TrimSpace(r.Header.Get("X-Nomad-Token")); s != "" {
		return api.Sensitive(s)
	}
	scheme, secret, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return api.Sensitive(strings.TrimSpace(secret))
	}
	return ""
}

// withSecret puts the secret of a request into its context.
func (a *API) withSecret(r *http.Request) *http.Request {
	if a.Auth == nil {
		return r
	}
	return r.WithContext(auth.WithSecret(r.Context(), secretOf(r)))
}

// checkedHere says that this package checks an operation: it answers it, or
// nobody does. The server checks the others.
func (a *API) checkedHere(op *api.Endpoint) bool {
	_, value := a.values[op]
	_, stream := a.streams[op]
	return value || stream || a.Server == nil || !a.Server.Answers(op)
}

// permit refuses what a request's token may not do.
func (a *API) permit(ctx context.Context, op *api.Endpoint, req any) error {
	if a.Auth == nil || op.Needs().Public() {
		return nil
	}
	if snapshot, ok := req.(*api.AllocSnapshotRequest); ok && a.migrates(ctx, snapshot.ID) {
		return nil
	}
	_, err := a.Auth.Authorize(ctx, op, req)
	return err
}

// migrates says whether another node may have the disk of an allocation of this
// one: a server, which may be this agent's own, has given it a token that only
// this node's secret makes.
func (a *API) migrates(ctx context.Context, allocID string) bool {
	token := auth.SecretOf(ctx)
	if a.Client == nil || auth.MigrateNode(token) == "" {
		return false
	}
	id, secret := a.Client.Identity()
	if a.Server != nil && auth.MigrateNode(token) != id {
		given, err := a.Server.MigrateToken(token, allocID)
		if err != nil {
			return false
		}
		token = given
	}
	return auth.MigrateValid(token, id, secret, allocID)
}

// permitForward checks a request before it is passed to a node, as far as that
// can be known here. A session whose token comes with its first message is
// checked by the node.
func (a *API) permitForward(r *http.Request, match api.Match) error {
	op := match.Endpoint
	if a.Auth == nil || inHandshake(r, op) {
		return nil
	}
	if op == api.AllocSnapshot.Endpoint && auth.MigrateNode(auth.SecretOf(r.Context())) != "" {
		given, err := a.Server.MigrateToken(auth.SecretOf(r.Context()), match.Value("id"))
		if err != nil {
			return err
		}
		r.Header.Del("Authorization")
		r.Header.Set("X-Nomad-Token", given.Reveal())
		return nil
	}
	req := reflect.New(op.Request).Interface()
	if err := api.DecodeRequest(req, match.Value, r.URL.Query(), nil); err != nil {
		return err
	}
	return a.permit(r.Context(), op, req)
}

// inHandshake says that the token of a request comes with the first message of
// its session.
func inHandshake(r *http.Request, op *api.Endpoint) bool {
	return (op == api.AllocExec.Endpoint || op == api.JobActionRun.Endpoint) && r.URL.Query().Get("ws_handshake") == "true"
}

// guarded runs a stream for as long as its token may have it.
func (a *API) guarded(ctx context.Context, op *api.Endpoint, req any) (context.Context, context.CancelFunc) {
	if a.Auth == nil || op.Needs().Public() {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with the stream
		ticker := time.NewTicker(recheck)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := a.permit(ctx, op, req); errors.Is(err, api.ErrDenied) {
				cancel(err)
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// refusal gives why a guarded stream was ended; nil when it was not.
func refusal(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, api.ErrDenied) {
		return err
	}
	return nil
}

// profiling is what looking into a process takes, which is not in the table.
var profiling = &api.Endpoint{Name: "Agent.Profile", Capability: "agent:write", Kind: api.OnAgent}
