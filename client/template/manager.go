package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/internal/pause"
)

// Control is how templates reach their task. None of it waits for the task,
// save Signal and Exec, which end with their context.
type Control interface {
	// Running says whether the task runs, or did when the agent was last up;
	// Reachable whether its driver has it, so that it can be told something.
	Running() bool
	Reachable() bool
	// Restart and Kill end the task for a reason; after Restart it starts anew.
	Restart(reason string)
	Kill(reason string)
	// Note puts a sentence into the task's history.
	Note(text string)
	// Signal sends a signal, and puts it into the history.
	Signal(ctx context.Context, signal, reason string) error
	// Exec runs a command in the task and gives its exit code.
	Exec(ctx context.Context, command []string) (code int, err error)
	// Keep has what Results gives kept over a restart of the agent.
	Keep(results map[string]string)
}

// Config is what a Manager needs.
type Config struct {
	Service   *Service
	Control   Control
	Templates []*api.Template
	Dir, Task string     // the allocation's directory, and the task's name beneath it
	Guarded   []files.ID // directories that no template may reach
	UID, GID  int        // whom files belong to where the job names nobody; -1: the agent
	// Env is the task's environment, with the node's attributes. Host and Inside put values in for ${…}: for
	// paths of the host, and as the task itself sees them.
	Env          map[string]string
	Host, Inside func(string) string
	// Before is what an earlier Manager had kept.
	Before map[string]string
}

// lookEvery is how often files are looked at.
const lookEvery = 500 * time.Millisecond

// maxPause is the longest time between two attempts at a render that fails.
const maxPause = 15 * time.Minute

// Manager renders the templates of one task. Its methods are for one caller at
// a time, save Env.
type Manager struct {
	cfg   Config
	items []*item
	env   atomic.Pointer[map[string]string]

	// While the goroutine runs, what follows and the items are its own.
	due    *change
	acted  time.Time // when the task was last told of a change
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a Manager. Paths that leave the task's directories, and two
// templates for one file, are errors.
func New(cfg Config) (*Manager, error) {
	m := &Manager{cfg: cfg}
	taken := map[string]bool{}
	for _, t := range cfg.Templates {
		it, err := m.newItem(t)
		if err != nil {
			return nil, err
		}
		if taken[it.key] {
			return nil, api.Errorf(api.ErrInvalid, "template: %q is the destination of two templates", t.DestPath)
		}
		taken[it.key] = true
		m.items = append(m.items, it)
	}
	return m, nil
}

// First renders what is not as an earlier Manager left it, and follows the files
// that were read. A file that is not there yet is waited for.
func (m *Manager) First(ctx context.Context) error {
	running := m.cfg.Control.Running()
	var items []*item
	fresh := map[*item]bool{}
	for _, it := range m.items {
		if m.same(it) || running && it.Once && it.last.Out != "" {
			continue
		}
		items = append(items, it)
		fresh[it] = it.last.Out == ""
	}
	err := m.insist(ctx, items, !running, func(it *item, changed bool, err error) error {
		if err != nil && running {
			m.tell(it, err)
			return nil
		}
		if err == nil {
			m.decide(it, changed && running, fresh[it])
		}
		return err
	})
	if err != nil {
		return err
	}
	m.publish()
	m.start()
	return nil
}

// insist renders templates and says what became of each. When wait is set, it
// comes back to those whose files are not there: another template may make them.
func (m *Manager) insist(ctx context.Context, items []*item, wait bool, done func(it *item, changed bool, err error) error) error {
	told := false
	for len(items) > 0 {
		var later []*item
		for _, it := range items {
			changed, err := m.render(ctx, it)
			if err != nil && it.missing != "" && wait {
				later = append(later, it)
			} else if err := done(it, changed, err); err != nil {
				return fmt.Errorf("template %q: %w", it.DestPath, err)
			}
		}
		if len(later) == len(items) {
			if !told {
				m.noteMissing(later)
			}
			told = true
			if !pause.For(ctx, m.cfg.Service.every) {
				return fmt.Errorf("template %q: file %q did not come: %w", later[0].DestPath, later[0].missing, ctx.Err())
			}
		}
		items = later
	}
	return nil
}

func (m *Manager) noteMissing(items []*item) {
	for _, it := range items {
		m.cfg.Control.Note(fmt.Sprintf("Template %q waits for the file %q", it.DestPath, it.missing))
	}
}

// Again is called before a start that is not the first: what a change asked for
// is done by it. With all, every template is rendered anew.
func (m *Manager) Again(ctx context.Context, all bool) error {
	m.Stop()
	m.due = nil
	if all {
		if err := m.insist(ctx, m.items, true, func(_ *item, _ bool, err error) error { return err }); err != nil {
			return err
		}
	}
	for _, it := range m.items {
		if script := it.ChangeScript; it.saved.Out == "" && it.ChangeMode == "script" && script != nil && script.RunOnFirstRender {
			m.decide(it, false, true) // no start has come to it yet
			continue
		}
		it.saved = it.last
	}
	m.publish()
	m.start()
	return nil
}

// Env gives the variables of the templates that are for the environment, as they
// were rendered last.
func (m *Manager) Env() map[string]string {
	if p := m.env.Load(); p != nil {
		return *p
	}
	return nil
}

func (m *Manager) publish() {
	vars := map[string]string{}
	for _, it := range m.items {
		maps.Copy(vars, it.vars)
	}
	m.env.Store(&vars)
}

// Results gives what is to be kept of the templates. It is for the caller of
// First and Again.
func (m *Manager) Results() map[string]string {
	out := map[string]string{}
	for _, it := range m.items {
		if it.saved.Out == "" {
			continue
		}
		if text, err := json.Marshal(it.saved); err == nil {
			out[it.key] = string(text)
		}
	}
	return out
}

// Stop ends what follows files, and waits for it.
func (m *Manager) Stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
		m.cancel = nil
	}
}

