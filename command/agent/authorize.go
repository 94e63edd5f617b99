package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/rest"
	"github.com/seraihq/serai/server/auth"
)

const (
	// resolveTimeout is how long a server may take to tell of a token.
	resolveTimeout = 10 * time.Second
	// maxTokens bounds the tokens that an agent without a server remembers.
	maxTokens = 2048
	// extended is how long a token is honoured at the most after its time in the
	// cache, while no server answers.
	extended = 10 * time.Minute
)

// authorizer gives what decides on requests that this agent answers itself.
func (a *Agent) authorizer() rest.Authorizer {
	if a.server != nil {
		return a.server
	}
	return a.remoteTokens()
}

// remoteTokens makes what asks servers about tokens.
func (a *Agent) remoteTokens() *remoteTokens {
	c := a.cfg.ACL
	return &remoteTokens{
		ttl: min(c.TokenTTL, c.PolicyTTL, c.RoleTTL), extend: c.DownPolicy == config.DownExtend,
		ask: func(ctx context.Context, token api.Sensitive) (*api.TokenResolveResponse, error) {
			id, secret := a.client.Identity()
			return a.remote.ResolveToken(ctx, &api.TokenResolveRequest{NodeID: id, SecretID: secret, Token: token})
		},
		namespace: a.client.Namespace, compiler: auth.NewResolver(time.Now), now: time.Now,
		known: map[[sha256.Size]byte]*remoteToken{},
	}
}

// remoteTokens decides by what a server has told of a token, for agents that
// have no server of their own.
type remoteTokens struct {
	ttl       time.Duration
	extend    bool
	ask       func(ctx context.Context, token api.Sensitive) (*api.TokenResolveResponse, error)
	namespace func(allocID string) (string, bool)
	compiler  *auth.Resolver
	now       func() time.Time
	unlimited bool // a cluster without access control lets who is known do everything

	mu    sync.Mutex
	known map[[sha256.Size]byte]*remoteToken
}

// remoteToken is what is known of a secret.
type remoteToken struct {
	identity *auth.Identity
	at       time.Time
}

// Authorize implements rest.Authorizer.
func (t *remoteTokens) Authorize(ctx context.Context, op *api.Endpoint, req any) (*auth.Identity, error) {
	identity, err := t.resolve(ctx, auth.SecretOf(ctx))
	if err != nil {
		return nil, err
	}
	if err := identity.Valid(t.now()); err != nil {
		return nil, err
	}
	return identity, identity.ACL.Check(op, auth.SubjectOf(op, req, identity, t.namespace))
}

func (t *remoteTokens) resolve(ctx context.Context, secret api.Sensitive) (*auth.Identity, error) {
	if err := auth.Plausible(secret); err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(secret.Reveal()))
	t.mu.Lock()
	old := t.known[key]
	t.mu.Unlock()
	if old != nil && t.now().Sub(old.at) < t.ttl {
		return old.identity, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	resp, err := t.ask(ctx, secret)
	if err != nil {
		if old != nil && t.extend && t.now().Sub(old.at) < t.ttl+extended && !errors.Is(err, api.ErrDenied) {
			return old.identity, nil
		}
		return nil, api.Errorf(api.ErrUnavailable, "no server could be asked about the token: %v", err)
	}
	identity, err := t.identify(resp)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil { // wrong secrets take no room
		delete(t.known, key)
		return nil, err
	}
	t.makeRoom()
	t.known[key] = &remoteToken{identity, t.now()}
	return identity, nil
}

// identify makes an identity of what a server has told.
func (t *remoteTokens) identify(resp *api.TokenResolveResponse) (*auth.Identity, error) {
	switch {
	case resp.Denied != "":
		return nil, auth.Refused(resp.Denied, resp.Unknown)
	case resp.Off && t.unlimited:
		return auth.All, nil
	case resp.Off:
		return nil, api.Errorf(api.ErrDenied, "Permission denied: this agent has acl { enabled = true } and the servers have not; set it there too")
	case resp.Token != nil && resp.Token.Management():
		return &auth.Identity{Token: resp.Token, ACL: auth.Everything}, nil
	}
	acl, err := t.compiler.Compile(resp.Policies)
	if err != nil {
		return nil, err
	}
	return &auth.Identity{Token: resp.Token, Workload: resp.Workload, ACL: acl}, nil
}

// makeRoom drops the tokens whose time is over, and some others when that is not
// enough. The caller holds the lock.
func (t *remoteTokens) makeRoom() {
	if len(t.known) < maxTokens {
		return
	}
	now := t.now()
	for key, x := range t.known {
		if now.Sub(x.at) >= t.ttl+extended {
			delete(t.known, key)
		}
	}
	for key := range t.known {
		if len(t.known) < maxTokens {
			return
		}
		delete(t.known, key)
	}
}
