package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// clusterTables are the tables about the cluster as a whole.
type clusterTables struct {
	namespaces     *byID[*api.Namespace]
	config         *byID[*api.SchedulerConfiguration]
	meta           *byID[*ClusterMeta]
	deployments    *byID[*api.Deployment]
	deploymentsJob *table.Index[jobID, string, *api.Deployment]
}

// ClusterMeta tells one cluster from another.
type ClusterMeta struct {
	ClusterID   string
	CreateTime  int64 // Unix nanoseconds
	CreateIndex uint64
	ModifyIndex uint64
}

func newClusterTables(s *table.Store) clusterTables {
	var t clusterTables
	t.namespaces = addByID(s, TableNamespaces, func(n *api.Namespace) string { return n.Name }, func(n *api.Namespace) uint64 { return n.ModifyIndex })
	t.config = addByID(s, TableSchedulerConfig, func(*api.SchedulerConfiguration) string { return "" }, func(c *api.SchedulerConfiguration) uint64 { return c.ModifyIndex })
	t.meta = addByID(s, TableClusterMeta, func(*ClusterMeta) string { return "" }, func(m *ClusterMeta) uint64 { return m.ModifyIndex })
	t.deployments = addByID(s, TableDeployments, func(d *api.Deployment) string { return d.ID }, func(d *api.Deployment) uint64 { return d.ModifyIndex })
	t.deploymentsJob = table.AddIndex(t.deployments, "job", compareJobID, func(d *api.Deployment, dst []jobID) []jobID {
		return append(dst, jobID{Namespace: d.Namespace, ID: d.JobID})
	})
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

// ClusterMeta returns the cluster's identity, once it has one.
func (r Reader) ClusterMeta() (*ClusterMeta, bool) { return tablesOf(r.t).meta.Get(r.r, "") }

// Deployment returns the deployment with the ID.
func (r Reader) Deployment(id string) (*api.Deployment, bool) {
	return tablesOf(r.t).deployments.Get(r.r, id)
}

// Deployments returns every deployment, by ID.
func (r Reader) Deployments() iter.Seq[*api.Deployment] { return tablesOf(r.t).deployments.All(r.r) }

// DeploymentsFrom returns the deployments from an ID on, that one included.
func (r Reader) DeploymentsFrom(id string) iter.Seq[*api.Deployment] {
	return tablesOf(r.t).deployments.From(r.r, id)
}

// DeploymentsByPrefix returns the deployments whose ID starts with prefix.
func (r Reader) DeploymentsByPrefix(prefix string) iter.Seq[*api.Deployment] {
	return prefixed(tablesOf(r.t).deployments, r.r, prefix)
}

// DeploymentsByJob returns the deployments of a job.
func (r Reader) DeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment] {
	return tablesOf(r.t).deploymentsJob.Range(r.r, jobID{Namespace: namespace, ID: id})
}
