package state

import "github.com/seraihq/serai/api"

// PutACLPolicy writes a policy.
func (tx *Tx) PutACLPolicy(p *api.ACLPolicy) {
	p.CreateIndex, p.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.ACLPolicy(p.Name); ok {
		p.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).acl.policies.Put(tx.tx, p)
}

// DeleteACLPolicy removes a policy.
func (tx *Tx) DeleteACLPolicy(name string) bool {
	_, ok := tablesOf(tx.t).acl.policies.Delete(tx.tx, name)
	return ok
}

// PutACLRole writes a role. Its name is no other role's.
func (tx *Tx) PutACLRole(r *api.ACLRole) {
	r.CreateIndex, r.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.ACLRole(r.ID); ok {
		r.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).acl.roles.Put(tx.tx, r)
}

// DeleteACLRole removes a role.
func (tx *Tx) DeleteACLRole(id string) bool {
	_, ok := tablesOf(tx.t).acl.roles.Delete(tx.tx, id)
	return ok
}

// PutACLToken writes a token. Its secret is no other token's.
func (tx *Tx) PutACLToken(t *api.ACLToken) {
	t.CreateIndex, t.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.ACLToken(t.AccessorID); ok {
		t.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).acl.tokens.Put(tx.tx, t)
}

// DeleteACLToken removes a token.
func (tx *Tx) DeleteACLToken(accessor string) bool {
	_, ok := tablesOf(tx.t).acl.tokens.Delete(tx.tx, accessor)
	return ok
}

// PutOneTimeToken writes a one-time token.
func (tx *Tx) PutOneTimeToken(t *api.OneTimeToken) {
	t.CreateIndex, t.ModifyIndex = tx.Index(), tx.Index()
	tablesOf(tx.t).acl.oneTime.Put(tx.tx, t)
}

// DeleteOneTimeToken removes a one-time token.
func (tx *Tx) DeleteOneTimeToken(secret api.Sensitive) bool {
	_, ok := tablesOf(tx.t).acl.oneTime.Delete(tx.tx, oneTimeKey(secret))
	return ok
}

// PutACLBootstrap notes that the cluster has its first management token.
func (tx *Tx) PutACLBootstrap(b *ACLBootstrap) {
	b.CreateIndex, b.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.ACLBootstrap(); ok {
		b.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).acl.bootstraps.Put(tx.tx, b)
}
