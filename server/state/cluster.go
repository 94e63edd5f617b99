package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// clusterTables are the tables about the cluster as a whole.
type clusterTables struct {
	namespaces *byID[*api.Namespace]
	config     *byID[*api.SchedulerConfiguration]
	meta       *byID[*ClusterMeta]
	autopilot  *byID[*api.AutopilotConfiguration]
}

// ClusterMeta tells one cluster from another.
type ClusterMeta struct {
	ClusterID   string
	CreateTime  int64 // Unix nanoseconds
	Protocol    int   `json:",omitempty"` // version of the cluster; 0 is the first
	CreateIndex uint64
	ModifyIndex uint64
}

func newClusterTables(s *table.Store) clusterTables {
	var t clusterTables
	t.namespaces = addByID(s, TableNamespaces, func(n *api.Namespace) string { return n.Name }, func(n *api.Namespace) uint64 { return n.ModifyIndex })
	t.config = addByID(s, TableSchedulerConfig, func(*api.SchedulerConfiguration) string { return "" }, func(c *api.SchedulerConfiguration) uint64 { return c.ModifyIndex })
	t.meta = addByID(s, TableClusterMeta, func(*ClusterMeta) string { return "" }, func(m *ClusterMeta) uint64 { return m.ModifyIndex })
	t.autopilot = addByID(s, TableAutopilotConfig, func(*api.AutopilotConfiguration) string { return "" }, func(c *api.AutopilotConfiguration) uint64 { return c.ModifyIndex })
	return t
}

// Namespace returns the namespace with the name.
func (r Reader) Namespace(name string) (*api.Namespace, bool) {
	return tablesOf(r.t).namespaces.Get(r.r, name)
}

// Namespaces returns every namespace, by name.
func (r Reader) Namespaces() iter.Seq[*api.Namespace] { return tablesOf(r.t).namespaces.All(r.r) }

// SchedulerConfig returns the scheduler's configuration, never nil.
func (r Reader) SchedulerConfig() *api.SchedulerConfiguration {
	if c, ok := tablesOf(r.t).config.Get(r.r, ""); ok {
		return c
	}
	return api.DefaultSchedulerConfiguration()
}

// AutopilotConfig returns autopilot's configuration, never nil.
func (r Reader) AutopilotConfig() *api.AutopilotConfiguration {
	if c, ok := tablesOf(r.t).autopilot.Get(r.r, ""); ok {
		return c
	}
	return api.DefaultAutopilotConfiguration()
}

// ClusterMeta returns the cluster's identity, once it has one.
func (r Reader) ClusterMeta() (*ClusterMeta, bool) { return tablesOf(r.t).meta.Get(r.r, "") }

// Protocol returns the protocol version of the cluster, 1 at least: nothing that
// came with a later one may be written.
func (r Reader) Protocol() int {
	if m, ok := r.ClusterMeta(); ok {
		return max(1, m.Protocol)
	}
	return 1
}
