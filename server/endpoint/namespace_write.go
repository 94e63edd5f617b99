package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

func (e *Endpoints) namespaceWrites() {
	write(e, api.NamespaceUpsert, func(w *Write, req *api.NamespaceUpsertRequest) (api.None, error) {
		return namespaceUpsert(w, req.Object)
	})
	write(e, api.NamespaceWrite, func(w *Write, req *api.NamespaceWriteRequest) (api.None, error) {
		if req.Object != nil && req.Object.Name == "" {
			req.Object.Name = req.Name
		}
		if req.Object != nil && req.Object.Name != req.Name {
			return api.None{}, api.Errorf(api.ErrInvalid, "Namespace name does not match request path")
		}
		return namespaceUpsert(w, req.Object)
	})
	write(e, api.NamespaceDelete, func(w *Write, req *api.NameWriteRequest) (api.None, error) {
		_, err := w.apply(&fsm.NamespaceDelete{Names: []string{req.Name}})
		return api.None{}, err
	})
}

func namespaceUpsert(w *Write, n *api.Namespace) (api.None, error) {
	switch {
	case n == nil:
		return api.None{}, api.Errorf(api.ErrInvalid, "must specify a namespace")
	case !objectName.MatchString(n.Name):
		return api.None{}, api.Errorf(api.ErrInvalid, "invalid name %q. Must match regex %s", n.Name, objectName)
	case len(n.Description) > maxDescription:
		return api.None{}, api.Errorf(api.ErrInvalid, "description longer than %d", maxDescription)
	}
	_, err := w.apply(&fsm.NamespaceUpsert{Namespaces: []*api.Namespace{n}})
	return api.None{}, err
}
