package auth

import "maps"

// ACL is what a token may do. It never changes and is safe for concurrent use.
type ACL struct {
	management bool
	namespaces *rules[*namespaceACL]
	pools      *rules[grant]
	volumes    *rules[grant]
	scopes     map[string]grant
}

type namespaceACL struct {
	jobs      grant
	variables *rules[grant]
}

// Everything may do everything: it is the ACL of management tokens, and of
// everybody where access control is off.
var Everything = &ACL{management: true}

// Nothing may do nothing.
var Nothing = Compile(nil)

// Compile makes one ACL of policies. Rules for the same name add up.
func Compile(policies []*Policy) *ACL {
	a := &ACL{scopes: map[string]grant{}}
	namespaces := map[string]namespaceGrant{}
	pools, volumes := map[string]grant{}, map[string]grant{}
	for _, p := range policies {
		for name, g := range p.namespaces {
			merged := namespaces[name]
			merged.jobs |= g.jobs
			if merged.variables == nil {
				merged.variables = map[string]grant{}
			}
			add(merged.variables, g.variables)
			namespaces[name] = merged
		}
		add(pools, p.pools)
		add(volumes, p.volumes)
		add(a.scopes, p.scopes)
	}
	compiled := map[string]*namespaceACL{}
	for name, g := range namespaces {
		compiled[name] = &namespaceACL{g.jobs, newRules(g.variables)}
	}
	a.namespaces, a.pools, a.volumes = newRules(compiled), newRules(pools), newRules(volumes)
	return a
}

func add(to, from map[string]grant) {
	for name, g := range maps.All(from) {
		to[name] |= g
	}
}

// Management says whether everything is allowed.
func (a *ACL) Management() bool { return a.management }

// Namespace says whether a capability is granted in a namespace.
func (a *ACL) Namespace(namespace, capability string) bool {
	if a.management {
		return true
	}
	n, ok := a.namespaces.lookup(namespace)
	return ok && n.jobs.allows(namespaceWords.bit(capability))
}

// AnyInNamespace says whether anything at all is granted in a namespace.
func (a *ACL) AnyInNamespace(namespace string) bool {
	if a.management {
		return true
	}
	n, ok := a.namespaces.lookup(namespace)
	return ok && n.jobs&deny == 0 && (n.jobs != 0 || !n.variables.empty())
}

// AnyNamespace says whether a capability is granted in some namespace.
func (a *ACL) AnyNamespace(capability string) bool {
	bit := namespaceWords.bit(capability)
	return a.management || a.namespaces.any(func(n *namespaceACL) bool { return n.jobs.allows(bit) })
}

// EveryNamespace says whether a capability is granted in all namespaces, those
// included that are still to come.
func (a *ACL) EveryNamespace(capability string) bool {
	if a.management {
		return true
	}
	bit := namespaceWords.bit(capability)
	_, all := a.namespaces.lookup("*")
	return all && !a.namespaces.any(func(n *namespaceACL) bool { return !n.jobs.allows(bit) })
}

// Scope says whether a capability of a scope is granted, for example "node", "read".
func (a *ACL) Scope(scope, capability string) bool {
	if a.management {
		return true
	}
	words := scopeWords[scope]
	return words != nil && a.scopes[scope].allows(words.bit(capability))
}

// NodePool says whether a capability is granted for a node pool.
func (a *ACL) NodePool(pool, capability string) bool {
	if a.management {
		return true
	}
	g, ok := a.pools.lookup(pool)
	return ok && g.allows(poolWords.bit(capability))
}

// AnyNodePool says whether a capability is granted for some node pool.
func (a *ACL) AnyNodePool(capability string) bool {
	bit := poolWords.bit(capability)
	return a.management || a.pools.any(func(g grant) bool { return g.allows(bit) })
}

// HostVolume says whether a host volume may be mounted.
func (a *ACL) HostVolume(name string, readOnly bool) bool {
	if a.management {
		return true
	}
	want := "mount-readwrite"
	if readOnly {
		want = "mount-readonly"
	}
	g, ok := a.volumes.lookup(name)
	return ok && g.allows(volumeWords.bit(want))
}

// Variable says whether a capability is granted for the variable at a path.
func (a *ACL) Variable(namespace, path, capability string) bool {
	if a.management {
		return true
	}
	n, ok := a.namespaces.lookup(namespace)
	if !ok || n.jobs&deny != 0 {
		return false
	}
	g, ok := n.variables.lookup(path)
	return ok && g.allows(variableWords.bit(capability))
}
