package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// AuthorityAdd makes an authority trusted and the one that signs. One that is
// there already stays as it is. No result.
type AuthorityAdd struct {
	Authority *api.Authority
}

func (c *AuthorityAdd) apply(tx *state.Tx) (any, error) {
	if c.Authority == nil || c.Authority.ID == "" || c.Authority.Certificate == "" {
		return nil, api.Errorf(api.ErrInvalid, "authority: none given")
	}
	if _, known := tx.Authority(c.Authority.ID); known {
		return nil, nil
	}
	if before, ok := tx.ActiveAuthority(); ok {
		old := *before
		old.Active = false
		tx.PutAuthority(&old)
	}
	c.Authority.Active = true
	tx.PutAuthority(c.Authority)
	return nil, nil
}

// AuthorityRetire ends the trust in an authority that does not sign. No result.
type AuthorityRetire struct {
	ID string
}

func (c *AuthorityRetire) apply(tx *state.Tx) (any, error) {
	a, ok := tx.Authority(c.ID)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "authority %s is not trusted", c.ID)
	}
	if a.Active {
		return nil, api.Errorf(api.ErrConflict, "authority %s signs; rotate first", c.ID)
	}
	tx.DeleteAuthority(c.ID)
	return nil, nil
}

// CertificateIssue notes a certificate that was signed, and for one who joins
// the use of the token; one that may not be used any more refuses the command.
// What has expired by Time is forgotten. No result.
type CertificateIssue struct {
	Certificate *api.IssuedCertificate
	Token       string // ID; empty: nobody joins
	Uses        int    // of the token; 0: any number
	Expires     int64  // of the token, Unix nanoseconds
	Time        int64  // Unix nanoseconds
}

func (c *CertificateIssue) apply(tx *state.Tx) (any, error) {
	if c.Certificate == nil || c.Certificate.Serial == "" {
		return nil, api.Errorf(api.ErrInvalid, "certificate: none given")
	}
	if err := c.useToken(tx); err != nil {
		return nil, err
	}
	forget(tx, c.Time)
	tx.PutCertificate(c.Certificate)
	return nil, nil
}

func (c *CertificateIssue) useToken(tx *state.Tx) error {
	if c.Token == "" {
		return nil
	}
	next := &api.JoinToken{ID: c.Token, Expires: c.Expires}
	if t, ok := tx.JoinToken(c.Token); ok {
		*next = *t
	}
	switch {
	case next.Revoked:
		return api.Errorf(api.ErrDenied, "join token %s is revoked", c.Token)
	case c.Time > c.Expires:
		return api.Errorf(api.ErrDenied, "join token %s has expired", c.Token)
	case c.Uses > 0 && next.Used >= c.Uses:
		return api.Errorf(api.ErrDenied, "join token %s has been used %d times and was for %d", c.Token, next.Used, c.Uses)
	}
	next.Used++
	tx.PutJoinToken(next)
	return nil
}

// forget removes what has expired.
func forget(tx *state.Tx, now int64) {
	var certificates, tokens []string
	for x := range tx.Certificates() {
		if x.Expires < now {
			certificates = append(certificates, x.Serial)
		}
	}
	for x := range tx.JoinTokens() {
		if x.Expires < now {
			tokens = append(tokens, x.ID)
		}
	}
	for _, serial := range certificates {
		tx.DeleteCertificate(serial)
	}
	for _, id := range tokens {
		tx.DeleteJoinToken(id)
	}
}

// CertificateConfirm notes that a certificate's holder uses it: what the agent
// had before of the same role is over. No result.
type CertificateConfirm struct {
	Serial string
}

func (c *CertificateConfirm) apply(tx *state.Tx) (any, error) {
	x, ok := tx.Certificate(c.Serial)
	if !ok || x.Confirmed {
		return nil, nil
	}
	next := *x
	next.Confirmed = true
	tx.PutCertificate(&next)
	return nil, nil
}

// CertificateRevoke ends the trust in certificates. One that is unknown is noted
// until Expires. No result.
type CertificateRevoke struct {
	Serials []string
	Expires int64 // Unix nanoseconds, of those that are unknown
	Time    int64 // Unix nanoseconds
}

func (c *CertificateRevoke) apply(tx *state.Tx) (any, error) {
	for _, serial := range c.Serials {
		next := &api.IssuedCertificate{Serial: serial, Expires: c.Expires, CreateTime: c.Time}
		if x, ok := tx.Certificate(serial); ok {
			*next = *x
		}
		if next.Revoked == 0 {
			next.Revoked = c.Time
			tx.PutCertificate(next)
		}
	}
	return nil, nil
}

// JoinTokenIssue notes a token that was made. No result.
type JoinTokenIssue struct {
	Token *api.JoinToken
	Time  int64 // Unix nanoseconds
}

func (c *JoinTokenIssue) apply(tx *state.Tx) (any, error) {
	if c.Token == nil || c.Token.ID == "" {
		return nil, api.Errorf(api.ErrInvalid, "join token: none given")
	}
	forget(tx, c.Time)
	if _, known := tx.JoinToken(c.Token.ID); !known {
		tx.PutJoinToken(c.Token)
	}
	return nil, nil
}

// JoinTokenRevoke makes a token useless. No result.
type JoinTokenRevoke struct {
	ID      string
	Expires int64 // Unix nanoseconds: how long it is remembered when it was never used
}

func (c *JoinTokenRevoke) apply(tx *state.Tx) (any, error) {
	next := &api.JoinToken{ID: c.ID, Expires: c.Expires}
	if t, ok := tx.JoinToken(c.ID); ok {
		*next = *t
	}
	next.Revoked = true
	tx.PutJoinToken(next)
	return nil, nil
}
