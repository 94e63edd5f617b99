package steps

import (
	"context"
	"fmt"
	"time"
)

// previousDeadline is more than any task may take to stop.
const previousDeadline = 15 * time.Minute

// Previous waits until the allocations that this one takes the place of have
// ended on this node, so that their ports and files are free.
type Previous struct {
	// Ended gives a channel that is closed when an allocation has ended; false
	// when it is not on this node.
	Ended func(allocID string) (<-chan struct{}, bool)
}

// Name implements Step.
func (*Previous) Name() string { return "previous" }

// Up implements Step.
func (p *Previous) Up(ctx context.Context, in *In) (Result, error) {
	if in.Restored {
		return nil, nil
	}
	ids := in.Alloc.PreemptedAllocations
	if id := in.Alloc.PreviousAllocation; id != "" {
		ids = append([]string{id}, ids...)
	}
	for _, id := range ids {
		ended, ok := p.Ended(id)
		if !ok {
			continue
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("allocation %s, which this one replaces, has not ended: %w", id, ctx.Err())
		}
	}
	return nil, nil
}

// Down implements Step.
func (*Previous) Down(context.Context, *In, Result) error { return nil }
