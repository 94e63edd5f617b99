package gc

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// batch is how many objects one command frees at the most, so that a large
// sweep never holds up the log.
const batch = 2048

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Collector frees what is over.
type Collector struct {
	store      *state.Store
	log        Log
	thresholds Thresholds
	interval   time.Duration
	logger     *slog.Logger
}

// New makes a collector that sweeps once in every interval.
func New(store *state.Store, log Log, t Thresholds, interval time.Duration, logger *slog.Logger) *Collector {
	return &Collector{store: store, log: log, thresholds: t, interval: interval, logger: logger.With("component", "gc")}
}

// Run sweeps until ctx ends, for as long as this server leads.
func (c *Collector) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := c.sweep(ctx, c.thresholds); err != nil && ctx.Err() == nil {
				c.logger.Warn("garbage collection stopped early, it is tried again", "err", err, "in", c.interval)
			}
		}
	}
}

// Collect frees at once all that is over, however lately.
func (c *Collector) Collect(ctx context.Context) error {
	return c.sweep(ctx, Thresholds{})
}

func (c *Collector) sweep(ctx context.Context, t Thresholds) error {
	var total fsm.Reaped
	for _, part := range split(Find(c.store.View(), t, time.Now())) {
		result, _, err := c.log.Apply(ctx, part)
		if err != nil {
			return fmt.Errorf("collect garbage: %w", err)
		}
		if n, ok := result.(*fsm.Reaped); ok {
			total.Evals += n.Evals
			total.Allocs += n.Allocs
			total.Jobs += n.Jobs
			total.Nodes += n.Nodes
			total.Deployments += n.Deployments
		}
	}
	if total != (fsm.Reaped{}) {
		c.logger.Debug("garbage collected", "evals", total.Evals, "allocs", total.Allocs,
			"jobs", total.Jobs, "nodes", total.Nodes, "deployments", total.Deployments)
	}
	return nil
}

// split cuts a sweep into commands. Allocations go before their evaluations
// and jobs, and nodes last.
func split(all *fsm.Reap) []*fsm.Reap {
	var parts []*fsm.Reap
	cut(all.Allocs, func(ids []string) { parts = append(parts, &fsm.Reap{Allocs: ids}) })
	cut(all.Evals, func(ids []string) { parts = append(parts, &fsm.Reap{Evals: ids}) })
	cut(all.Deployments, func(ids []string) { parts = append(parts, &fsm.Reap{Deployments: ids}) })
	cut(all.Jobs, func(refs []fsm.JobRef) { parts = append(parts, &fsm.Reap{Jobs: refs}) })
	cut(all.Nodes, func(ids []string) { parts = append(parts, &fsm.Reap{Nodes: ids}) })
	return parts
}

func cut[T any](items []T, each func([]T)) {
	for len(items) > 0 {
		n := min(batch, len(items))
		each(items[:n])
		items = items[n:]
	}
}
