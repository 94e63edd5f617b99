package fsm

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// The compact form of an AllocUpdate: of a task event only the fields that are
// set are written, and what comes again is a reference.

// Flags of an update.
const (
	updateTasks = 1 << iota
	updateDeployment
	updateNetwork
)

func (c *AllocUpdate) encode(w *wire.Writer) error {
	w.Int(c.Time)
	w.Uint(uint64(len(c.Updates)))
	for i := range c.Updates {
		if err := c.Updates[i].encode(w); err != nil {
			return err
		}
	}
	return encodeObjects(w, c.Evals)
}

func (c *AllocUpdate) decode(r *wire.Reader) {
	c.Time = r.Int()
	c.Updates = makeList[ClientUpdate](r.Len())
	for i := range c.Updates {
		c.Updates[i].decode(r)
	}
	c.Evals = decodeObjects[api.Evaluation](r)
}

func (u *ClientUpdate) encode(w *wire.Writer) error {
	w.ID(u.ID)
	w.Uint(bit(u.TaskStates != nil, updateTasks) | bit(u.DeploymentStatus != nil, updateDeployment) | bit(u.NetworkStatus != nil, updateNetwork))
	w.Ref(u.ClientStatus)
	w.Ref(u.ClientDescription)
	if u.TaskStates != nil {
		w.Tasks(u.TaskStates)
	}
	if u.DeploymentStatus != nil {
		if err := w.Object(u.DeploymentStatus); err != nil {
			return err
		}
	}
	if u.NetworkStatus != nil {
		return w.Object(u.NetworkStatus)
	}
	return nil
}

func (u *ClientUpdate) decode(r *wire.Reader) {
	u.ID = r.ID()
	flags := r.Uint()
	u.ClientStatus, u.ClientDescription = r.Ref(), r.Ref()
	if flags&updateTasks != 0 {
		u.TaskStates = r.Tasks()
	}
	if flags&updateDeployment != 0 {
		u.DeploymentStatus = new(api.AllocDeploymentStatus)
		r.Object(u.DeploymentStatus)
	}
	if flags&updateNetwork != 0 {
		u.NetworkStatus = new(api.AllocNetworkStatus)
		r.Object(u.NetworkStatus)
	}
}
