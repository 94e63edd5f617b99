package auth

import (
	"context"
	"errors"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/keyring"
)

// Identity is who a request comes from.
type Identity struct {
	Token *api.ACLToken // nil: nobody, a task, or everybody where access control is off
	// Workload is the task whose identity this is; nil: it is no task's.
	Workload *api.Workload
	ACL      *ACL
	// Policies are the names of the policies that the token has, by itself and by
	// its roles.
	Policies []string
}

// All is the identity of every request where access control is off.
var All = &Identity{ACL: Everything}

// Owner names the token for logs: its accessor, which is no secret.
func (i *Identity) Owner() string {
	switch {
	case i.Workload != nil:
		return "allocation " + i.Workload.AllocationID
	case i.Token == nil:
		return "anonymous"
	}
	return i.Token.AccessorID
}

// Valid refuses a token whose time is over.
func (i *Identity) Valid(now time.Time) error {
	if i.Token != nil && i.Token.Expired(now) {
		return errExpired()
	}
	if w := i.Workload; w != nil && w.Expires > 0 && now.Unix() > w.Expires+int64(keyring.Leeway.Seconds()) {
		return errExpired()
	}
	return nil
}

// errWrongSecret marks refusals that guessing a secret leads to.
var errWrongSecret = errors.New("wrong secret")

// WrongSecret says whether an error is that a secret is no token's.
func WrongSecret(err error) bool { return errors.Is(err, errWrongSecret) }

type secretError struct{ error }

func (e secretError) Unwrap() []error { return []error{e.error, errWrongSecret} }

// The texts are those that clients of Nomad's API know.
func errNotFound() error {
	return secretError{api.Errorf(api.ErrDenied, "ACL token not found")}
}

// Refused makes an error again of what another agent has told of one.
func Refused(text string, wrongSecret bool) error {
	err := api.Errorf(api.ErrDenied, "%s", text)
	if wrongSecret {
		return secretError{err}
	}
	return err
}

func errExpired() error { return api.Errorf(api.ErrDenied, "ACL token expired") }

type secretKey struct{}

// WithSecret gives a context that carries the secret of a request's token.
func WithSecret(ctx context.Context, secret api.Sensitive) context.Context {
	if secret == "" {
		return ctx
	}
	return context.WithValue(ctx, secretKey{}, secret)
}

// SecretOf gives the secret that a context carries; empty when it carries none.
func SecretOf(ctx context.Context) api.Sensitive {
	s, _ := ctx.Value(secretKey{}).(api.Sensitive)
	return s
}
