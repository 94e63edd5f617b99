package state

import (
	"iter"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// deploymentTables are the tables about deployments.
type deploymentTables struct {
	deployments       *byID[*api.Deployment]
	deploymentsJob    *table.Index[jobID, string, *api.Deployment]
	deploymentsActive *table.Index[jobID, string, *api.Deployment]
}

func newDeploymentTables(s *table.Store) deploymentTables {
	var t deploymentTables
	t.deployments = addByID(s, TableDeployments, func(d *api.Deployment) string { return d.ID }, func(d *api.Deployment) uint64 { return d.ModifyIndex })
	t.deploymentsJob = table.AddIndex(t.deployments, "job", compareJobID, func(d *api.Deployment, dst []jobID) []jobID {
		return append(dst, jobID{Namespace: d.Namespace, ID: d.JobID})
	})
	t.deploymentsActive = table.AddIndex(t.deployments, "active", compareJobID, func(d *api.Deployment, dst []jobID) []jobID {
		if !d.Active() {
			return dst
		}
		return append(dst, jobID{Namespace: d.Namespace, ID: d.JobID})
	})
	return t
}

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

// DeploymentsByJob returns the deployments of a job, also those that have ended.
func (r Reader) DeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment] {
	return tablesOf(r.t).deploymentsJob.Range(r.r, jobID{Namespace: namespace, ID: id})
}

// ActiveDeploymentsByJob returns the deployments of a job that go on; one that
// is replaced all the time has many others.
func (r Reader) ActiveDeploymentsByJob(namespace, id string) iter.Seq[*api.Deployment] {
	return tablesOf(r.t).deploymentsActive.Range(r.r, jobID{Namespace: namespace, ID: id})
}

// ActiveDeployments returns every deployment that goes on, by job.
//
//go:noinline
func (r Reader) ActiveDeployments() iter.Seq[*api.Deployment] {
	return func(yield func(*api.Deployment) bool) {
		for _, d := range tablesOf(r.t).deploymentsActive.From(r.r, jobID{}) {
			if !yield(d) {
				return
			}
		}
	}
}
