package agent

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// shape is a kind of token, and what it is worth, written down by hand.
type shape struct {
	name       string
	rules      string // of its policy; empty: it has none
	management bool
	role       bool // the policy comes by a role
	anonymous  bool // no token: the rules are those of the policy "anonymous"

	invalid bool // the secret is good for nothing
	short   bool // tried with a part of the operations only

	namespaces map[string][]string // capabilities by namespace
	scopes     []string            // "node:read" and the like
	pools      []string            // "read", "write", "delete", of every pool
}

var (
	readCaps = []string{"list-jobs", "parse-job", "read-job", "csi-list-volume", "csi-read-volume", "read-job-scaling",
		"list-scaling-policies", "read-scaling-policy", "host-volume-read", "any"}
	writeCaps = append(slices.Clone(readCaps), "scale-job", "submit-job", "dispatch-job", "read-logs", "read-fs",
		"alloc-exec", "alloc-lifecycle", "csi-mount-volume", "csi-write-volume", "submit-recommendation", "host-volume-create")
)

func in(namespace string, capabilities ...string) map[string][]string {
	return map[string][]string{namespace: capabilities}
}

// shapes are the tokens of the matrix. The namespaces are ns1 and ns2.
var shapes = []shape{
	{name: "none"},
	{name: "unknown", invalid: true, short: true},
	{name: "malformed", invalid: true, short: true},
	{name: "expired", invalid: true, rules: `namespace "*" { policy = "write" }`},
	{name: "deleted", invalid: true, short: true, rules: `namespace "*" { policy = "write" }`},
	{name: "empty policy", rules: `quota { policy = "read" }`, scopes: []string{"quota:read"}},
	{name: "ns1 read", rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "ns1 write", rules: `namespace "ns1" { policy = "write" }`, namespaces: in("ns1", writeCaps...)},
	{name: "ns2 write", rules: `namespace "ns2" { policy = "write" }`, namespaces: in("ns2", writeCaps...)},
	{name: "ns1 scale", rules: `namespace "ns1" { policy = "scale" }`, namespaces: in("ns1", "list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job", "any")},
	{name: "ns1 deny", rules: `namespace "ns1" {
  policy = "deny"
  capabilities = ["read-job"]
}`},
	{name: "ns1 list", rules: `namespace "ns1" { capabilities = ["list-jobs"] }`, namespaces: in("ns1", "list-jobs", "any")},
	{name: "ns1 submit", rules: `namespace "ns1" { capabilities = ["submit-job"] }`, namespaces: in("ns1", "submit-job", "any")},
	{name: "ns1 register", rules: `namespace "ns1" { capabilities = ["register-job", "plan-job"] }`, namespaces: in("ns1", "register-job", "plan-job", "any")},
	{name: "ns1 logs", rules: `namespace "ns1" { capabilities = ["read-logs"] }`, namespaces: in("ns1", "read-logs", "any")},
	{name: "ns1 life", rules: `namespace "ns1" { capabilities = ["alloc-lifecycle", "alloc-exec"] }`, namespaces: in("ns1", "alloc-lifecycle", "alloc-exec", "any")},
	{name: "glob read, ns2 denied", rules: `namespace "ns*" { policy = "read" }
namespace "ns2" { policy = "deny" }`, namespaces: in("ns1", readCaps...)},
	{name: "all read", rules: `namespace "*" { policy = "read" }`, namespaces: map[string][]string{"ns1": readCaps, "ns2": readCaps, "default": readCaps}},
	{name: "node read", rules: `node { policy = "read" }`, scopes: []string{"node:read"}},
	{name: "node write", rules: `node { policy = "write" }`, scopes: []string{"node:read", "node:write"}},
	{name: "agent read", rules: `agent { policy = "read" }`, scopes: []string{"agent:read"}},
	{name: "agent write", rules: `agent { policy = "write" }`, scopes: []string{"agent:read", "agent:write"}},
	{name: "operator read", rules: `operator { policy = "read" }`, scopes: []string{"operator:read"}},
	{name: "operator write", rules: `operator { policy = "write" }`, scopes: []string{"operator:read", "operator:write"}},
	{name: "operator save", rules: `operator { capabilities = ["snapshot-save"] }`, scopes: []string{"operator:snapshot-save"}},
	{name: "pool read", rules: `node_pool "*" { policy = "read" }`, pools: []string{"read"}},
	{name: "pool write", rules: `node_pool "*" { policy = "write" }`, pools: []string{"read", "write", "delete"}},
	{name: "pool read, node read, ns1 list", rules: `node_pool "*" { policy = "read" }
node { policy = "read" }
namespace "ns1" { capabilities = ["list-jobs"] }`, pools: []string{"read"}, scopes: []string{"node:read"}, namespaces: in("ns1", "list-jobs", "any")},
	{name: "by a role", role: true, rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "anonymous ns1 read", anonymous: true, rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "management", management: true},
}

// allows says whether the table lets a token run an operation on a namespace. It
// reads the table by itself, with nothing of package auth.
func (s *shape) allows(op *api.Endpoint, namespace string) bool {
	capability := strings.TrimSpace(op.Capability)
	if capability == "" {
		return true
	}
	if s.invalid {
		return false
	}
	if s.management || strings.HasPrefix(capability, "filter") {
		return true
	}
	for alternative := range strings.SplitSeq(capability, "|") {
		all := true
		for need := range strings.SplitSeq(alternative, "&") {
			all = all && s.has(strings.TrimSpace(need), namespace)
		}
		if all {
			return true
		}
	}
	return false
}

func (s *shape) has(need, namespace string) bool {
	scope, name, scoped := strings.Cut(need, ":")
	switch {
	case need == "management":
		return s.management
	case need == "token":
		return s.rules != "" && !s.anonymous
	case scoped && scope == "node_pool":
		return slices.Contains(s.pools, name)
	case scoped:
		return slices.Contains(s.scopes, need)
	}
	return slices.Contains(s.namespaces[namespace], need)
}
