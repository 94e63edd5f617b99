package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/auth"
)

// as is a context of calls with the certificate of an agent; "": one that names
// none.
func (b *bench) as(name string) context.Context {
	return tlsx.WithPeer(b.t.Context(), tlsx.Peer{Names: []string{"client.global.nomad"}, Node: name})
}

// calls are all that a client agent can ask a server, for a node by its ID and
// a secret, about an allocation.
func (b *bench) calls(ctx context.Context, node int, secret api.Sensitive, name, alloc string) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	n := ready(node)
	n.SecretID, n.Name = secret, name
	sent := errors.New("something was sent")
	return map[string]error{
		"register":  second(b.node.Register(ctx, &api.NodeRegisterRequest{Node: n})),
		"heartbeat": second(b.node.Heartbeat(ctx, &api.NodeHeartbeatRequest{NodeID: id(node), SecretID: secret, Status: api.NodeStatusReady})),
		"sync":      b.node.Sync(ctx, &api.NodeSyncRequest{NodeID: id(node), SecretID: secret}, func(*api.NodeSync) error { return sent }),
		"resolve":   second(b.node.ResolveToken(ctx, &api.TokenResolveRequest{NodeID: id(node), SecretID: secret, Token: "x"})),
		"update": b.node.UpdateAllocs(ctx, &api.AllocUpdateRequest{NodeID: id(node), SecretID: secret, Allocs: []*api.Allocation{
			{ID: alloc, ClientStatus: api.AllocClientFailed},
		}}),
	}
}

// TestANodeTouchesItsOwn makes every call of a client agent with the certificate
// and the secret of one node for another node, or its allocation.
func TestANodeTouchesItsOwn(t *testing.T) {
	run(t, func(b *bench) {
		b.node.Tokens = auth.NewResolver(time.Now)
		b.register(1) // the victim, n1, with allocations
		b.register(2)
		b.place(0, 2)
		before := b.store.View().Index()
		for what, c := range map[string]struct {
			ctx    context.Context
			node   int
			secret api.Sensitive
			name   string
		}{
			"its certificate and its secret for the other": {b.as("n2"), 1, "secret2", "n1"},
			"its secret for the other, no name":            {b.as(""), 1, "secret2", "n1"},
			"the other's certificate, its own secret":      {b.as("n1"), 2, "secret2", "n2"},
			"its certificate, the other's stolen secret":   {b.as("n2"), 1, "secret1", "n1"},
			"no secret":                         {b.as("n1"), 1, "", "n1"},
			"a certificate of the command line": {tlsx.WithPeer(b.t.Context(), tlsx.Peer{Names: []string{"cli.global.nomad"}, Node: "me"}), 1, "secret1", "n1"},
		} {
			for call, err := range b.calls(c.ctx, c.node, c.secret, c.name, id(1000)) {
				if !errors.Is(err, api.ErrDenied) && !(call == "register" && c.secret == "" && errors.Is(err, api.ErrInvalid)) {
					b.t.Errorf("%s: %s: %v", what, call, err)
				}
			}
		}
		err := b.node.UpdateAllocs(b.as("n2"), &api.AllocUpdateRequest{NodeID: id(2), SecretID: "secret2", Allocs: []*api.Allocation{{ID: id(1000), ClientStatus: api.AllocClientFailed}}})
		if !errors.Is(err, api.ErrDenied) {
			b.t.Errorf("its own identity, the other's allocation: %v", err)
		}
		synctest.Wait()
		if now := b.store.View().Index(); now != before {
			b.t.Errorf("index %d, and it was %d: something was written", now, before)
		}
		for call, err := range b.calls(b.as("n1"), 1, "secret1", "n1", id(1000)) {
			if errors.Is(err, api.ErrDenied) {
				b.t.Errorf("its own: %s: %v", call, err)
			}
		}
		if a, _ := b.store.View().Allocation(id(1000)); a.ClientStatus != api.AllocClientFailed {
			b.t.Errorf("its own update: %s", a.ClientStatus)
		}
	})
}

// TestIDsOfNodes: what stands in paths and names of hosts is a UUID.
func TestIDsOfNodes(t *testing.T) {
	run(t, func(b *bench) {
		for _, bad := range []string{"", "short", "00000000-0000-0000-0000-00000000000/", "../../../../../../../../../../../etc/", "00000000.0000.0000.0000.000000000001", "00000000-0000-0000-0000-00000000000\n"} {
			n := ready(1)
			n.ID = bad
			if _, err := b.node.Register(b.t.Context(), &api.NodeRegisterRequest{Node: n}); !errors.Is(err, api.ErrInvalid) {
				b.t.Errorf("%q: %v", bad, err)
			}
		}
	})
}
