package endpoint

import (
	"sync"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
	"github.com/seraihq/serai/server/state"
)

const (
	// fleetRing is how many commits the fleet of dry runs may be behind; past it
	// the fleet is loaded anew.
	fleetRing = 1024
	// fleetIdle is how long the fleet is kept for the next dry run.
	fleetIdle = 5 * time.Minute
)

// dryFleet is the fleet of all dry runs: loaded with the first, and brought up
// to the store with each. The planner has one of its own.
type dryFleet struct {
	store *state.Store

	mu    sync.Mutex
	fleet *fleet.Fleet // nil: not loaded
	view  *state.View  // that the fleet is of
	sub   *state.Subscription
	idle  *time.Timer
}

// with lends the fleet to f, and the view that it is of: the given one, or a
// newer one. The fleet must be as it was when f returns; when f panics it is
// dropped.
func (d *dryFleet) with(v *state.View, f func(*state.View, *fleet.Fleet) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle != nil {
		d.idle.Stop()
	}
	d.follow()
	whole := false
	defer func() {
		if !whole {
			d.drop()
			return
		}
		d.idle = time.AfterFunc(fleetIdle, d.forget)
	}()
	if d.view.Index() > v.Index() {
		v = d.view
	}
	err := f(v, d.fleet)
	whole = true
	return err
}

// follow brings the fleet up to the store.
func (d *dryFleet) follow() {
	for d.fleet != nil {
		c, ok, err := d.sub.Try()
		if err != nil {
			d.drop()
			break
		}
		if !ok {
			return
		}
		for i := range c.Changes {
			d.change(&c.Changes[i])
		}
		d.view = c.View
	}
	d.view, d.sub = d.store.Subscribe(fleetRing, state.TableNodes, state.TableAllocations)
	d.fleet = fleet.Load(d.view.Nodes(), d.view.Allocations())
}

func (d *dryFleet) change(c *state.Change) {
	switch c.Table {
	case state.TableNodes:
		if n, ok := c.New.(*api.Node); ok {
			d.fleet.NodeUpsert(n)
		} else if n, ok := c.Old.(*api.Node); ok {
			d.fleet.NodeRemove(n.ID)
		}
	case state.TableAllocations:
		old, _ := c.Old.(*api.Allocation)
		now, _ := c.New.(*api.Allocation)
		d.fleet.AllocChange(old, now)
	}
}

func (d *dryFleet) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop()
}

// drop lets go of the fleet; the caller holds the lock.
func (d *dryFleet) drop() {
	if d.sub != nil {
		d.sub.Close()
	}
	d.fleet, d.view, d.sub = nil, nil, nil
}
