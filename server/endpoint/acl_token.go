package endpoint

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/trigger"
)

func (e *Endpoints) aclTokens() {
	aclRead(e, api.ACLTokensList, func(r *Read, req *api.ACLTokensListRequest) ([]*api.ACLTokenListStub, error) {
		l := byName(r.ACLTokens(), func(t *api.ACLToken) string { return t.AccessorID }, (*api.ACLToken).Stub)
		l.match = func(t *api.ACLToken) bool {
			return strings.HasPrefix(t.AccessorID, strings.ToLower(req.Prefix)) && (!req.Global || t.Global)
		}
		return page(r, &req.QueryOptions, l)
	})
	aclRead(e, api.ACLTokenSelf, func(r *Read, _ *api.ListRequest) (api.ACLTokenSecret, error) {
		t, err := tokenOf(r.token)
		if err != nil {
			return api.ACLTokenSecret{}, err
		}
		return r.withRoleNames(t), nil
	})
	read(e, api.ACLTokenGrants, e.aclGrants)
	aclRead(e, api.ACLTokenRead, func(r *Read, req *api.IDRequest) (api.ACLTokenSecret, error) {
		if !r.token.ACL.Management() && (r.token.Token == nil || r.token.Token.AccessorID != req.ID) {
			return api.ACLTokenSecret{}, auth.Denied("a management token, or the token itself")
		}
		t, ok := r.ACLToken(req.ID)
		if !ok {
			return api.ACLTokenSecret{}, api.Errorf(api.ErrNotFound, "ACL token not found")
		}
		return r.withRoleNames(t), nil
	})
	aclWrite(e, api.ACLTokenCreate, func(w *Write, req *api.ACLTokenCreateRequest) (api.ACLTokenSecret, error) {
		if req.Token == nil || req.Token.ACLToken == nil {
			return api.ACLTokenSecret{}, api.Errorf(api.ErrInvalid, "must specify a token")
		}
		return e.aclTokenNew(w, req.Token.ACLToken)
	})
	aclWrite(e, api.ACLTokenUpdate, e.aclTokenUpdate)
	aclWrite(e, api.ACLTokenDelete, func(w *Write, req *api.IDWriteRequest) (api.None, error) {
		_, err := w.apply(&fsm.ACLTokenDelete{Accessors: []string{req.ID}})
		return api.None{}, err
	})
	aclWrite(e, api.ACLOneTimeCreate, aclOneTimeCreate)
	aclWrite(e, api.ACLOneTimeExchange, aclOneTimeExchange)
}

// withRoleNames gives a token with its roles by the names that they have now.
func (r *Read) withRoleNames(t *api.ACLToken) api.ACLTokenSecret {
	out := *t
	out.Roles = []*api.ACLTokenRoleLink{}
	for _, link := range t.Roles {
		if role, ok := r.ACLRole(link.ID); ok {
			out.Roles = append(out.Roles, &api.ACLTokenRoleLink{ID: role.ID, Name: role.Name})
		}
	}
	return api.ACLTokenSecret{ACLToken: &out}
}

// aclTokenNew makes a token, with its accessor and its secret where none are
// given.
func (e *Endpoints) aclTokenNew(w *Write, given *api.ACLToken) (api.ACLTokenSecret, error) {
	none := api.ACLTokenSecret{}
	t := &api.ACLToken{
		AccessorID: strings.ToLower(given.AccessorID), SecretID: given.SecretID, Name: given.Name, Type: given.Type,
		Global: given.Global, CreateTime: w.Now.UTC(), ExpirationTTL: given.ExpirationTTL,
	}
	switch {
	case t.AccessorID == "" && t.SecretID == "":
		t.AccessorID, t.SecretID = trigger.NewID(), api.Sensitive(trigger.NewID())
	case t.AccessorID == "":
		return none, api.Errorf(api.ErrInvalid, "a token with a secret of your own needs an accessor of your own")
	case t.SecretID == "":
		t.SecretID = api.Sensitive(trigger.NewID())
	}
	switch {
	case !isUUID(t.AccessorID) || !isUUID(t.SecretID.Reveal()):
		return none, api.Errorf(api.ErrInvalid, "the accessor and the secret of a token must be UUIDs")
	case given.SecretID != "" && t.Type == api.TokenManagement:
		return none, api.Errorf(api.ErrInvalid, "a management token cannot have a secret of your own")
	}
	if err := w.grants(t, given); err != nil {
		return none, err
	}
	if err := e.lifeOf(t, given, w); err != nil {
		return none, err
	}
	t.SetHash()
	return w.putToken(t, true)
}

