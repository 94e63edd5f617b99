package state

import (
	"bytes"
	"crypto/sha256"
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// aclTables are the tables about access control.
type aclTables struct {
	policies   *byID[*api.ACLPolicy]
	roles      *byID[*api.ACLRole]
	rolesName  *table.Index[string, string, *api.ACLRole]
	tokens     *byID[*api.ACLToken]
	secrets    *table.Index[digest, string, *api.ACLToken]
	oneTime    *byID[*api.OneTimeToken]
	bootstraps *byID[*ACLBootstrap]
}

// digest is the SHA-256 of a secret. Secrets are looked up by it, so that how
// long that takes tells nothing of those that there are.
type digest [sha256.Size]byte

func digestOf(secret api.Sensitive) digest { return sha256.Sum256([]byte(secret.Reveal())) }

// ACLBootstrap tells that the cluster has its first management token.
type ACLBootstrap struct {
	AccessorID  string
	CreateIndex uint64
	ModifyIndex uint64 // the reset index
}

func newACLTables(s *table.Store) aclTables {
	var t aclTables
	t.policies = addByID(s, TableACLPolicies, func(p *api.ACLPolicy) string { return p.Name }, func(p *api.ACLPolicy) uint64 { return p.ModifyIndex })
	t.roles = addByID(s, TableACLRoles, func(r *api.ACLRole) string { return r.ID }, func(r *api.ACLRole) uint64 { return r.ModifyIndex })
	t.rolesName = table.AddUnique(t.roles, "name", compareString, func(r *api.ACLRole, dst []string) []string { return append(dst, r.Name) })
	t.tokens = addByID(s, TableACLTokens, func(x *api.ACLToken) string { return x.AccessorID }, func(x *api.ACLToken) uint64 { return x.ModifyIndex })
	t.secrets = table.AddUnique(t.tokens, "secret", func(a, b digest) int { return bytes.Compare(a[:], b[:]) }, func(x *api.ACLToken, dst []digest) []digest {
		return append(dst, digestOf(x.SecretID))
	})
	t.oneTime = addByID(s, TableOneTimeTokens, func(x *api.OneTimeToken) string { return oneTimeKey(x.OneTimeSecretID) }, func(x *api.OneTimeToken) uint64 { return x.ModifyIndex })
	t.bootstraps = addByID(s, TableACLBootstrap, func(*ACLBootstrap) string { return "" }, func(b *ACLBootstrap) uint64 { return b.ModifyIndex })
	return t
}

// oneTimeKey names a one-time token without telling its secret.
func oneTimeKey(secret api.Sensitive) string {
	d := digestOf(secret)
	return string(d[:])
}

// ACLPolicy returns the policy with the name.
func (r Reader) ACLPolicy(name string) (*api.ACLPolicy, bool) {
	return tablesOf(r.t).acl.policies.Get(r.r, name)
}

// ACLPolicies returns every policy, by name.
func (r Reader) ACLPolicies() iter.Seq[*api.ACLPolicy] { return tablesOf(r.t).acl.policies.All(r.r) }

// ACLRole returns the role with the ID.
func (r Reader) ACLRole(id string) (*api.ACLRole, bool) {
	return tablesOf(r.t).acl.roles.Get(r.r, id)
}

// ACLRoleByName returns the role with the name.
func (r Reader) ACLRoleByName(name string) (*api.ACLRole, bool) {
	return tablesOf(r.t).acl.rolesName.Lookup(r.r, name)
}

// ACLRoles returns every role, by ID.
func (r Reader) ACLRoles() iter.Seq[*api.ACLRole] { return tablesOf(r.t).acl.roles.All(r.r) }

// ACLToken returns the token with the accessor.
func (r Reader) ACLToken(accessor string) (*api.ACLToken, bool) {
	return tablesOf(r.t).acl.tokens.Get(r.r, accessor)
}

// ACLTokenBySecret returns the token with the secret.
func (r Reader) ACLTokenBySecret(secret api.Sensitive) (*api.ACLToken, bool) {
	return tablesOf(r.t).acl.secrets.Lookup(r.r, digestOf(secret))
}

// ACLTokens returns every token, by accessor.
func (r Reader) ACLTokens() iter.Seq[*api.ACLToken] { return tablesOf(r.t).acl.tokens.All(r.r) }

// OneTimeToken returns the one-time token with the secret.
func (r Reader) OneTimeToken(secret api.Sensitive) (*api.OneTimeToken, bool) {
	return tablesOf(r.t).acl.oneTime.Get(r.r, oneTimeKey(secret))
}

// OneTimeTokens returns every one-time token.
func (r Reader) OneTimeTokens() iter.Seq[*api.OneTimeToken] {
	return tablesOf(r.t).acl.oneTime.All(r.r)
}

// ACLBootstrap tells whether the cluster has had its first token.
func (r Reader) ACLBootstrap() (*ACLBootstrap, bool) {
	return tablesOf(r.t).acl.bootstraps.Get(r.r, "")
}

// ACLVersion tells whether policies and roles are still the same: it is equal
// for two readers when they are.
func (r Reader) ACLVersion() ACLVersion {
	t := tablesOf(r.t)
	return ACLVersion{t.acl.policies.Version(r.r), t.acl.roles.Version(r.r)}
}

// ACLVersion is compared with others of its kind, and good for nothing else.
type ACLVersion struct{ policies, roles any }
