package trust

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// NewToken makes a token to join with, and notes that it did.
func (s *Service) NewToken(ctx context.Context, req *api.JoinTokenRequest) (api.JoinTokenResponse, error) {
	ttl, uses, role := req.TTL.Std(), req.Uses, tlsx.Role(req.Role)
	if ttl == 0 {
		ttl = api.JoinTokenTTL
	}
	if uses == 0 {
		uses = 1
	}
	if role == "" {
		role = tlsx.RoleClient
	}
	switch {
	case ttl < time.Second || ttl > api.MaxJoinTokenTTL:
		return api.JoinTokenResponse{}, api.Errorf(api.ErrInvalid, "a join token lives between 1 second and %s, not %s", api.MaxJoinTokenTTL, ttl)
	case uses < 1 || uses > api.MaxJoinUses:
		return api.JoinTokenResponse{}, api.Errorf(api.ErrInvalid, "a join token is for 1 to %d agents, not %d", api.MaxJoinUses, uses)
	}
	a, err := s.signer("")
	if err != nil {
		return api.JoinTokenResponse{}, err
	}
	c := pki.Claims{Role: role, Uses: uint16(uses), Expires: time.Now().Add(ttl).Truncate(time.Second)}
	if _, err := rand.Read(c.ID[:]); err != nil {
		return api.JoinTokenResponse{}, err
	}
	t, err := pki.NewToken(a, c)
	if err != nil {
		return api.JoinTokenResponse{}, err
	}
	now := time.Now()
	note := &api.JoinToken{ID: t.Name(), Role: string(role), Uses: uses, Expires: c.Expires.UnixNano()}
	if _, _, err := s.Log.Apply(ctx, &fsm.JoinTokenIssue{Token: note, Time: now.UnixNano()}); err != nil {
		return api.JoinTokenResponse{}, err
	}
	return api.JoinTokenResponse{Token: t.Text(), ID: t.Name(), Role: string(role), Expires: t.Expires.UTC(), Uses: uses, Servers: s.Servers()}, nil
}

// RevokeToken makes the token with the ID useless.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	if len(id) != 16 {
		return api.Errorf(api.ErrInvalid, "%.8q is not the ID of a join token, which has 16 hexadecimal digits", id)
	}
	_, _, err := s.Log.Apply(ctx, &fsm.JoinTokenRevoke{ID: id, Expires: time.Now().Add(api.MaxJoinTokenTTL).UnixNano()})
	return err
}

// Describe tells whom the cluster trusts and what it has signed.
func Describe(v state.Reader) api.CAResponse {
	out := api.CAResponse{Authorities: slices.Collect(v.Authorities()), Certificates: slices.Collect(v.Certificates()), Pending: pending(v)}
	slices.SortFunc(out.Authorities, func(a, b *api.Authority) int { return int(b.CreateTime - a.CreateTime) })
	return out
}

// pending names the agents that have not shown a certificate by the authority
// that signs, and hold one that is still good.
func pending(v state.Reader) []string {
	active, ok := v.ActiveAuthority()
	if !ok {
		return nil
	}
	done := map[string]bool{}
	for c := range v.Certificates() {
		if c.Revoked != 0 || c.Name == "" {
			continue
		}
		who := c.Role + " " + c.Name
		done[who] = done[who] || c.Authority == active.ID && c.Confirmed
	}
	var out []string
	for who, yes := range done {
		if !yes {
			out = append(out, who)
		}
	}
	slices.Sort(out)
	return out
}

// Rotate makes a new authority, which signs from now on. Those before stay
// trusted until Retire.
func (s *Service) Rotate(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(slices.Collect(s.Store.View().Authorities())) > 1 {
		return api.Errorf(api.ErrConflict, "a change of authority is under way; \"serai ca info\" tells who has not followed, and \"serai ca retire\" ends it")
	}
	old, err := s.signer("")
	if err != nil {
		return err
	}
	next, err := old.Follow()
	if err != nil {
		return err
	}
	before, err := readKeys(s.KeyFile)
	if err != nil {
		return err
	}
	// The key comes first, and to a majority of the servers: an authority that
	// nobody can sign for, when this one dies, would stop all.
	if err := writeKeys(s.KeyFile, append([]crypto.Signer{next.Key}, before...)); err != nil {
		return err
	}
	if err := s.spread(ctx, next.Key); err != nil {
		return errors.Join(err, writeKeys(s.KeyFile, before))
	}
	_, _, err = s.Log.Apply(ctx, &fsm.AuthorityAdd{Authority: describe(next, time.Now())})
	if err == nil {
		s.Logger.Info("a new authority signs", "authority", authorityID(next.Cert))
	}
	return err
}

