package template

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
)

// change is what the task is to be told, and when at the earliest. Changes that
// come before then are told with it.
type change struct {
	at      time.Time
	items   []*item
	restart bool
	signals []string
	scripts []*api.ChangeScript
}

// maxSplay is the longest splay that means something; what is beyond is no time.
const maxSplay = 365 * 24 * time.Hour

// defaultScriptTime is how long a script may take where the job says nothing.
const defaultScriptTime = 5 * time.Second

// decide says what follows from a render: changed, or the first one of all.
func (m *Manager) decide(it *item, changed, fresh bool) {
	script := it.ChangeMode == "script" && it.ChangeScript != nil && (changed || fresh && it.ChangeScript.RunOnFirstRender)
	if it.ChangeMode == "noop" || !changed && !script {
		if m.due == nil || !slices.Contains(m.due.items, it) {
			it.saved = it.last
		}
		if changed {
			m.keep()
		}
		return
	}
	if m.due == nil {
		m.due = &change{at: time.Now()}
	}
	m.due.items = append(m.due.items, it)
	if changed {
		splay := min(max(0, it.Splay.Std()), maxSplay)
		at := time.Now().Add(rand.N(splay + 1))
		// However often it changes, the task is disturbed once in that time.
		if soonest := m.acted.Add(splay); !m.acted.IsZero() && at.Before(soonest) {
			at = soonest
		}
		if len(m.due.items) == 1 {
			m.due.at = at
		}
	}
	switch {
	case script:
		if !slices.Contains(m.due.scripts, it.ChangeScript) {
			m.due.scripts = append(m.due.scripts, it.ChangeScript)
		}
	case it.ChangeMode == "signal":
		if !slices.Contains(m.due.signals, it.ChangeSignal) {
			m.due.signals = append(m.due.signals, it.ChangeSignal)
		}
	default:
		m.due.restart = true
	}
}

// act tells the task of what has changed. A task that does not run yet is told
// when it does: it may have been started from what was there before.
func (m *Manager) act(ctx context.Context) {
	c := m.due
	if c == nil || time.Now().Before(c.at) || !m.cfg.Control.Reachable() {
		return
	}
	m.due, m.acted = nil, time.Now()
	if !m.carryOut(ctx, c) {
		m.due = c // told to the next start, or by the next agent
		return
	}
	for _, it := range c.items {
		it.saved = it.last
	}
	m.keep()
}

// carryOut does what a change asks for, and says whether all of it was done
// before ctx ended.
func (m *Manager) carryOut(ctx context.Context, c *change) bool {
	if c.restart {
		m.cfg.Control.Restart("Template with change_mode restart re-rendered")
		return true
	}
	for _, signal := range c.signals {
		err := m.cfg.Control.Signal(ctx, signal, "Template re-rendered")
		switch {
		case err != nil && ctx.Err() != nil:
			return false
		case err != nil:
			m.cfg.Control.Note(fmt.Sprintf("Template re-rendered, and %s could not be sent: %v", signal, err))
		}
	}
	for _, script := range c.scripts {
		if !m.script(ctx, script) {
			return false
		}
	}
	return true
}

func (m *Manager) keep() { m.cfg.Control.Keep(m.Results()) }

// script runs a script in the task, and says whether it ended before ctx did.
func (m *Manager) script(ctx context.Context, s *api.ChangeScript) bool {
	command := []string{m.cfg.Inside(s.Command)}
	for _, arg := range s.Args {
		command = append(command, m.cfg.Inside(arg))
	}
	limit := s.Timeout.Std()
	if limit <= 0 {
		limit = defaultScriptTime
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	code, err := m.cfg.Control.Exec(timed, command)
	failed := err != nil || code != 0
	if failed && ctx.Err() != nil { // which may be why
		return false
	}
	what := fmt.Sprintf("script %s with arguments [%s]", command[0], strings.Join(command[1:], " "))
	switch {
	case failed && timed.Err() != nil:
		err = fmt.Errorf("not done within %v", limit)
	case err == nil && code != 0:
		err = fmt.Errorf("exit code %d", code)
	case err == nil:
		m.cfg.Control.Note(fmt.Sprintf("Template ran %s (exit code 0)", what))
		return true
	}
	text := fmt.Sprintf("Template failed to run %s: %v", what, err)
	m.cfg.Control.Note(text)
	if s.FailOnError {
		m.cfg.Control.Kill(text)
	}
	return true
}
