package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pause"
)

const (
	// firstRetry and lastRetry bound the wait before the servers are asked again.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Control is how a task is told of a new token; see template.Control.
type Control interface {
	Running() bool
	Reachable() bool
	Restart(reason string)
	Note(text string)
	Signal(ctx context.Context, signal, reason string) error
}

// Config is what New needs.
type Config struct {
	// Sign has the servers sign identities of the task.
	Sign func(ctx context.Context, names []string) ([]*api.SignedIdentity, error)
	// Write puts a token where the identity asks for it.
	Write      func(id *api.WorkloadIdentity, token api.Sensitive) error
	Identities []*api.WorkloadIdentity
	Control    Control
	// Keep saves what Results gives, when it has changed since First or Again.
	Keep func(map[string]string)
	// Before is what an earlier Manager has saved.
	Before map[string]string
}

// Manager keeps the identities of one task. Its methods are for one caller at a
// time, save Env.
type Manager struct {
	cfg    Config
	items  []*item
	env    atomic.Pointer[map[string]string]
	cancel context.CancelFunc
	done   chan struct{}
}

// item is one identity.
type item struct {
	*api.WorkloadIdentity
	token api.Sensitive
	renew time.Time // zero: never, or at once where the identity expires
}

// New makes a manager; it starts nothing.
func New(c Config) *Manager {
	m := &Manager{cfg: c}
	for _, id := range c.Identities {
		it := &item{WorkloadIdentity: id}
		if t, err := time.Parse(time.RFC3339Nano, c.Before[id.Name]); err == nil {
			it.renew = t
		}
		m.items = append(m.items, it)
	}
	return m
}

// First gets the tokens, or leaves a task that runs with those that it has.
func (m *Manager) First(ctx context.Context) error {
	if !m.cfg.Control.Running() {
		if err := m.insist(ctx, m.items); err != nil {
			return err
		}
	}
	m.start()
	return nil
}

// Again is called before a start that is not the first. Tokens that are not held
// here, or whose time is half over, are signed anew.
func (m *Manager) Again(ctx context.Context) error {
	m.Stop()
	due := slices.DeleteFunc(slices.Clone(m.items), func(it *item) bool {
		return it.token != "" && (it.renew.IsZero() || time.Now().Before(it.renew))
	})
	if err := m.insist(ctx, due); err != nil {
		return err
	}
	m.start()
	return nil
}

// Env gives the variables with tokens.
func (m *Manager) Env() map[string]string {
	if p := m.env.Load(); p != nil {
		return *p
	}
	return nil
}

// Results tells when each identity is to be renewed, for the next agent.
func (m *Manager) Results() map[string]string {
	out := map[string]string{}
	for _, it := range m.items {
		if !it.renew.IsZero() {
			out[it.Name] = it.renew.Format(time.RFC3339Nano)
		}
	}
	return out
}

// Stop ends the renewals, and waits for it.
func (m *Manager) Stop() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
		m.cancel = nil
	}
}

// insist gets tokens, and asks again while no server can be reached.
func (m *Manager) insist(ctx context.Context, items []*item) error {
	for wait := firstRetry; len(items) > 0; wait = min(2*wait, lastRetry) {
		err := m.get(ctx, items)
		if err == nil || !transient(err) {
			return err
		}
		if !pause.For(ctx, wait) {
			return fmt.Errorf("no server has signed the identities in time: %w", err)
		}
	}
	return nil
}

func transient(err error) bool {
	return errors.Is(err, api.ErrUnavailable) || errors.Is(err, api.ErrNoLeader) || errors.Is(err, api.ErrNotFound)
}

// get has tokens signed and puts them in place.
func (m *Manager) get(ctx context.Context, items []*item) error {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = it.Name
	}
	began := time.Now()
	signed, err := m.cfg.Sign(ctx, names)
	if err != nil {
		return err
	}
	for _, it := range items {
		i := slices.IndexFunc(signed, func(s *api.SignedIdentity) bool { return s.Name == it.Name })
		if i < 0 {
			return api.Errorf(api.ErrInvalid, "the servers did not sign identity %q", it.Name)
		}
		it.token, it.renew = signed[i].Token, time.Time{}
		if it.TTL > 0 {
			half := it.TTL.Std() / 2
			it.renew = began.Add(half + rand.N(half/5+1))
		}
		if it.File {
			if err := m.cfg.Write(it.WorkloadIdentity, it.token); err != nil {
				return err
			}
		}
	}
	m.publish()
	return nil
}

func (m *Manager) publish() {
	vars := map[string]string{}
	if p := m.env.Load(); p != nil {
		maps.Copy(vars, *p)
	}
	for _, it := range m.items {
		if it.Env && it.token != "" {
			vars[Variable(it.Name)] = it.token.Reveal()
		}
	}
	m.env.Store(&vars)
}

// Variable gives the environment variable of an identity.
func Variable(name string) string {
	if name == api.DefaultIdentity {
		return "NOMAD_TOKEN"
	}
	return "NOMAD_TOKEN_" + name
}
