package client

import (
	"context"

	"github.com/seraihq/serai/api"
)

// ActionRequest names an action of a task of an allocation. Namespace and JobID
// must be those of the allocation; an empty Group is its own, an empty Task the
// only one that has the action.
type ActionRequest struct {
	AllocID   string
	Namespace string
	JobID     string
	Group     string
	Task      string
	Action    string
}

// Action gives the command that an action stands for, as the job of the
// allocation says it, with all references resolved, and the task that it is for.
func (c *Client) Action(ctx context.Context, req ActionRequest) (task string, command []string, err error) {
	e, ok := c.lookup(req.AllocID)
	if !ok {
		return "", nil, errNoAlloc(req.AllocID)
	}
	a := e.Alloc()
	if a.Namespace != req.Namespace || a.JobID != req.JobID || req.Group != "" && req.Group != a.TaskGroup {
		return "", nil, api.Errorf(api.ErrNotFound, "job %q of namespace %q has no allocation %s in such a group", req.JobID, req.Namespace, req.AllocID)
	}
	return e.Action(ctx, req.Task, req.Action)
}
