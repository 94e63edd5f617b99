package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
)

// world is a task, and servers that sign.
type world struct {
	running, reachable bool
	down               error
	signed             int
	files              map[string]string
	told               []string
	kept               map[string]string
}

func (w *world) Running() bool   { return w.running }
func (w *world) Reachable() bool { return w.reachable }
func (w *world) Note(string)     { w.told = append(w.told, "note") }
func (w *world) Restart(string) {
	w.told = append(w.told, "restart")
}
func (w *world) Signal(_ context.Context, signal, _ string) error {
	w.told = append(w.told, signal)
	return nil
}

func (w *world) sign(_ context.Context, names []string) ([]*api.SignedIdentity, error) {
	if w.down != nil {
		return nil, w.down
	}
	var out []*api.SignedIdentity
	for _, n := range names {
		w.signed++
		out = append(out, &api.SignedIdentity{Name: n, Token: api.Sensitive(fmt.Sprintf("%s-%d", n, w.signed))})
	}
	return out, nil
}

func (w *world) manager(before map[string]string, ids ...*api.WorkloadIdentity) *Manager {
	w.files = map[string]string{}
	return New(Config{
		Sign: w.sign, Identities: ids, Control: w, Before: before,
		Write: func(id *api.WorkloadIdentity, token api.Sensitive) error {
			w.files[id.Name] = token.Reveal()
			return nil
		},
		Keep: func(out map[string]string) { w.kept = out },
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
		w.running, w.reachable = true, true
		if env := m.Env(); w.files["a"] != "a-1" || w.files["b"] != "b-2" || env["NOMAD_TOKEN_a"] != "a-1" || env["NOMAD_TOKEN"] != "default-3" || w.files["default"] != "" {
			t.Fatal(w.files, env)
		}
		time.Sleep(29 * time.Minute)
		if w.signed != 3 {
			t.Fatal("renewed too early")
		}
		time.Sleep(8 * time.Minute) // half the time, and a tenth at the most
		synctest.Wait()
		if w.files["a"] != "a-4" || w.files["b"] != "b-2" || !slices.Equal(w.told, []string{"SIGHUP"}) || w.kept["a"] == "" {
			t.Fatal(w.files, w.told, w.kept)
		}
		// Servers that do not answer are asked again, and the task is told once.
		w.down, w.told = api.Errorf(api.ErrUnavailable, "none"), nil
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		if !slices.Equal(w.told, []string{"note"}) {
			t.Fatal(w.told)
		}
		w.down = nil
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.files["a"] != "a-5" {
			t.Fatal(w.files)
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
		w.running, w.reachable = true, true
		time.Sleep(10 * time.Minute)
		if err := m.Again(t.Context()); err != nil || w.signed != 2 {
			t.Fatal(err, w.signed)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if !slices.Equal(w.told, []string{"restart"}) || w.signed != 3 {
			t.Fatal(w.told, w.signed)
		}
		if err := m.Again(t.Context()); err != nil || w.signed != 3 {
			t.Fatal("the restart asks for what was just signed: ", err, w.signed)
		}
		m.Stop()
	})
}

// TestAnotherAgent leaves a task that runs with its tokens, and renews them when
// the earlier agent would have.
func TestAnotherAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{running: true, reachable: true}
		before := map[string]string{"a": time.Now().Add(20 * time.Minute).Format(time.RFC3339Nano)}
		m := w.manager(before, ttl("a", "restart", "", time.Hour), &api.WorkloadIdentity{Name: "default", Env: true})
		if err := m.First(t.Context()); err != nil || w.signed != 0 {
			t.Fatal(err, w.signed)
		}
		time.Sleep(19 * time.Minute)
		synctest.Wait()
		if w.signed != 0 || len(w.told) != 0 {
			t.Fatal("the task was disturbed")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if w.signed != 1 || !slices.Equal(w.told, []string{"restart"}) {
			t.Fatal(w.signed, w.told)
		}
		if err := m.Again(t.Context()); err != nil || m.Env()["NOMAD_TOKEN"] == "" {
			t.Fatal(err, m.Env())
		}
		m.Stop()
	})
}

func TestFirstWaitsForServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{down: api.Errorf(api.ErrNoLeader, "none")}
		m := w.manager(nil, ttl("a", "", "", 0))
		go func() {
			time.Sleep(time.Minute)
			w.down = nil
		}()
		if err := m.First(t.Context()); err != nil || w.files["a"] != "a-1" {
			t.Fatal(err, w.files)
		}
		w.down = api.Errorf(api.ErrDenied, "not yours")
		if err := w.manager(nil, ttl("a", "", "", 0)).First(t.Context()); !errors.Is(err, api.ErrDenied) {
			t.Fatal(err)
		}
		w.down = api.Errorf(api.ErrUnavailable, "none")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.manager(nil, ttl("a", "", "", 0)).First(ctx); !errors.Is(err, api.ErrUnavailable) {
			t.Fatal(err)
		}
	})
}