// start follows the files, where there is something to follow.
func (m *Manager) start() {
	if !m.busy() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.cancel, m.done = cancel, done
	go func() {
		defer close(done)
		for m.busy() && pause.For(ctx, m.rest()) {
			m.follow(ctx)
			m.act(ctx)
		}
	}()
}

// busy says whether something is followed, or a change waits to be told.
func (m *Manager) busy() bool {
	for _, it := range m.items {
		if it.follows() {
			return true
		}
	}
	return m.due != nil
}

// rest is the time until the next look.
func (m *Manager) rest() time.Duration {
	if m.due != nil {
		return min(m.cfg.Service.every, max(10*time.Millisecond, time.Until(m.due.at)))
	}
	return m.cfg.Service.every
}

// follow renders what has changed.
func (m *Manager) follow(ctx context.Context) {
	for _, it := range m.items {
		if !it.follows() || !m.ripe(it) {
			continue
		}
		began := time.Now()
		changed, err := m.render(ctx, it)
		if ctx.Err() != nil {
			return
		}
		// However often files change, most of the time is others'.
		it.rest = time.Now().Add(4 * time.Since(began))
		if err != nil {
			m.tell(it, err)
			it.pause = min(max(2*it.pause, time.Second), maxPause)
			it.rest = later(it.rest, time.Now().Add(it.pause))
			continue
		}
		it.told, it.pause = "", 0
		if changed {
			m.publish()
			m.decide(it, true, false)
		}
	}
}

// ripe says whether a template is to be rendered again: what it has read has
// changed, and has been quiet for as long as it should be.
func (m *Manager) ripe(it *item) bool {
	now := time.Now()
	if now.Before(it.rest) {
		return false
	}
	if it.pause > 0 {
		return true // it has failed: perhaps not for what is in the files
	}
	moved := false
	for p, old := range it.seen {
		if st := m.look(p); st != old {
			it.seen[p], moved = st, true
		}
	}
	if moved {
		it.latest = now
		if it.first.IsZero() {
			it.first = now
		}
	}
	if it.first.IsZero() {
		return false
	}
	quiet, most := m.cfg.Service.waits(it.Template)
	return now.Sub(it.latest) >= quiet || now.Sub(it.first) >= most
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tell notes an error in the task's history, once.
func (m *Manager) tell(it *item, err error) {
	if errors.Is(err, context.Canceled) || it.told == err.Error() {
		return
	}
	it.told = err.Error()
	m.cfg.Control.Note(fmt.Sprintf("Template %q could not be rendered again, and stays as it was: %v", it.DestPath, err))
}
