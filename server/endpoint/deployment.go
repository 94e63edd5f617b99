package endpoint

import (
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) deployments() {
	read(e, api.DeploymentsList, deploymentsList)
	read(e, api.DeploymentRead, deploymentRead)
	read(e, api.DeploymentAllocations, deploymentAllocations)
	e.deploymentWrites()
}

func deploymentsList(r *Read, req *api.ListRequest) ([]*api.Deployment, error) {
	rows := r.Deployments()
	if req.Prefix != "" {
		rows = r.DeploymentsByPrefix(strings.ToLower(req.Prefix))
	}
	l := byAge(rows,
		func(d *api.Deployment) uint64 { return d.CreateIndex },
		func(d *api.Deployment) string { return d.ID },
		same[*api.Deployment])
	l.match = func(d *api.Deployment) bool { return r.in(d.Namespace) }
	return page(r, &req.QueryOptions, l)
}

func deploymentRead(r *Read, req *api.IDRequest) (*api.Deployment, error) {
	return getDeployment(r.View, req.ID)
}

func deploymentAllocations(r *Read, req *api.IDRequest) ([]*api.AllocationListStub, error) {
	if err := wholeID("deployment", req.ID); err != nil {
		return nil, err
	}
	return page(r, &req.QueryOptions, readable(r, allocationListing(r.AllocationsByDeployment(req.ID), false, true)))
}
