package node

import (
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/fsm"
)

// TestResolveToken tells nodes of tokens, and nobody else; and no secrets.
func TestResolveToken(t *testing.T) {
	run(t, func(b *bench) {
		b.register(1)
		b.node.Tokens = auth.NewResolver(time.Now)
		b.apply(&fsm.ACLPolicyUpsert{Policies: []*api.ACLPolicy{{Name: "p", Rules: `node { policy = "read" }`}}})
		b.apply(&fsm.ACLTokenUpsert{Token: &api.ACLToken{AccessorID: id(7), SecretID: "s", Type: api.TokenClient, Policies: []string{"p"}}, Create: true})
		ask := func(node, token string) (*api.TokenResolveResponse, error) {
			return b.node.ResolveToken(b.t.Context(), &api.TokenResolveRequest{NodeID: id(1), SecretID: api.Sensitive(node), Token: api.Sensitive(token)})
		}
		if _, err := ask("stolen", "s"); !errors.Is(err, api.ErrDenied) {
			t.Errorf("somebody who is no node is told: %v", err)
		}
		resp, err := ask("secret1", "s")
		if err != nil || resp.Token == nil || resp.Token.AccessorID != id(7) || len(resp.Policies) != 1 {
			t.Fatal(resp, err)
		}
		if resp.Token.SecretID != "" {
			t.Error("the answer has the secret")
		}
		if x, _ := b.store.View().ACLToken(id(7)); x.SecretID != "s" {
			t.Error("the token in the store lost its secret")
		}
		if resp, err := ask("secret1", "wrong"); err != nil || !resp.Unknown || resp.Denied == "" {
			t.Error(resp, err)
		}
		if resp, err := ask("secret1", ""); err != nil || resp.Token != nil || len(resp.Policies) != 0 || resp.Denied != "" {
			t.Error(resp, err)
		}
	})
}
