package api

import (
	"slices"
	"strings"
	"sync"
)

// CapabilityManagement is needed for what only management tokens may do.
const CapabilityManagement = "management"

// CapabilityToken is needed for what every valid token may do, and nobody
// without one.
const CapabilityToken = "token"

// CapabilityAny is needed in a namespace for what everybody may do who may do
// anything there.
const CapabilityAny = "any"

// NamespaceCapabilityNames are the capabilities that a policy grants in a namespace.
var NamespaceCapabilityNames = []string{
	"deny", "list-jobs", "parse-job", "read-job", "submit-job", "dispatch-job", "read-logs", "read-fs",
	"alloc-exec", "alloc-node-exec", "alloc-lifecycle", "sentinel-override",
	"csi-register-plugin", "csi-write-volume", "csi-read-volume", "csi-list-volume", "csi-mount-volume",
	"host-volume-create", "host-volume-register", "host-volume-read", "host-volume-write", "host-volume-delete",
	"list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job", "submit-recommendation",
	"register-job", "revert-job", "deregister-job", "purge-job", "evaluate-job", "plan-job", "tag-job-version", "stable-job",
	"fail-deployment", "pause-deployment", "promote-deployment", "unblock-deployment", "cancel-deployment",
	"set-alloc-health-deployment", "gc-allocation", "pause-allocation", "force-periodic-job", "delete-service-registration",
}

// ScopeCapabilityNames are the capabilities outside of namespaces, by their scope.
var ScopeCapabilityNames = map[string][]string{
	"agent":     {"read", "write"},
	"node":      {"read", "write"},
	"operator":  {"read", "write", "snapshot-save", "license-read", "keyring-rotate", "keyring-read", "keyring-delete"},
	"quota":     {"read", "write"},
	"plugin":    {"list", "read"},
	"sentinel":  {"read", "write"},
	"node_pool": {"read", "write", "delete"},
}

// Capability is one thing that a token may be allowed to do.
type Capability struct {
	Scope string // a key of ScopeCapabilityNames; empty for a capability in a namespace
	Name  string
}

// String gives the capability as the table writes it.
func (c Capability) String() string {
	if c.Scope == "" {
		return c.Name
	}
	return c.Scope + ":" + c.Name
}

// Needs is what an operation asks of a token. See Endpoint.Capability.
type Needs struct {
	// Filtered: nobody is refused, and nobody is shown more than the token may see.
	Filtered bool
	// AnyOf are the alternatives, of which all capabilities of one are needed.
	// Empty: none is.
	AnyOf [][]Capability
}

// Public says whether everybody may do it, without a token.
func (n *Needs) Public() bool { return !n.Filtered && len(n.AnyOf) == 0 }

// InNamespace says whether some capability is one in a namespace.
func (n *Needs) InNamespace() bool {
	for _, all := range n.AnyOf {
		for _, c := range all {
			if c.Scope == "" && c.Name != CapabilityManagement && c.Name != CapabilityToken {
				return true
			}
		}
	}
	return false
}

var needsOf sync.Map // Capability string → *Needs

// Needs gives what Capability says. It panics when the table is wrong, which a
// test finds.
func (e *Endpoint) Needs() *Needs {
	if n, ok := needsOf.Load(e.Capability); ok {
		return n.(*Needs)
	}
	n := parseNeeds(e.Name, e.Capability)
	needsOf.Store(e.Capability, n)
	return n
}

func parseNeeds(operation, text string) *Needs {
	n := &Needs{}
	text, n.Filtered = strings.CutPrefix(text, "filter")
	if text = strings.TrimSpace(text); text == "" {
		return n
	}
	for alternative := range strings.SplitSeq(text, "|") {
		var all []Capability
		for name := range strings.SplitSeq(alternative, "&") {
			all = append(all, parseCapability(operation, strings.TrimSpace(name)))
		}
		n.AnyOf = append(n.AnyOf, all)
	}
	return n
}

func parseCapability(operation, text string) Capability {
	if scope, name, scoped := strings.Cut(text, ":"); scoped && slices.Contains(ScopeCapabilityNames[scope], name) {
		return Capability{scope, name}
	}
	if text == CapabilityManagement || text == CapabilityToken || text == CapabilityAny || slices.Contains(NamespaceCapabilityNames, text) {
		return Capability{Name: text}
	}
	panic("api: operation " + operation + " needs an unknown capability: " + text)
}

// Namespaced is a request whose body names namespaces: they are the ones that
// the operation is about. asked is the one of the query, "default" when absent.
type Namespaced interface {
	Namespaces(asked string) []string
}
