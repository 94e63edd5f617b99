package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

// reachEvery is how often a task is looked for that is to be told something and
// does not run yet.
const reachEvery = 200 * time.Millisecond

// start renews what expires, where there is something.
func (m *Manager) start() {
	if !slices.ContainsFunc(m.items, func(it *item) bool { return it.TTL > 0 }) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.cancel, m.done = cancel, done
	go func() {
		defer close(done)
		m.follow(ctx)
	}()
}

// follow renews until ctx ends.
func (m *Manager) follow(ctx context.Context) {
	wait, noted := firstRetry, false
	for {
		next, due := m.due()
		if !pause.For(ctx, time.Until(next)) {
			return
		}
		if len(due) == 0 {
			continue
		}
		err := m.get(ctx, due)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if !noted {
				m.cfg.Control.Note(fmt.Sprintf("The identities could not be renewed, trying again: %v", err))
				noted = true
			}
			if wait = min(2*wait, lastRetry); !pause.For(ctx, wait) {
				return
			}
			continue
		}
		wait, noted = firstRetry, false
		m.cfg.Keep(m.Results())
		if !m.tell(ctx, due) {
			return
		}
	}
}

// due gives the time of the next renewal, and those that are to be done then.
func (m *Manager) due() (next time.Time, items []*item) {
	for _, it := range m.items {
		if it.TTL <= 0 {
			continue
		}
		if next.IsZero() || it.renew.Before(next) {
			next = it.renew
		}
	}
	for _, it := range m.items {
		if it.TTL > 0 && !it.renew.After(next) {
			items = append(items, it)
		}
	}
	return next, items
}

// tell does what the change modes of renewed identities ask for, and says
// whether there is more to be done here: a restart begins with Again.
func (m *Manager) tell(ctx context.Context, items []*item) bool {
	if !slices.ContainsFunc(items, func(it *item) bool { return it.ChangeMode == "restart" || it.ChangeMode == "signal" }) {
		return true
	}
	for !m.cfg.Control.Reachable() {
		if !pause.For(ctx, reachEvery) {
			return false
		}
	}
	for _, it := range items {
		switch it.ChangeMode {
		case "restart":
			m.cfg.Control.Restart(fmt.Sprintf("Identity %q was renewed", it.Name))
			return true
		case "signal":
			if err := m.cfg.Control.Signal(ctx, it.ChangeSignal, fmt.Sprintf("Identity %q was renewed", it.Name)); err != nil && ctx.Err() == nil {
				m.cfg.Control.Note(fmt.Sprintf("Identity %q was renewed, and %s could not be sent: %v", it.Name, it.ChangeSignal, err))
			}
		}
	}
	return true
}
