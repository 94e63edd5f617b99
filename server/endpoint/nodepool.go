package endpoint

import (
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) nodePools() {
	read(e, api.NodePoolsList, nodePoolsList)
	read(e, api.NodePoolRead, nodePoolRead)
	read(e, api.NodePoolNodes, nodePoolNodes)
	read(e, api.NodePoolJobs, nodePoolJobs)
	e.nodePoolWrites()
}

func nodePoolsList(r *Read, req *api.ListRequest) ([]*api.NodePool, error) {
	l := byName(r.NodePools(), func(p *api.NodePool) string { return p.Name }, same[*api.NodePool])
	l.match = func(p *api.NodePool) bool {
		return strings.HasPrefix(p.Name, req.Prefix) && r.token.ACL.NodePool(p.Name, "read")
	}
	return page(r, &req.QueryOptions, l)
}

func nodePoolRead(r *Read, req *api.NameRequest) (*api.NodePool, error) {
	p, ok := r.NodePool(req.Name)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "node pool not found")
	}
	return p, nil
}

func nodePoolNodes(r *Read, req *api.NameRequest) ([]*api.NodeListStub, error) {
	if _, err := nodePoolRead(r, req); err != nil {
		return nil, err
	}
	return page(r, &req.QueryOptions, byName(r.NodesByPool(req.Name), nodeID, func(n *api.Node) *api.NodeListStub {
		return nodeStub(n, false, false, false)
	}))
}

func nodePoolJobs(r *Read, req *api.NameRequest) ([]*api.JobListStub, error) {
	if _, err := nodePoolRead(r, req); err != nil {
		return nil, err
	}
	rows := r.JobsByNodePool(req.Name)
	if req.Name == api.NodePoolAll {
		rows = r.Jobs()
	}
	return page(r, &req.QueryOptions, jobListing(r, rows, req.Prefix, false))
}
