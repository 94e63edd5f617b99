package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// nodeTables are the tables about nodes.
type nodeTables struct {
	nodes       *byID[*api.Node]
	nodesPool   *table.Index[string, string, *api.Node]
	nodesSecret *table.Index[api.Sensitive, string, *api.Node]
	pools       *byID[*api.NodePool]
}

func newNodeTables(s *table.Store) nodeTables {
	var t nodeTables
	t.nodes = addByID(s, TableNodes, func(n *api.Node) string { return n.ID }, func(n *api.Node) uint64 { return n.ModifyIndex })
	t.nodesPool = table.AddIndex(t.nodes, "pool", compareString, func(n *api.Node, dst []string) []string { return append(dst, n.NodePool) })
	t.nodesSecret = table.AddIndex(t.nodes, "secret", func(a, b api.Sensitive) int { return compareString(string(a), string(b)) },
		func(n *api.Node, dst []api.Sensitive) []api.Sensitive {
			if n.SecretID == "" {
				return dst
			}
			return append(dst, n.SecretID)
		})
	t.pools = addByID(s, TableNodePools, func(p *api.NodePool) string { return p.Name }, func(p *api.NodePool) uint64 { return p.ModifyIndex })
	return t
}

// Node returns the node with the ID.
func (r Reader) Node(id string) (*api.Node, bool) { return tablesOf(r.t).nodes.Get(r.r, id) }

// Nodes returns every node, by ID.
func (r Reader) Nodes() iter.Seq[*api.Node] { return tablesOf(r.t).nodes.All(r.r) }

// NodesFrom returns the nodes from an ID on, that one included.
func (r Reader) NodesFrom(id string) iter.Seq[*api.Node] { return tablesOf(r.t).nodes.From(r.r, id) }

// NodeCount returns how many nodes there are.
func (r Reader) NodeCount() int { return tablesOf(r.t).nodes.Len(r.r) }

// NodesByPrefix returns the nodes whose ID starts with prefix.
func (r Reader) NodesByPrefix(prefix string) iter.Seq[*api.Node] {
	return prefixed(tablesOf(r.t).nodes, r.r, prefix)
}

// NodesByPool returns the nodes of a pool; for the pool "all", every node.
func (r Reader) NodesByPool(pool string) iter.Seq[*api.Node] {
	if pool == api.NodePoolAll {
		return r.Nodes()
	}
	return tablesOf(r.t).nodesPool.Range(r.r, pool)
}

// NodeBySecret returns the node that authenticates with the secret.
func (r Reader) NodeBySecret(secret string) (*api.Node, bool) {
	if secret == "" {
		return nil, false
	}
	return tablesOf(r.t).nodesSecret.Lookup(r.r, api.Sensitive(secret))
}

// NodePool returns the node pool with the name.
func (r Reader) NodePool(name string) (*api.NodePool, bool) {
	return tablesOf(r.t).pools.Get(r.r, name)
}

// NodePools returns every node pool, by name.
func (r Reader) NodePools() iter.Seq[*api.NodePool] { return tablesOf(r.t).pools.All(r.r) }
