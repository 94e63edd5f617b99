package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
)

// world is a task, and servers that sign.
type world struct {
	mu sync.Mutex // guards facts
	facts
}

type facts struct {
	running, reachable bool
	down               error
	signed             int
	files              map[string]string
	told               []string
	kept               map[string]string
}

// set changes the world, and look gives it as it is.
func (w *world) set(change func(*facts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.facts)
}

func (w *world) look() facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.facts
	f.files, f.kept, f.told = maps.Clone(f.files), maps.Clone(f.kept), slices.Clone(f.told)
	return f
}

func (w *world) Running() bool   { return w.look().running }
func (w *world) Reachable() bool { return w.look().reachable }
func (w *world) Note(string)     { w.tell("note") }
func (w *world) Restart(string)  { w.tell("restart") }
func (w *world) Signal(_ context.Context, signal, _ string) error {
	w.tell(signal)
	return nil
}

func (w *world) tell(what string) { w.set(func(f *facts) { f.told = append(f.told, what) }) }

func (w *world) sign(_ context.Context, names []string) (out []*api.SignedIdentity, err error) {
	w.set(func(f *facts) {
		if err = f.down; err != nil {
			return
		}
		for _, n := range names {
			f.signed++
			out = append(out, &api.SignedIdentity{Name: n, Token: api.Sensitive(fmt.Sprintf("%s-%d", n, f.signed))})
		}
	})
	return out, err
}

func (w *world) manager(before map[string]string, ids ...*api.WorkloadIdentity) *Manager {
	w.set(func(f *facts) { f.files = map[string]string{} })
	return New(Config{
		Sign: w.sign, Identities: ids, Control: w, Before: before,
		Write: func(id *api.WorkloadIdentity, token api.Sensitive) error {
			w.set(func(f *facts) { f.files[id.Name] = token.Reveal() })
			return nil
		},
		Keep: func(out map[string]string) { w.set(func(f *facts) { f.kept = maps.Clone(out) }) },
	})
}

func ttl(name, mode, signal string, d time.Duration) *api.WorkloadIdentity {
	return &api.WorkloadIdentity{Name: name, File: true, Env: true, TTL: api.Duration(d), ChangeMode: mode, ChangeSignal: signal}
}

func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		m := w.manager(nil, ttl("a", "signal", "SIGHUP", time.Hour), ttl("b", "", "", 10*time.Hour), &api.WorkloadIdentity{Name: "default", Env: true})
		if err := m.First(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer m.Stop()
		w.set(func(f *facts) { f.running, f.reachable = true, true })
		if env := m.Env(); w.look().files["a"] != "a-1" || w.look().files["b"] != "b-2" || env["NOMAD_TOKEN_a"] != "a-1" || env["NOMAD_TOKEN"] != "default-3" || w.look().files["default"] != "" {
			t.Fatal(w.look().files, env)
		}
		time.Sleep(29 * time.Minute)
		if w.look().signed != 3 {
			t.Fatal("renewed too early")
		}
		time.Sleep(8 * time.Minute) // half the time, and a tenth at the most
		synctest.Wait()
		if w.look().files["a"] != "a-4" || w.look().files["b"] != "b-2" || !slices.Equal(w.look().told, []string{"SIGHUP"}) || w.look().kept["a"] == "" {
			t.Fatal(w.look().files, w.look().told, w.look().kept)
		}
		// Servers that do not answer are asked again, and the task is told once.
		w.set(func(f *facts) { f.down, f.told = api.Errorf(api.ErrUnavailable, "none"), nil })
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		if !slices.Equal(w.look().told, []string{"note"}) {
			t.Fatal(w.look().told)
		}
		w.set(func(f *facts) { f.down = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.look().files["a"] != "a-5" {
			t.Fatal(w.look().files)
		}
	})
}

func TestAStartGetsWhatIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		m := w.manager(nil, ttl("a", "restart", "", time.Hour), &api.WorkloadIdentity{Name: "default", Env: true})
		if err := m.First(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func(f *facts) { f.running, f.reachable = true, true })
		time.Sleep(10 * time.Minute)
		if err := m.Again(t.Context()); err != nil || w.look().signed != 2 {
			t.Fatal(err, w.look().signed)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if !slices.Equal(w.look().told, []string{"restart"}) || w.look().signed != 3 {
			t.Fatal(w.look().told, w.look().signed)
		}
		if err := m.Again(t.Context()); err != nil || w.look().signed != 3 {
			t.Fatal("the restart asks for what was just signed: ", err, w.look().signed)
		}
		m.Stop()
	})
}

// TestAnotherAgent leaves a task that runs with its tokens, and renews them when
// the earlier agent would have.
func TestAnotherAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{facts: facts{running: true, reachable: true}}
		before := map[string]string{"a": time.Now().Add(20 * time.Minute).Format(time.RFC3339Nano)}
		m := w.manager(before, ttl("a", "restart", "", time.Hour), &api.WorkloadIdentity{Name: "default", Env: true})
		if err := m.First(t.Context()); err != nil || w.look().signed != 0 {
			t.Fatal(err, w.look().signed)
		}
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		if w.look().signed != 0 || len(w.look().told) != 0 {
			t.Fatal("the task was disturbed")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if w.look().signed != 1 || !slices.Equal(w.look().told, []string{"restart"}) {
			t.Fatal(w.look().signed, w.look().told)
		}
		if err := m.Again(t.Context()); err != nil || m.Env()["NOMAD_TOKEN"] == "" {
			t.Fatal(err, m.Env())
		}
		m.Stop()
	})
}

func TestFirstWaitsForServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{facts: facts{down: api.Errorf(api.ErrNoLeader, "none")}}
		m := w.manager(nil, ttl("a", "", "", 0))
		go func() {
			time.Sleep(time.Minute)
			w.set(func(f *facts) { f.down = nil })
		}()
		if err := m.First(t.Context()); err != nil || w.look().files["a"] != "a-1" {
			t.Fatal(err, w.look().files)
		}
		w.set(func(f *facts) { f.down = api.Errorf(api.ErrDenied, "not yours") })
		if err := w.manager(nil, ttl("a", "", "", 0)).First(t.Context()); !errors.Is(err, api.ErrDenied) {
			t.Fatal(err)
		}
		w.set(func(f *facts) { f.down = api.Errorf(api.ErrUnavailable, "none") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.manager(nil, ttl("a", "", "", 0)).First(ctx); !errors.Is(err, api.ErrUnavailable) {
			t.Fatal(err)
		}
	})
}
