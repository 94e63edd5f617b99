package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// trustTables are about whom the cluster trusts.
type trustTables struct {
	authorities  *byID[*api.Authority]
	certificates *byID[*api.IssuedCertificate]
	joinTokens   *byID[*api.JoinToken]
}

func newTrustTables(s *table.Store) trustTables {
	return trustTables{
		authorities:  addByID(s, TableAuthorities, func(a *api.Authority) string { return a.ID }, func(a *api.Authority) uint64 { return a.ModifyIndex }),
		certificates: addByID(s, TableCertificates, func(c *api.IssuedCertificate) string { return c.Serial }, func(c *api.IssuedCertificate) uint64 { return c.ModifyIndex }),
		joinTokens:   addByID(s, TableJoinTokens, func(t *api.JoinToken) string { return t.ID }, func(t *api.JoinToken) uint64 { return t.ModifyIndex }),
	}
}

// Authorities returns every authority that is trusted.
func (r Reader) Authorities() iter.Seq[*api.Authority] { return tablesOf(r.t).authorities.All(r.r) }

// Authority returns the authority with the ID.
func (r Reader) Authority(id string) (*api.Authority, bool) {
	return tablesOf(r.t).authorities.Get(r.r, id)
}

// ActiveAuthority returns the authority that signs.
func (r Reader) ActiveAuthority() (*api.Authority, bool) {
	for a := range r.Authorities() {
		if a.Active {
			return a, true
		}
	}
	return nil, false
}

// Certificates returns every certificate that was signed and has not expired.
func (r Reader) Certificates() iter.Seq[*api.IssuedCertificate] {
	return tablesOf(r.t).certificates.All(r.r)
}

// Certificate returns the certificate with the serial number.
func (r Reader) Certificate(serial string) (*api.IssuedCertificate, bool) {
	return tablesOf(r.t).certificates.Get(r.r, serial)
}

// JoinTokens returns every token that was used or revoked.
func (r Reader) JoinTokens() iter.Seq[*api.JoinToken] { return tablesOf(r.t).joinTokens.All(r.r) }

// JoinToken returns the token with the ID.
func (r Reader) JoinToken(id string) (*api.JoinToken, bool) {
	return tablesOf(r.t).joinTokens.Get(r.r, id)
}

// PutAuthority writes an authority.
func (tx *Tx) PutAuthority(a *api.Authority) {
	a.CreateIndex, a.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.Authority(a.ID); ok {
		a.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).authorities.Put(tx.tx, a)
}

// DeleteAuthority removes an authority.
func (tx *Tx) DeleteAuthority(id string) { tablesOf(tx.t).authorities.Delete(tx.tx, id) }

// PutCertificate writes what is known of a certificate.
func (tx *Tx) PutCertificate(c *api.IssuedCertificate) {
	c.CreateIndex, c.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.Certificate(c.Serial); ok {
		c.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).certificates.Put(tx.tx, c)
}

// DeleteCertificate forgets a certificate.
func (tx *Tx) DeleteCertificate(serial string) { tablesOf(tx.t).certificates.Delete(tx.tx, serial) }

// PutJoinToken writes what is known of a token.
func (tx *Tx) PutJoinToken(t *api.JoinToken) {
	t.CreateIndex, t.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.JoinToken(t.ID); ok {
		t.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).joinTokens.Put(tx.tx, t)
}

// DeleteJoinToken forgets a token.
func (tx *Tx) DeleteJoinToken(id string) { tablesOf(tx.t).joinTokens.Delete(tx.tx, id) }
