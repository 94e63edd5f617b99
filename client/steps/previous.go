package steps

import (
	"context"
	"fmt"
	"time"

	"github.com/seraihq/serai/api"
)

// previousDeadline is more than any task may take to stop, its kill timeout aside.
const previousDeadline = 15 * time.Minute

// Previous waits until the allocations whose place this one takes have ended on
// this node, so that their resources, ports and files are free: the one that it
// replaces, and those that were preempted for it.
type Previous struct {
	// Ended gives a channel that is closed when an allocation has ended; false
	// when it is not on this node.
	Ended func(allocID string) (<-chan struct{}, bool)
	// MaxKill is the longest kill timeout on this node.
	MaxKill time.Duration
}

// Name implements Step.
func (*Previous) Name() string { return "previous" }

// Up implements Step.
func (p *Previous) Up(ctx context.Context, in *In) (Result, error) {
	if in.Restored {
		return nil, nil
	}
	if id := replaced(in.Alloc); id != "" {
		if err := p.wait(ctx, in, id, "which this one replaces"); err != nil {
			return nil, err
		}
	}
	for _, id := range in.Alloc.PreemptedAllocations {
		if err := p.wait(ctx, in, id, "which is preempted for this one"); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (p *Previous) wait(ctx context.Context, in *In, id, why string) error {
	ended, here := p.Ended(id)
	if !here {
		return nil
	}
	select {
	case <-ended:
		return nil
	default:
		in.note("Waiting for the end of allocation %s, %s", id, why)
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("allocation %s, %s, has not ended: %w", id, why, ctx.Err())
	}
}

// replaced gives the allocation whose place this one takes. A canary runs
// beside the one that it is to replace.
func replaced(a *api.Allocation) string {
	if s := a.DeploymentStatus; s != nil && s.Canary {
		return ""
	}
	return a.PreviousAllocation
}

// Down implements Step.
func (*Previous) Down(context.Context, *In, Result) error { return nil }
