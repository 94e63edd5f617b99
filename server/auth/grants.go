package auth

import (
	"maps"
	"slices"

	"github.com/seraihq/serai/api"
)

// Grants lists what is allowed, in the namespaces and node pools of the given names.
func (a *ACL) Grants(namespaces, pools []string) *api.ACLGrants {
	g := &api.ACLGrants{Enabled: true, Management: a.management, Scopes: []string{}, Namespaces: map[string][]string{}, NodePools: map[string][]string{}}
	if a.management {
		return g
	}
	for _, scope := range slices.Sorted(maps.Keys(scopeWords)) {
		for _, c := range granted(api.ScopeCapabilityNames[scope], func(c string) bool { return a.Scope(scope, c) }) {
			g.Scopes = append(g.Scopes, api.Capability{Scope: scope, Name: c}.String())
		}
	}
	if every := granted(api.NamespaceCapabilityNames, a.EveryNamespace); len(every) > 0 {
		g.Namespaces[api.AllNamespaces] = every
	}
	for _, ns := range namespaces {
		if c := granted(api.NamespaceCapabilityNames, func(c string) bool { return a.Namespace(ns, c) }); len(c) > 0 {
			g.Namespaces[ns] = c
		}
	}
	for _, pool := range pools {
		if c := granted(api.ScopeCapabilityNames["node_pool"], func(c string) bool { return a.NodePool(pool, c) }); len(c) > 0 {
			g.NodePools[pool] = c
		}
	}
	return g
}

func granted(names []string, may func(string) bool) []string {
	var list []string
	for _, n := range names {
		if n != "deny" && may(n) {
			list = append(list, n)
		}
	}
	return list
}
