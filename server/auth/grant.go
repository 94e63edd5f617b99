package auth

import (
	"slices"

	"github.com/seraihq/serai/api"
)

// grant is a set of capabilities: bits by their place in the list of names.
type grant uint64

// vocabulary numbers the capabilities of one kind of rule, and says what the
// levels of its `policy` key stand for.
type vocabulary struct {
	names  []string
	number map[string]grant
	levels map[string][]string
}

// deny is in every vocabulary, as its first name.
const deny grant = 1

func words(names []string, levels map[string][]string) *vocabulary {
	if names[0] != "deny" {
		names = append([]string{"deny"}, names...)
	}
	if len(names) > 64 {
		panic("auth: more capabilities than bits")
	}
	levels["deny"] = []string{"deny"}
	v := &vocabulary{names, map[string]grant{}, levels}
	for i, n := range names {
		v.number[n] = 1 << i
	}
	return v
}

// bit gives the capability's bit; 0 when there is none of the name.
func (v *vocabulary) bit(name string) grant { return v.number[name] }

func (v *vocabulary) bits(names []string) (g grant) {
	for _, n := range names {
		g |= v.bit(n)
	}
	return g
}

// allows says whether all of the bits are granted, and nothing is denied.
func (g grant) allows(wanted grant) bool { return g&deny == 0 && wanted != 0 && g&wanted == wanted }

var (
	readNamespace = []string{
		"list-jobs", "parse-job", "read-job", "csi-list-volume", "csi-read-volume", "read-job-scaling",
		"list-scaling-policies", "read-scaling-policy", "host-volume-read",
	}
	writeNamespace = append(slices.Clone(readNamespace), "scale-job", "submit-job", "dispatch-job", "read-logs", "read-fs",
		"alloc-exec", "alloc-lifecycle", "csi-mount-volume", "csi-write-volume", "submit-recommendation", "host-volume-create")
	scaleNamespace = []string{"list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job"}

	namespaceWords = words(api.NamespaceCapabilityNames, map[string][]string{
		"read": readNamespace, "write": writeNamespace, "scale": scaleNamespace,
	})
	variableWords = words([]string{"list", "read", "write", "destroy"}, map[string][]string{})
	poolWords     = words(api.ScopeCapabilityNames["node_pool"], map[string][]string{
		"read": {"read"}, "write": {"read", "write", "delete"},
	})
	volumeWords = words([]string{"mount-readonly", "mount-readwrite"}, map[string][]string{
		"read": {"mount-readonly"}, "write": {"mount-readonly", "mount-readwrite"},
	})
	scopeWords = map[string]*vocabulary{
		"agent":    plainScope("agent"),
		"node":     plainScope("node"),
		"operator": plainScope("operator"),
		"quota":    plainScope("quota"),
		"sentinel": plainScope("sentinel"),
		"plugin":   words(api.ScopeCapabilityNames["plugin"], map[string][]string{"list": {"list"}, "read": {"list", "read"}}),
	}
	// scopeCapabilities are the scopes whose block takes `capabilities`.
	scopeCapabilities = map[string]bool{"operator": true}
)

func plainScope(scope string) *vocabulary {
	return words(api.ScopeCapabilityNames[scope], map[string][]string{"read": {"read"}, "write": {"read", "write"}})
}
