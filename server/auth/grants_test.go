package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seraihq/serai/api"
)

// TestGrants lists what a policy allows, where there is something to allow.
func TestGrants(t *testing.T) {
	a := compile(t, `
namespace "*" { capabilities = ["list-jobs", "read-job"] }
namespace "shop" { capabilities = ["read-job", "alloc-exec"] }
namespace "secret" { policy = "deny" }
node { policy = "read" }
operator { capabilities = ["snapshot-save"] }
node_pool "gpu" { policy = "read" }`)
	want := &api.ACLGrants{
		Enabled: true, Scopes: []string{"node:read", "operator:snapshot-save"},
		Namespaces: map[string][]string{"default": {"list-jobs", "read-job"}, "shop": {"read-job", "alloc-exec"}},
		NodePools:  map[string][]string{"gpu": {"read"}},
	}
	if diff := cmp.Diff(want, a.Grants([]string{"default", "shop", "secret"}, []string{"default", "gpu"})); diff != "" {
		t.Error(diff)
	}
	if g := Everything.Grants([]string{"default"}, nil); !g.Management || len(g.Namespaces) != 0 {
		t.Errorf("a management token: %+v", g)
	}
}
