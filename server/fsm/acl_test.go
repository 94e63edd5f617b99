package fsm

import (
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// acl applies commands one after the other.
type acl struct {
	t     *testing.T
	store *state.Store
	fsm   *FSM
	index uint64
}

func newACL(t *testing.T) *acl {
	s := state.New()
	return &acl{t: t, store: s, fsm: New(s), index: 10}
}

func (a *acl) apply(c Command) error {
	a.t.Helper()
	b, err := Encode(c)
	if err != nil {
		a.t.Fatal(err)
	}
	a.index++
	_, err = a.fsm.Apply(a.index, b)
	return err
}

func (a *acl) want(kind error, c Command) {
	a.t.Helper()
	if err := a.apply(c); !errors.Is(err, kind) {
		a.t.Errorf("%T: %v, want %v", c, err, kind)
	}
}

func boss(n int) *api.ACLToken {
	return &api.ACLToken{AccessorID: uuid(n), SecretID: api.Sensitive(uuid(n + 1000)), Type: api.TokenManagement}
}

// TestBootstrapOnce makes the first token once, and again with the index at which
// that was.
func TestBootstrapOnce(t *testing.T) {
	a := newACL(t)
	a.want(nil, &ACLBootstrap{Token: boss(1), ResetIndex: 99}) // nothing to reset yet
	first := a.index
	a.want(api.ErrInvalid, &ACLBootstrap{Token: boss(2)})
	a.want(api.ErrInvalid, &ACLBootstrap{Token: boss(2), ResetIndex: first + 1})
	a.want(nil, &ACLBootstrap{Token: boss(2), ResetIndex: first})
	a.want(api.ErrInvalid, &ACLBootstrap{Token: boss(3), ResetIndex: first}) // the file that is left is good for nothing
	v := a.store.View()
	for n, want := range map[int]bool{1: true, 2: true, 3: false} {
		if _, ok := v.ACLTokenBySecret(api.Sensitive(uuid(n + 1000))); ok != want {
			t.Errorf("token %d: %v", n, ok)
		}
	}
}

func TestTokenCommands(t *testing.T) {
	a := newACL(t)
	a.want(nil, &ACLTokenUpsert{Token: boss(1), Create: true})
	a.want(api.ErrConflict, &ACLTokenUpsert{Token: boss(1), Create: true})
	a.want(api.ErrNotFound, &ACLTokenUpsert{Token: boss(2)})
	thief := boss(3)
	thief.SecretID = boss(1).SecretID
	a.want(api.ErrConflict, &ACLTokenUpsert{Token: thief, Create: true})
	changed := boss(1)
	changed.SecretID = "other"
	a.want(api.ErrInvalid, &ACLTokenUpsert{Token: changed})
	a.want(nil, &ACLTokenDelete{Accessors: []string{uuid(1)}})
	a.want(api.ErrNotFound, &ACLTokenDelete{Accessors: []string{uuid(1)}})
	a.want(api.ErrInvalid, &ACLRoleUpsert{Role: &api.ACLRole{ID: uuid(5), Name: "r", Policies: []*api.ACLRolePolicyLink{{Name: "absent"}}}, Create: true})
}

// TestOneTimeTokens can be exchanged once, in time, and only the newest of a token.
func TestOneTimeTokens(t *testing.T) {
	a := newACL(t)
	now := time.Unix(1_700_000_000, 0)
	a.want(nil, &ACLTokenUpsert{Token: boss(1), Create: true})
	once := func(secret string) *OneTimeTokenUpsert {
		return &OneTimeTokenUpsert{Token: &api.OneTimeToken{OneTimeSecretID: api.Sensitive(secret), AccessorID: uuid(1), ExpiresAt: now.Add(time.Minute)}}
	}
	exchange := func(secret string, after time.Duration) *OneTimeTokenExchange {
		return &OneTimeTokenExchange{Secret: api.Sensitive(secret), Time: now.Add(after).UnixNano()}
	}
	a.want(nil, once("a"))
	a.want(api.ErrDenied, exchange("a", time.Minute))
	a.want(nil, exchange("a", time.Second))
	a.want(api.ErrDenied, exchange("a", time.Second))
	a.want(nil, once("b"))
	a.want(nil, once("c"))
	a.want(api.ErrDenied, exchange("b", 0))
	a.want(nil, &ACLTokenDelete{Accessors: []string{uuid(1)}})
	a.want(api.ErrDenied, exchange("c", 0))
	a.want(api.ErrNotFound, once("d"))
}

func TestExpire(t *testing.T) {
	a := newACL(t)
	now := time.Unix(1_700_000_000, 0)
	for n := range 5 {
		x, end := boss(n+1), now.Add(time.Duration(n)*time.Hour)
		x.ExpirationTime = &end
		a.want(nil, &ACLTokenUpsert{Token: x, Create: true})
	}
	a.want(nil, &ACLTokenUpsert{Token: boss(100), Create: true})
	a.want(nil, &ACLExpire{Time: now.Add(2 * time.Hour).UnixNano(), Max: 2})
	a.want(nil, &ACLExpire{Time: now.Add(2 * time.Hour).UnixNano(), Max: 2})
	left := 0
	for x := range a.store.View().ACLTokens() {
		left++
		if x.Expired(now.Add(2 * time.Hour)) {
			t.Errorf("%s is over", x.AccessorID)
		}
	}
	if left != 3 {
		t.Errorf("%d tokens are left", left)
	}
}
