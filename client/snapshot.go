package client

import (
	"context"
	"io"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/steps"
)

// maxSnapshotWait bounds how long Snapshot waits for an allocation's end.
const maxSnapshotWait = 15 * time.Minute

// Snapshot waits at most so long until the allocation has ended, and gives what
// writes its ephemeral disk as a tar stream (see files.Archive). Errors of
// Snapshot are about the request, those of write about the stream.
func (c *Client) Snapshot(ctx context.Context, allocID string, wait time.Duration) (write func(io.Writer) error, err error) {
	e, ok := c.lookup(allocID)
	if !ok {
		return nil, errNoAlloc(allocID)
	}
	if wait > 0 {
		timer := time.NewTimer(min(wait, maxSnapshotWait))
		defer timer.Stop()
		select {
		case <-e.Ended():
		case <-timer.C:
			return nil, api.Errorf(api.ErrUnavailable, "allocation %s has not ended within %v", allocID, wait)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	root, err := e.Open()
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		defer root.Close()
		return steps.DiskArchive(ctx, root, e.Alloc().Job.LookupTaskGroup(e.Alloc().TaskGroup), w)
	}, nil
}
