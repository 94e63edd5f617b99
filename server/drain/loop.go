package drain

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
	"github.com/seraihq/serai/server/trigger"
)

const (
	maxMoves = 4096                  // of one command
	minRest  = 50 * time.Millisecond // between decisions, so that they share changes
	maxRest  = 5 * time.Second
	retry    = time.Second     // after a command that the log did not take
	patience = 5 * time.Minute // without any progress before a node tells what it waits for
)

// Log has commands applied.
type Log interface {
	Apply(ctx context.Context, c fsm.Command) (result any, index uint64, err error)
}

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Log    Log
	Logger *slog.Logger
}

// Loop empties nodes. See the package comment.
type Loop struct {
	Config
	nodes map[string]bool           // that are drained
	jobs  map[api.NamespacedID]bool // that the last decision depended on
	pace  map[string]*pace
	dirty bool      // something has changed since the last decision
	rest  time.Time // no decision before
	again time.Time // a decision then, even if nothing changes; zero: none
}

// pace remembers when a drain last got on.
type pace struct {
	started time.Time
	left    int
	since   time.Time
	noted   bool
}

// New makes a loop.
func New(c Config) *Loop { return &Loop{Config: c} }

// Run empties nodes until ctx ends, for as long as this server leads.
func (l *Loop) Run(ctx context.Context) error {
	l.pace = map[string]*pace{}
	for {
		err := l.follow(ctx)
		if !errors.Is(err, state.ErrGap) {
			return err
		}
	}
}

func (l *Loop) follow(ctx context.Context) error {
	view, sub := l.Store.Subscribe(8192, state.TableNodes, state.TableAllocations, state.TableJobs)
	defer sub.Close()
	l.nodes, l.jobs, l.dirty = map[string]bool{}, nil, true
	for n := range view.Nodes() {
		if n.DrainStrategy != nil {
			l.nodes[n.ID] = true
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
			if err := sub.Each(l.change); err != nil {
				return err
			}
		case <-timer.C:
		}
		timer.Reset(l.work(ctx))
	}
}

// change notes whether what has changed matters.
func (l *Loop) change(_ *state.Commit, c *state.Change) {
	switch row := either(c).(type) {
	case *api.Node:
		now, _ := c.New.(*api.Node)
		if now != nil && now.DrainStrategy != nil {
			l.nodes[row.ID], l.dirty = true, true
		} else {
			delete(l.nodes, row.ID)
			delete(l.pace, row.ID)
		}
	case *api.Allocation:
		l.dirty = l.dirty || l.nodes[row.NodeID] || l.jobs[api.NamespacedID{Namespace: row.Namespace, ID: row.JobID}]
	case *api.Job:
		l.dirty = l.dirty || l.jobs[row.NamespacedID()]
	}
}

// either gives the row after a change, or before it when there is none after.
func either(c *state.Change) any {
	if c.Op == state.Delete {
		return c.Old
	}
	return c.New
}

// work decides and acts when there is reason to, and says how long it is until
// there may be more.
func (l *Loop) work(ctx context.Context) time.Duration {
	now := time.Now()
	due := l.dirty || !l.again.IsZero() && !now.Before(l.again)
	if len(l.nodes) == 0 || !due {
		return l.sleep(now)
	}
	if now.Before(l.rest) {
		return l.rest.Sub(now)
	}
	view := l.Store.View()
	d := Decide(view, l.draining(view), now)
	l.dirty, l.jobs, l.again = false, d.Jobs, d.Again
	c := l.step(view, &d, now)
	if len(c.Allocs)+len(c.Done)+len(c.Notes) > 0 {
		if _, _, err := l.Log.Apply(ctx, c); err != nil {
			if ctx.Err() == nil {
				l.Logger.Warn("drains do not get on, it is tried again", "err", err, "allocs", len(c.Allocs), "nodes", len(c.Done))
			}
			l.dirty = true
			l.rest = time.Now().Add(retry)
			return retry
		}
		for _, n := range c.Done {
			l.Logger.Info("node is drained", "node_id", n.NodeID)
		}
	}
	l.rest = time.Now().Add(min(max(3*time.Since(now), minRest), maxRest))
	return l.sleep(time.Now())
}

func (l *Loop) sleep(now time.Time) time.Duration {
	switch {
	case len(l.nodes) == 0:
		return time.Hour
	case l.dirty:
		return max(l.rest.Sub(now), 0)
	case !l.again.IsZero():
		return min(max(l.again.Sub(now), l.rest.Sub(now), 0), time.Hour)
	}
	return time.Hour
}

func (l *Loop) draining(v *state.View) []*api.Node {
	var out []*api.Node
	for _, id := range slices.Sorted(maps.Keys(l.nodes)) {
		if n, ok := v.Node(id); ok && n.DrainStrategy != nil {
			out = append(out, n)
		}
	}
	return out
}

// step makes the command of a decision.
func (l *Loop) step(v *state.View, d *Decision, now time.Time) *fsm.DrainStep {
	c := &fsm.DrainStep{Time: now.UnixNano()}
	moves := d.Move
	if len(moves) > maxMoves {
		moves, l.dirty = moves[:maxMoves], true
	}
	seen := map[api.NamespacedID]bool{}
	for _, a := range moves {
		c.Allocs = append(c.Allocs, a.ID)
		id := api.NamespacedID{Namespace: a.Namespace, ID: a.JobID}
		if seen[id] {
			continue
		}
		seen[id] = true
		job, ok := v.Job(a.Namespace, a.JobID)
		if !ok {
			job = a.Job
		}
		if job != nil {
			c.Evals = append(c.Evals, trigger.ForJob(job, api.TriggerNodeDrain, now))
		}
	}
	for _, n := range d.Done {
		c.Done = append(c.Done, node(n, "Node drain complete", nil, now))
	}
	c.Notes = l.notes(d, now)
	return c
}

func node(n *api.Node, message string, details map[string]string, now time.Time) fsm.DrainNode {
	return fsm.DrainNode{NodeID: n.ID, StartedAt: n.DrainStrategy.StartedAt, Event: &api.NodeEvent{
		Message: message, Subsystem: "Drain", Details: details, Timestamp: now.UTC().Truncate(time.Second),
	}}
}

// notes tells of drains that have not got on for long, once each.
func (l *Loop) notes(d *Decision, now time.Time) []fsm.DrainNode {
	var out []fsm.DrainNode
	for _, p := range d.Nodes {
		x := l.pace[p.Node.ID]
		if x == nil || !x.started.Equal(p.Node.DrainStrategy.StartedAt) || x.left != p.Left {
			noted := x != nil && x.started.Equal(p.Node.DrainStrategy.StartedAt) && x.noted
			x = &pace{started: p.Node.DrainStrategy.StartedAt, left: p.Left, since: now, noted: noted}
			l.pace[p.Node.ID] = x
		}
		if x.noted || len(p.Waits) == 0 {
			continue
		}
		if until := x.since.Add(patience); now.Before(until) {
			if l.again.IsZero() || until.Before(l.again) {
				l.again = until
			}
			continue
		}
		x.noted = true
		waits := p.Waits[:min(len(p.Waits), 8)]
		text := strings.Join(waits, "; ")
		if more := len(p.Waits) - len(waits); more > 0 {
			text += "; and " + strconv.Itoa(more) + " more"
		}
		l.Logger.Warn("drain waits; a deadline would end it", "node_id", p.Node.ID, "left", p.Left, "for", text)
		out = append(out, node(p.Node, "Node drain waits", map[string]string{"for": text, "left": strconv.Itoa(p.Left)}, now))
	}
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
