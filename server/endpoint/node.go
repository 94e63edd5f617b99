package endpoint

import (
	"net"
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) nodes() {
	read(e, api.NodesList, nodesList)
	read(e, api.NodesUsage, nodesUsage)
	read(e, api.NodeRead, func(r *Read, req *api.IDRequest) (*api.Node, error) { return getNode(r.View, req.ID) })
	read(e, api.NodeAllocations, nodeAllocations)
	e.nodeWrites()
}

func nodesList(r *Read, req *api.NodesListRequest) ([]*api.NodeListStub, error) {
	rows := r.Nodes()
	if req.Prefix != "" {
		rows = r.NodesByPrefix(strings.ToLower(req.Prefix))
	}
	return page(r, &req.QueryOptions, byName(rows, nodeID, func(n *api.Node) *api.NodeListStub {
		return nodeStub(n, req.Resources, req.OS, req.Meta)
	}))
}

func nodeID(n *api.Node) string { return n.ID }

func nodeStub(n *api.Node, resources, os, meta bool) *api.NodeListStub {
	host, _, err := net.SplitHostPort(n.HTTPAddr)
	if err != nil {
		host = n.HTTPAddr
	}
	s := &api.NodeListStub{
		Address: host, ID: n.ID, Datacenter: n.Datacenter, Name: n.Name,
		NodeClass: n.NodeClass, NodePool: n.NodePool, Version: n.Attributes["nomad.version"],
		Drain: n.DrainStrategy != nil, SchedulingEligibility: n.SchedulingEligibility,
		Status: n.Status, StatusDescription: n.StatusDescription, Drivers: n.Drivers,
		LastDrain: n.LastDrain, CreateIndex: n.CreateIndex, ModifyIndex: n.ModifyIndex,
	}
	if resources {
		s.NodeResources, s.ReservedResources = n.NodeResources, n.ReservedResources
	}
	if os {
		s.Attributes = map[string]string{"os.name": n.Attributes["os.name"]}
	}
	if meta {
		s.Meta = n.Meta
	}
	return s
}

// nodeAllocations gives whole allocations, with their jobs, of every namespace
// that the token may read.
func nodeAllocations(r *Read, req *api.IDRequest) ([]*api.Allocation, error) {
	if _, err := getNode(r.View, req.ID); err != nil {
		return nil, err
	}
	l := byAge(r.AllocationsByNode(req.ID),
		func(a *api.Allocation) uint64 { return a.CreateIndex },
		func(a *api.Allocation) string { return a.ID },
		same[*api.Allocation])
	return page(r, &req.QueryOptions, readable(r, l))
}
