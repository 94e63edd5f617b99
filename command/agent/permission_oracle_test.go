package agent

import (
	"slices"
	"strings"
)

// how is what is particular about the making of a token, or about its secret.
type how int

const (
	ordinary   how = iota
	byRole         // the policy comes by a role
	byBearer       // the secret comes as Authorization: Bearer
	expired        // its time is over
	deleted        // it is gone
	policyGone     // its policy is
	roleGone       // its role is
	accessor       // the secret is the public ID of a good token
	oneTime        // the secret is that of a one-time token
	ofNode         // the secret is that of a node
	unknown
	malformed
	ofTask   // the secret is the identity of a task, to which the policy is attached
	bareTask // of one that has no policy
	unsigned // the secret is a JSON Web Token with the algorithm "none"
)

// shape is a kind of token, and what it is worth, written down by hand.
type shape struct {
	name       string
	rules      string // of its policy; empty: it has none
	second     string // rules of another policy of the token
	management bool
	anonymous  bool // no token: the rules are those of the policy "anonymous"
	how        how

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
	{name: "unknown", how: unknown, invalid: true, short: true},
	{name: "malformed", how: malformed, invalid: true, short: true},
	{name: "unsigned JWT", how: unsigned, invalid: true, short: true},
	{name: "accessor for secret", how: accessor, invalid: true, short: true},
	{name: "one-time secret", how: oneTime, invalid: true, short: true},
	{name: "node secret", how: ofNode, invalid: true, short: true},
	{name: "expired", how: expired, invalid: true, rules: `namespace "*" { policy = "write" }`},
	{name: "expired management", how: expired, management: true, invalid: true, short: true},
	{name: "deleted", how: deleted, invalid: true, short: true, rules: `namespace "*" { policy = "write" }`},
	{name: "policy is gone", how: policyGone, rules: `namespace "*" { policy = "write" }`},
	{name: "role is gone", how: roleGone, rules: `namespace "*" { policy = "write" }`},
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
	{name: "ns1 dispatch", rules: `namespace "ns1" { capabilities = ["dispatch-job"] }`, namespaces: in("ns1", "dispatch-job", "any")},
	{name: "ns1 logs", rules: `namespace "ns1" { capabilities = ["read-logs"] }`, namespaces: in("ns1", "read-logs", "any")},
	{name: "ns1 files", rules: `namespace "ns1" { capabilities = ["read-fs"] }`, namespaces: in("ns1", "read-fs", "any")},
	{name: "ns1 life", rules: `namespace "ns1" { capabilities = ["alloc-lifecycle", "alloc-exec"] }`, namespaces: in("ns1", "alloc-lifecycle", "alloc-exec", "any")},
	{name: "ns1 the small ones", rules: `namespace "ns1" { capabilities = ["deregister-job", "evaluate-job", "fail-deployment", "gc-allocation", "tag-job-version"] }`,
		namespaces: in("ns1", "deregister-job", "evaluate-job", "fail-deployment", "gc-allocation", "tag-job-version", "any")},
	{name: "glob read, ns2 denied", rules: `namespace "ns*" { policy = "read" }
namespace "ns2" { policy = "deny" }`, namespaces: in("ns1", readCaps...)},
	{name: "glob denied, ns1 read", rules: `namespace "ns*" { policy = "deny" }
namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "two policies add up", rules: `namespace "ns1" { capabilities = ["list-jobs"] }`, second: `namespace "ns1" { capabilities = ["read-logs"] }`, namespaces: in("ns1", "list-jobs", "read-logs", "any")},
	{name: "two policies, one denies", rules: `namespace "ns1" { policy = "write" }`, second: `namespace "ns1" { policy = "deny" }`},
	{name: "a name that begins alike", rules: `namespace "ns" { policy = "write" }
namespace "ns11" { policy = "write" }`},
	{name: "all read", rules: `namespace "*" { policy = "read" }`, namespaces: map[string][]string{"ns1": readCaps, "ns2": readCaps, "default": readCaps}},
	{name: "node read", rules: `node { policy = "read" }`, scopes: []string{"node:read"}},
	{name: "node write", rules: `node { policy = "write" }`, scopes: []string{"node:read", "node:write"}},
	{name: "agent read", rules: `agent { policy = "read" }`, scopes: []string{"agent:read"}},
	{name: "agent write", rules: `agent { policy = "write" }`, scopes: []string{"agent:read", "agent:write"}},
	{name: "operator read", rules: `operator { policy = "read" }`, scopes: []string{"operator:read"}},
	{name: "operator write", rules: `operator { policy = "write" }`, scopes: []string{"operator:read", "operator:write"}},
	{name: "operator save", rules: `operator { capabilities = ["snapshot-save"] }`, scopes: []string{"operator:snapshot-save"}},
	{name: "volumes and plugins alone", rules: `host_volume "*" { policy = "write" }
plugin { policy = "read" }`, scopes: []string{"plugin:read"}},
	{name: "pool read", rules: `node_pool "*" { policy = "read" }`, pools: []string{"read"}},
	{name: "pool write", rules: `node_pool "*" { policy = "write" }`, pools: []string{"read", "write", "delete"}},
	{name: "pool read, node read, ns1 list", rules: `node_pool "*" { policy = "read" }
node { policy = "read" }
namespace "ns1" { capabilities = ["list-jobs"] }`, pools: []string{"read"}, scopes: []string{"node:read"}, namespaces: in("ns1", "list-jobs", "any")},
	{name: "by a role", how: byRole, rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "by bearer", how: byBearer, rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "identity of a task", how: ofTask, rules: `namespace "ns1" { policy = "write" }`, namespaces: in("ns1", writeCaps...)},
	{name: "identity without a policy", how: bareTask},
	{name: "anonymous ns1 read", anonymous: true, rules: `namespace "ns1" { policy = "read" }`, namespaces: in("ns1", readCaps...)},
	{name: "management", management: true},
}

// allows says whether a token may run an operation on a namespace, by what is
// written in testdata/permissions.txt, with nothing of package auth or the table.
func (s *shape) allows(capability, namespace string) bool {
	if capability == "nothing" {
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
		return s.has("no task", namespace) || s.how == ofTask || s.how == bareTask
	case need == "no task":
		return s.rules != "" && s.how != ofTask && !s.anonymous
	case scoped && scope == "node_pool":
		return slices.Contains(s.pools, name)
	case scoped:
		return slices.Contains(s.scopes, need)
	}
	return slices.Contains(s.namespaces[namespace], need)
}