func (w *Write) putToken(t *api.ACLToken, create bool) (api.ACLTokenSecret, error) {
	result, err := w.apply(&fsm.ACLTokenUpsert{Token: t, Create: create})
	if err != nil {
		return api.ACLTokenSecret{}, err
	}
	return api.ACLTokenSecret{ACLToken: result.(*api.ACLToken)}, nil
}

// grants takes over what a token is allowed, when that makes sense.
func (w *Write) grants(t, given *api.ACLToken) error {
	if len(t.Name) > maxTokenName {
		return api.Errorf(api.ErrInvalid, "token name too long: %d characters are allowed", maxTokenName)
	}
	t.Policies = slices.Clone(given.Policies)
	slices.Sort(t.Policies)
	t.Policies = append([]string{}, slices.Compact(t.Policies)...)
	if slices.ContainsFunc(t.Policies, func(p string) bool { return !aclName.MatchString(p) }) {
		return api.Errorf(api.ErrInvalid, "the name of a policy of the token has 1 to 128 letters, digits and -")
	}
	for _, link := range given.Roles {
		role, err := w.roleOf(link)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(t.Roles, func(l *api.ACLTokenRoleLink) bool { return l.ID == role.ID }) {
			t.Roles = append(t.Roles, &api.ACLTokenRoleLink{ID: role.ID, Name: role.Name})
		}
	}
	switch {
	case t.Type == api.TokenClient && len(t.Policies)+len(t.Roles) == 0:
		return api.Errorf(api.ErrInvalid, "client token missing policies or roles")
	case t.Type == api.TokenManagement && len(t.Policies)+len(t.Roles) > 0:
		return api.Errorf(api.ErrInvalid, "management token cannot be associated with policies or roles")
	case t.Type != api.TokenClient && t.Type != api.TokenManagement:
		return api.Errorf(api.ErrInvalid, "token type must be client or management, not %q", t.Type)
	}
	return nil
}

func (w *Write) roleOf(link *api.ACLTokenRoleLink) (*api.ACLRole, error) {
	if link == nil || link.ID == "" && link.Name == "" {
		return nil, api.Errorf(api.ErrInvalid, "a role of the token has neither ID nor name")
	}
	if link.ID != "" {
		if role, ok := w.ACLRole(link.ID); ok {
			return role, nil
		}
		return nil, api.Errorf(api.ErrInvalid, "cannot find role %s", link.ID)
	}
	if role, ok := w.ACLRoleByName(link.Name); ok {
		return role, nil
	}
	return nil, api.Errorf(api.ErrInvalid, "cannot find role %s", link.Name)
}

// lifeOf settles when a new token ends.
func (e *Endpoints) lifeOf(t, given *api.ACLToken, w *Write) error {
	end := given.ExpirationTime
	switch {
	case end != nil && !end.IsZero() && given.ExpirationTTL != 0:
		return api.Errorf(api.ErrInvalid, "token expiration: give ExpirationTTL or ExpirationTime, not both")
	case given.ExpirationTTL < 0:
		return api.Errorf(api.ErrInvalid, "token expiration TTL %s should not be negative", given.ExpirationTTL)
	case given.ExpirationTTL > 0:
		at := t.CreateTime.Add(given.ExpirationTTL.Std())
		end = &at
	case end == nil || end.IsZero():
		return nil
	}
	life := end.Sub(t.CreateTime)
	if low := e.Tokens.MinTTL; low > 0 && life < low {
		return api.Errorf(api.ErrInvalid, "expiration time cannot be less than %s in the future (was %s)", low, life)
	}
	if high := e.Tokens.MaxTTL; high > 0 && life > high {
		return api.Errorf(api.ErrInvalid, "expiration time cannot be more than %s in the future (was %s)", high, life)
	}
	at := end.UTC()
	t.ExpirationTime = &at
	return nil
}

