package client

import "context"

// Suspend stops one task of an allocation from running, or (empty) all that run:
// they keep what they have and get no processor time.
func (c *Client) Suspend(ctx context.Context, allocID, task string) error {
	return c.suspend(ctx, allocID, task, true)
}

// Resume lets them run on.
func (c *Client) Resume(ctx context.Context, allocID, task string) error {
	return c.suspend(ctx, allocID, task, false)
}

// Checkpoint writes one task of an allocation, or (empty) all that run, to files
// on this node; they run on.
func (c *Client) Checkpoint(ctx context.Context, allocID, task string) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	return e.Checkpoint(ctx, task)
}

// Restore lets one task, or (empty) all that have a checkpoint, go on from there.
func (c *Client) Restore(ctx context.Context, allocID, task string) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	return e.Restore(ctx, task)
}

func (c *Client) suspend(ctx context.Context, allocID, task string, on bool) error {
	e, ok := c.lookup(allocID)
	if !ok {
		return errNoAlloc(allocID)
	}
	return e.Suspend(ctx, task, on)
}
