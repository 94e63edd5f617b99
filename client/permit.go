package client

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// Namespace gives the namespace of an allocation that is known here.
func (c *Client) Namespace(allocID string) (string, bool) {
	e, ok := c.lookup(allocID)
	if !ok {
		return "", false
	}
	return e.Alloc().Namespace, true
}

// Unconfined says whether what is run in a task sees the files of the node: its
// driver isolates it from none of them, or is not known. An empty task stands
// for any of the allocation.
func (c *Client) Unconfined(ctx context.Context, allocID, task string) bool {
	e, ok := c.lookup(allocID)
	if !ok || e.Alloc().Job == nil {
		return true
	}
	a := e.Alloc()
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil {
		return true
	}
	for _, t := range g.Tasks {
		if task != "" && t.Name != task {
			continue
		}
		d, err := c.drivers.Find(ctx, t.Driver)
		if err != nil || d.Info().Abilities.FS == drivers.FSNone || d.Info().Abilities.FS == "" {
			return true
		}
	}
	return false
}

// Identity gives the node's ID and the secret by which the servers know it.
func (c *Client) Identity() (id string, secret api.Sensitive) {
	return c.id.ID, api.Sensitive(c.id.SecretID)
}