// aclTokenUpdate changes a token; its secret and its end stay. A client token
// that is not there, and comes with its secret, is made.
func (e *Endpoints) aclTokenUpdate(w *Write, req *api.ACLTokenUpdateRequest) (api.ACLTokenSecret, error) {
	none := api.ACLTokenSecret{}
	if req.Token == nil || req.Token.ACLToken == nil {
		return none, api.Errorf(api.ErrInvalid, "must specify a token")
	}
	given := req.Token.ACLToken
	if given.AccessorID != "" && !strings.EqualFold(given.AccessorID, req.ID) {
		return none, api.Errorf(api.ErrInvalid, "the accessor of the token does not match request path")
	}
	old, ok := w.ACLToken(strings.ToLower(req.ID))
	if !ok {
		if given.SecretID == "" {
			return none, api.Errorf(api.ErrNotFound, "cannot find token %s", req.ID)
		}
		fresh := *given
		fresh.AccessorID = req.ID
		return e.aclTokenNew(w, &fresh)
	}
	switch {
	case given.SecretID != "" && given.SecretID != old.SecretID:
		return none, api.Errorf(api.ErrInvalid, "the secret of a token cannot be changed; make another token")
	case given.Global != old.Global:
		return none, api.Errorf(api.ErrInvalid, "cannot toggle global mode of %s", old.AccessorID)
	case given.ExpirationTTL != 0 && given.ExpirationTTL != old.ExpirationTTL,
		given.ExpirationTime != nil && !given.ExpirationTime.IsZero() && (old.ExpirationTime == nil || !given.ExpirationTime.Equal(*old.ExpirationTime)):
		return none, api.Errorf(api.ErrInvalid, "cannot update the expiration of a token; make another token")
	}
	t := *old
	t.Name, t.Roles = given.Name, nil
	if given.Type != "" {
		t.Type = given.Type
	}
	if err := w.grants(&t, given); err != nil {
		return none, err
	}
	t.SetHash()
	return w.putToken(&t, false)
}

func aclOneTimeCreate(w *Write, _ *api.WriteRequest) (api.OneTimeTokenResponse, error) {
	t, err := tokenOf(w.token)
	if err != nil {
		return api.OneTimeTokenResponse{}, err
	}
	o := &api.OneTimeToken{
		OneTimeSecretID: api.Sensitive(trigger.NewID()), AccessorID: t.AccessorID,
		ExpiresAt: w.Now.UTC().Add(api.OneTimeTokenLife),
	}
	result, err := w.apply(&fsm.OneTimeTokenUpsert{Token: o})
	if err != nil {
		return api.OneTimeTokenResponse{}, err
	}
	return api.OneTimeTokenResponse{OneTimeToken: api.OneTimeTokenSecret{OneTimeToken: result.(*api.OneTimeToken)}}, nil
}

func aclOneTimeExchange(w *Write, req *api.OneTimeTokenExchangeRequest) (api.OneTimeTokenExchangeResponse, error) {
	if !isUUID(req.OneTimeSecretID.Reveal()) {
		return api.OneTimeTokenExchangeResponse{}, api.Errorf(api.ErrDenied, "Permission denied: the one-time token is not known, or was used, or is too old; make another one")
	}
	result, err := w.apply(&fsm.OneTimeTokenExchange{Secret: req.OneTimeSecretID, Time: w.Now.UnixNano()})
	if err != nil {
		return api.OneTimeTokenExchangeResponse{}, err
	}
	return api.OneTimeTokenExchangeResponse{Token: api.ACLTokenSecret{ACLToken: result.(*api.ACLToken)}}, nil
}
