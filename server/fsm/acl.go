package fsm

import (
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// ACLPolicyUpsert writes policies. No result.
type ACLPolicyUpsert struct{ Policies []*api.ACLPolicy }

func (c *ACLPolicyUpsert) apply(tx *state.Tx) (any, error) {
	for _, p := range c.Policies {
		if p == nil || p.Name == "" {
			return nil, api.Errorf(api.ErrInvalid, "ACL policy: no name given")
		}
		tx.PutACLPolicy(p)
	}
	return nil, nil
}

// ACLPolicyDelete removes policies. No result.
type ACLPolicyDelete struct{ Names []string }

func (c *ACLPolicyDelete) apply(tx *state.Tx) (any, error) {
	for _, name := range c.Names {
		if !tx.DeleteACLPolicy(name) {
			return nil, api.Errorf(api.ErrNotFound, "ACL policy %q not found", name)
		}
	}
	return nil, nil
}

// ACLRoleUpsert writes a role; Create refuses one that is there. The result is
// the *api.ACLRole.
type ACLRoleUpsert struct {
	Role   *api.ACLRole
	Create bool
}

func (c *ACLRoleUpsert) apply(tx *state.Tx) (any, error) {
	r := c.Role
	if r == nil || r.ID == "" || r.Name == "" {
		return nil, api.Errorf(api.ErrInvalid, "ACL role: no ID or name given")
	}
	if _, there := tx.ACLRole(r.ID); there == c.Create {
		if c.Create {
			return nil, api.Errorf(api.ErrConflict, "ACL role %s exists", r.ID)
		}
		return nil, api.Errorf(api.ErrNotFound, "ACL role %s not found", r.ID)
	}
	if other, ok := tx.ACLRoleByName(r.Name); ok && other.ID != r.ID {
		return nil, api.Errorf(api.ErrConflict, "role with name %s already exists", r.Name)
	}
	for _, p := range r.Policies {
		if _, ok := tx.ACLPolicy(p.Name); !ok {
			return nil, api.Errorf(api.ErrInvalid, "cannot find policy %s; write the policy before the role that links to it", p.Name)
		}
	}
	tx.PutACLRole(r)
	return r, nil
}

// ACLRoleDelete removes roles. No result.
type ACLRoleDelete struct{ IDs []string }

func (c *ACLRoleDelete) apply(tx *state.Tx) (any, error) {
	for _, id := range c.IDs {
		if !tx.DeleteACLRole(id) {
			return nil, api.Errorf(api.ErrNotFound, "ACL role %s not found", id)
		}
	}
	return nil, nil
}

// ACLTokenUpsert writes a token; Create refuses an accessor that is taken. The
// result is the *api.ACLToken.
type ACLTokenUpsert struct {
	Token  *api.ACLToken
	Create bool
}

func (c *ACLTokenUpsert) apply(tx *state.Tx) (any, error) {
	t := c.Token
	if t == nil || t.AccessorID == "" || t.SecretID == "" {
		return nil, api.Errorf(api.ErrInvalid, "ACL token: no accessor or secret given")
	}
	old, there := tx.ACLToken(t.AccessorID)
	switch {
	case there && c.Create:
		return nil, api.Errorf(api.ErrConflict, "ACL token %s exists", t.AccessorID)
	case !there && !c.Create:
		return nil, api.Errorf(api.ErrNotFound, "ACL token not found")
	case there && old.SecretID != t.SecretID:
		return nil, api.Errorf(api.ErrInvalid, "the secret of ACL token %s cannot be changed; make another token", t.AccessorID)
	}
	if other, taken := tx.ACLTokenBySecret(t.SecretID); taken && other.AccessorID != t.AccessorID {
		return nil, api.Errorf(api.ErrConflict, "the secret is in use; take another one")
	}
	tx.PutACLToken(t)
	return t, nil
}

// ACLTokenDelete removes tokens, with the one-time tokens for them. No result.
type ACLTokenDelete struct{ Accessors []string }

func (c *ACLTokenDelete) apply(tx *state.Tx) (any, error) {
	for _, accessor := range c.Accessors {
		if !tx.DeleteACLToken(accessor) {
			return nil, api.Errorf(api.ErrNotFound, "ACL token not found")
		}
		dropOneTime(tx, func(o *api.OneTimeToken) bool { return o.AccessorID == accessor })
	}
	return nil, nil
}

// dropOneTime removes one-time tokens.
func dropOneTime(tx *state.Tx, which func(*api.OneTimeToken) bool) int {
	var secrets []api.Sensitive
	for o := range tx.OneTimeTokens() {
		if which(o) {
			secrets = append(secrets, o.OneTimeSecretID)
		}
	}
	for _, s := range secrets {
		tx.DeleteOneTimeToken(s)
	}
	return len(secrets)
}

// ACLBootstrap writes the first management token; once that was done, only when
// ResetIndex says at which index. The result is the *api.ACLToken.
type ACLBootstrap struct {
	Token      *api.ACLToken
	ResetIndex uint64
}

func (c *ACLBootstrap) apply(tx *state.Tx) (any, error) {
	t := c.Token
	if t == nil || t.AccessorID == "" || t.SecretID == "" || !t.Management() {
		return nil, api.Errorf(api.ErrInvalid, "ACL bootstrap: no management token given")
	}
	if done, ok := tx.ACLBootstrap(); ok && c.ResetIndex != done.ModifyIndex {
		if c.ResetIndex != 0 {
			return nil, api.Errorf(api.ErrInvalid, "Invalid bootstrap reset index (specified %d, reset index: %d)", c.ResetIndex, done.ModifyIndex)
		}
		return nil, api.Errorf(api.ErrInvalid, "ACL bootstrap already done (reset index: %d)", done.ModifyIndex)
	}
	if _, taken := tx.ACLTokenBySecret(t.SecretID); taken {
		return nil, api.Errorf(api.ErrConflict, "the secret is in use; take another one")
	}
	tx.PutACLToken(t)
	tx.PutACLBootstrap(&state.ACLBootstrap{AccessorID: t.AccessorID})
	return t, nil
}

// OneTimeTokenUpsert writes a one-time token. The result is the *api.OneTimeToken.
type OneTimeTokenUpsert struct{ Token *api.OneTimeToken }

func (c *OneTimeTokenUpsert) apply(tx *state.Tx) (any, error) {
	o := c.Token
	if o == nil || o.OneTimeSecretID == "" {
		return nil, api.Errorf(api.ErrInvalid, "one-time token: no secret given")
	}
	if _, ok := tx.ACLToken(o.AccessorID); !ok {
		return nil, api.Errorf(api.ErrNotFound, "ACL token not found")
	}
	// One of a kind: an older one of the same token is void.
	dropOneTime(tx, func(old *api.OneTimeToken) bool { return old.AccessorID == o.AccessorID })
	tx.PutOneTimeToken(o)
	return o, nil
}

// OneTimeTokenExchange takes a one-time token away and gives the *api.ACLToken
// behind it.
type OneTimeTokenExchange struct {
	Secret api.Sensitive
	Time   int64 // Unix nanoseconds
}

func (c *OneTimeTokenExchange) apply(tx *state.Tx) (any, error) {
	o, ok := tx.OneTimeToken(c.Secret)
	now := time.Unix(0, c.Time)
	if !ok || !now.Before(o.ExpiresAt) {
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the one-time token is not known, or was used, or is too old; make another one")
	}
	t, ok := tx.ACLToken(o.AccessorID)
	if !ok || t.Expired(now) {
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the token behind the one-time token is gone")
	}
	tx.DeleteOneTimeToken(c.Secret)
	return t, nil
}

// ACLExpire removes tokens, and one-time tokens, whose time was over at Time.
// The result is how many were removed, an int.
type ACLExpire struct {
	Time int64 // Unix nanoseconds
	Max  int   // tokens to remove at the most
}

func (c *ACLExpire) apply(tx *state.Tx) (any, error) {
	now := time.Unix(0, c.Time)
	var gone []string
	for t := range tx.ACLTokens() {
		if t.Expired(now) && len(gone) < c.Max {
			gone = append(gone, t.AccessorID)
		}
	}
	for _, accessor := range gone {
		tx.DeleteACLToken(accessor)
	}
	return len(gone) + dropOneTime(tx, func(o *api.OneTimeToken) bool { return !now.Before(o.ExpiresAt) }), nil
}