// Retire ends the trust in all authorities but the one that signs.
func (s *Service) Retire(ctx context.Context, force bool) error {
	view := s.Store.View()
	if who := pending(view.Reader); len(who) > 0 && !force {
		return api.Errorf(api.ErrConflict, "these agents have no certificate of the new authority yet, and could not come back: %v; start them, revoke what they have with \"serai ca revoke\", or give -force", who)
	}
	for a := range view.Authorities() {
		if a.Active {
			continue
		}
		if _, _, err := s.Log.Apply(ctx, &fsm.AuthorityRetire{ID: a.ID}); err != nil {
			return err
		}
		s.Logger.Info("an authority is not trusted any more", "authority", a.ID)
	}
	return s.dropKeys()
}

// dropKeys removes the keys of authorities that are not trusted any more.
func (s *Service) dropKeys() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.signer("")
	if err != nil {
		return err
	}
	return writeKeys(s.KeyFile, []crypto.Signer{a.Key})
}

// Revoke ends the trust in certificates: the one with the serial number, or all
// of the agents with the name. It gives their serial numbers.
func (s *Service) Revoke(ctx context.Context, serial, name string) ([]string, error) {
	if (serial == "") == (name == "") {
		return nil, api.Errorf(api.ErrInvalid, "give a serial number or the name of an agent")
	}
	var found []string
	if serial != "" {
		found = []string{serial}
		if len(serial) != 32 {
			return nil, api.Errorf(api.ErrInvalid, "%.40q is no serial number, which has 32 hexadecimal digits; \"serai ca info\" lists them", serial)
		}
	}
	for c := range s.Store.View().Certificates() {
		if name != "" && c.Name == name && c.Revoked == 0 {
			found = append(found, c.Serial)
		}
	}
	if len(found) == 0 {
		return nil, api.Errorf(api.ErrNotFound, "no agent named %q has a certificate that is good; \"serai ca info\" lists them", name)
	}
	now := time.Now()
	_, _, err := s.Log.Apply(ctx, &fsm.CertificateRevoke{Serials: found, Expires: now.Add(pki.AuthorityLife).UnixNano(), Time: now.UnixNano()})
	return found, err
}

// Tidy removes the keys of authorities that are not trusted any more, and says
// whether that of the one that signs is missing here.
func (s *Service) Tidy() (missing bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := readKeys(s.KeyFile)
	if err != nil {
		return false, err
	}
	kept := slices.DeleteFunc(slices.Clone(keys), func(k crypto.Signer) bool { return !s.trusted(k, false) && !s.isOffered(k) })
	if len(kept) > 0 && len(kept) < len(keys) {
		if err := writeKeys(s.KeyFile, kept); err != nil {
			return false, err
		}
	}
	return !slices.ContainsFunc(kept, func(k crypto.Signer) bool { return s.trusted(k, true) }), nil
}

// trusted says whether a key is that of an authority that is trusted, or that signs.
func (s *Service) trusted(key crypto.Signer, signs bool) bool {
	for a := range s.Store.View().Authorities() {
		certs, err := tlsx.ParseCertificates([]byte(a.Certificate))
		if err != nil || signs && !a.Active {
			continue
		}
		if _, err := pki.NewPair(certs, key); err == nil {
			return true
		}
	}
	return false
}

// TakeKeys takes over the keys that another server has.
func (s *Service) TakeKeys(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := parseKeys(text)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(k crypto.Signer) bool { return s.trusted(k, true) }) {
		return api.Errorf(api.ErrUnavailable, "the other server has not got the key of the authority that signs either")
	}
	return writeKeys(s.KeyFile, slices.DeleteFunc(keys, func(k crypto.Signer) bool { return !s.trusted(k, false) }))
}
