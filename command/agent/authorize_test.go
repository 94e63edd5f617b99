package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
)

// TestRemoteTokens follows what an agent without a server does with what it was
// told of a token: while that is fresh, later, and when nobody answers.
func TestRemoteTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var down error
		rules := `namespace "ns1" { policy = "read" }`
		ends := time.Now().Add(time.Hour)
		r := &remoteTokens{
			ttl: 30 * time.Second, extend: true, compiler: auth.NewResolver(time.Now), now: time.Now, known: map[[sha256.Size]byte]*remoteToken{},
			namespace: func(id string) (string, bool) { return "ns1", id == "here" },
			ask: func(_ context.Context, secret api.Sensitive) (*api.TokenResolveResponse, error) {
				asked++
				if down != nil {
					return nil, down
				}
				if secret != "good" {
					return &api.TokenResolveResponse{Denied: "ACL token not found", Unknown: true}, nil
				}
				return &api.TokenResolveResponse{Token: &api.ACLToken{AccessorID: "x", Type: api.TokenClient, ExpirationTime: &ends},
					Policies: []*api.ACLPolicy{{Name: "p", Rules: rules, Hash: []byte(rules)}}}, nil
			},
		}
		check := func(what, secret, alloc string, kind error, asks int) {
			t.Helper()
			asked = 0
			_, err := r.Authorize(auth.WithSecret(t.Context(), api.Sensitive(secret)), api.AllocStats.Endpoint, &api.AllocStatsRequest{ID: alloc})
			if !errors.Is(err, kind) || kind == nil && err != nil || asked != asks {
				t.Errorf("%s: %v, asked %d times", what, err, asked)
			}
		}
		check("the first time", "good", "here", nil, 1)
		check("soon after", "good", "here", nil, 0)
		check("elsewhere", "good", "there", api.ErrDenied, 0)
		check("a wrong secret", "bad", "here", api.ErrDenied, 1)
		check("a wrong secret again", "bad", "here", api.ErrDenied, 1)
		rules = `namespace "ns2" { policy = "read" }`
		check("before the policy is noticed", "good", "here", nil, 0)
		time.Sleep(31 * time.Second)
		check("after", "good", "here", api.ErrDenied, 1)
		rules = `namespace "ns1" { policy = "read" }`
		time.Sleep(31 * time.Second)
		check("and back", "good", "here", nil, 1)
		down = api.Errorf(api.ErrUnavailable, "no servers")
		time.Sleep(31 * time.Second)
		check("nobody answers", "good", "here", nil, 1)
		check("nobody answers for another", "other", "here", api.ErrUnavailable, 1)
		time.Sleep(extended)
		check("nobody answers for long", "good", "here", api.ErrUnavailable, 1)
		down = nil
		check("somebody does", "good", "here", nil, 1)
		r.extend, down = false, api.Errorf(api.ErrUnavailable, "no servers")
		time.Sleep(31 * time.Second)
		check("nobody answers and that is no", "good", "here", api.ErrUnavailable, 1)
		down = nil
		check("once more", "good", "here", nil, 1)
		ends = time.Now().Add(time.Second)
		time.Sleep(31 * time.Second)
		check("the token is over", "good", "here", api.ErrDenied, 1)
	})
}
