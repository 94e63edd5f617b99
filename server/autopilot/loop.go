package autopilot

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/seraihq/serai/api"
)

// every is how often the servers are looked at when nothing happens.
const every = time.Second

// changeWait bounds one change of the list of servers.
const changeWait = 10 * time.Second

// Config is what New needs.
type Config struct {
	// Observe looks at all servers.
	Observe func(ctx context.Context) (*Observation, error)
	// Apply makes a change.
	Apply func(ctx context.Context, c Change) error
	// Changed gives a channel that is closed when the servers should be looked at.
	Changed func() <-chan struct{}
	Logger  *slog.Logger
}

// Loop looks after the servers while this one leads.
type Loop struct {
	cfg    Config
	memory Memory

	mu     sync.Mutex
	report *api.AutopilotHealth // guarded by mu
}

// New makes a loop of one term of leadership. It starts nothing.
func New(c Config) *Loop { return &Loop{cfg: c, memory: Memory{}} }

// Run works until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		changed := l.cfg.Changed()
		again, err := l.step(ctx)
		if err != nil {
			l.cfg.Logger.Warn("the servers could not be looked after, trying again", "err", err)
		}
		if again && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-tick.C:
		}
	}
}

// step looks at the servers and makes one change; again says that there may be
// more to do.
func (l *Loop) step(ctx context.Context) (again bool, err error) {
	o, err := l.cfg.Observe(ctx)
	if err != nil {
		return false, err
	}
	report := Judge(o, l.memory)
	l.mu.Lock()
	l.report = report
	l.mu.Unlock()
	c, ok := Decide(o, l.memory)
	if !ok {
		return false, nil
	}
	l.cfg.Logger.Info("changing the list of servers", "change", string(c.Verb), "server", c.Name, "server_id", c.ID, "address", c.Address, "reason", c.Reason)
	ctx, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	return true, l.cfg.Apply(ctx, c)
}

// Health gives the newest report; nil before there is one.
func (l *Loop) Health() *api.AutopilotHealth {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report
}
