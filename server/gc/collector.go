package gc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
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

// Run sweeps until ctx ends, for as long as this server leads. Finished children
// of periodic and parameterized jobs do not wait for a sweep.
func (c *Collector) Run(ctx context.Context) error {
	for {
		err := c.follow(ctx)
		if !errors.Is(err, state.ErrGap) {
			return nil
		}
	}
}

const (
	// childPause is how long after the end of a child the history of its job is
	// looked at: many that end together share that.
	childPause = time.Second
	// The age of children is looked at ten times in the time that they are kept,
	// within these bounds.
	minAgePause = time.Second
	maxAgePause = time.Minute
)

func (c *Collector) follow(ctx context.Context) error {
	view, sub := c.store.Subscribe(8192, state.TableJobs)
	defer sub.Close()
	dirty := map[api.NamespacedID]bool{}
	for _, id := range parents(view) {
		dirty[id] = true
	}
	sweeps := time.NewTicker(c.interval)
	defer sweeps.Stop()
	ages := time.NewTicker(min(max(c.thresholds.Child/10, minAgePause), maxAgePause))
	defer ages.Stop()
	children := time.NewTimer(childPause)
	defer children.Stop()
	for {
		var found *fsm.Reap
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
			before := len(dirty)
			if err := ended(sub, dirty); err != nil {
				return err
			}
			if before == 0 && len(dirty) > 0 {
				children.Reset(childPause)
			}
			continue
		case <-children.C:
			found = Excess(c.store.View(), c.thresholds, slices.Collect(maps.Keys(dirty)), time.Now())
			clear(dirty)
		case <-ages.C:
			found = Aged(c.store.View(), c.thresholds, time.Now())
		case <-sweeps.C:
			found = Find(c.store.View(), c.thresholds, time.Now())
			if err := c.expire(ctx, time.Now().Add(-c.thresholds.Token)); err != nil && ctx.Err() == nil {
				c.logger.Warn("expired tokens are still there, they are good for nothing", "err", err)
			}
		}
		if err := c.reap(ctx, found); err != nil && ctx.Err() == nil {
			c.logger.Warn("garbage collection stopped early, it is tried again", "err", err, "in", c.interval)
		}
	}
}

// ended notes the jobs of which a child has ended.
func ended(sub *state.Subscription, dirty map[api.NamespacedID]bool) error {
	return sub.Each(func(_ *state.Commit, x *state.Change) {
		if j, ok := x.New.(*api.Job); ok && j.ParentID != "" && finished(j) {
			dirty[parent(j)] = true
		}
	})
}

// Collect frees at once all that is over, however lately.
func (c *Collector) Collect(ctx context.Context) error {
	if err := c.expire(ctx, time.Now()); err != nil {
		return err
	}
	return c.reap(ctx, Find(c.store.View(), Thresholds{}, time.Now()))
}

// expire removes the tokens whose time was over at a time.
func (c *Collector) expire(ctx context.Context, at time.Time) error {
	for hasExpired(c.store.View(), at) {
		if _, _, err := c.log.Apply(ctx, &fsm.ACLExpire{Time: at.UnixNano(), Max: batch}); err != nil {
			return fmt.Errorf("collect expired tokens: %w", err)
		}
	}
	return nil
}

func hasExpired(v *state.View, at time.Time) bool {
	for t := range v.ACLTokens() {
		if t.Expired(at) {
			return true
		}
	}
	for o := range v.OneTimeTokens() {
		if !at.Before(o.ExpiresAt) {
			return true
		}
	}
	return false
}

func (c *Collector) reap(ctx context.Context, found *fsm.Reap) error {
	var total fsm.Reaped
	for _, part := range split(found) {
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
