package endpoint

import (
	"strings"

	"github.com/seraihq/serai/api"
)

func (e *Endpoints) namespaces() {
	read(e, api.NamespacesList, namespacesList)
	read(e, api.NamespaceRead, namespaceRead)
	e.namespaceWrites()
}

func namespacesList(r *Read, req *api.ListRequest) ([]*api.Namespace, error) {
	l := byName(r.Namespaces(), func(n *api.Namespace) string { return n.Name }, same[*api.Namespace])
	l.match = func(n *api.Namespace) bool {
		return strings.HasPrefix(n.Name, req.Prefix) && r.can(n.Name, api.CapabilityAny)
	}
	return page(r, &req.QueryOptions, l)
}

func namespaceRead(r *Read, req *api.NameRequest) (*api.Namespace, error) {
	n, ok := r.View.Namespace(req.Name)
	if !ok {
		return nil, api.Errorf(api.ErrNotFound, "namespace %q not found", req.Name)
	}
	return n, nil
}
