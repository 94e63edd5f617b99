package endpoint

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pattern"
	"github.com/seraihq/serai/server/fsm"
)

const maxDescription = 256

var objectName = pattern.New(`^[a-zA-Z0-9-_]{1,128}$`)

func (e *Endpoints) nodePoolWrites() {
	write(e, api.NodePoolUpsert, func(w *Write, req *api.NodePoolUpsertRequest) (api.None, error) {
		return nodePoolUpsert(w, req.Pool)
	})
	write(e, api.NodePoolWrite, func(w *Write, req *api.NodePoolWriteRequest) (api.None, error) {
		if req.Pool != nil && req.Pool.Name != req.Name {
			return api.None{}, api.Errorf(api.ErrInvalid, "Resource name in payload does not match name in path")
		}
		return nodePoolUpsert(w, req.Pool)
	})
	write(e, api.NodePoolDelete, func(w *Write, req *api.NameWriteRequest) (api.None, error) {
		_, err := w.apply(&fsm.NodePoolDelete{Names: []string{req.Name}})
		return api.None{}, err
	})
}

func nodePoolUpsert(w *Write, p *api.NodePool) (api.None, error) {
	switch {
	case p == nil:
		return api.None{}, api.Errorf(api.ErrInvalid, "must specify a node pool")
	case !objectName.MatchString(p.Name):
		return api.None{}, api.Errorf(api.ErrInvalid, "invalid node pool name %q; it has 1 to 128 letters, digits, - and _", p.Name)
	case len(p.Description) > maxDescription:
		return api.None{}, api.Errorf(api.ErrInvalid, "description longer than %d", maxDescription)
	}
	if c := p.SchedulerConfiguration; c != nil {
		switch c.SchedulerAlgorithm {
		case "", api.SchedulerBinpack, api.SchedulerSpread:
		default:
			return api.None{}, api.Errorf(api.ErrInvalid, "invalid scheduler algorithm %q; it is %q or %q", c.SchedulerAlgorithm, api.SchedulerBinpack, api.SchedulerSpread)
		}
	}
	_, err := w.apply(&fsm.NodePoolUpsert{Pools: []*api.NodePool{p}})
	return api.None{}, err
}
