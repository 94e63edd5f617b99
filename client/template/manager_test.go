package template

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/client/template/render"
)

func TestMain(m *testing.M) {
	if render.Main(os.Args) {
		return
	}
	goleak.VerifyTestMain(m)
}

// subject is a task that writes down what its templates do to it.
type subject struct {
	mu      sync.Mutex
	running bool
	log     []string
	kept    map[string]string
	exec    func(ctx context.Context) (int, error)
	changed chan struct{}
}

func (s *subject) did(format string, args ...any) {
	s.mu.Lock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
	s.mu.Unlock()
	s.poke()
}

func (s *subject) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *subject) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *subject) Reachable() bool { return s.Running() }

func (s *subject) run(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = is
}

func (s *subject) Restart(reason string) { s.did("restart") }
func (s *subject) Kill(reason string)    { s.did("kill: %s", reason) }
func (s *subject) Note(text string)      { s.did("note: %s", text) }

func (s *subject) Signal(_ context.Context, signal, _ string) error {
	s.did("signal %s", signal)
	return nil
}

func (s *subject) Exec(ctx context.Context, command []string) (int, error) {
	s.did("exec %s", strings.Join(command, " "))
	if s.exec != nil {
		return s.exec(ctx)
	}
	return 0, nil
}

func (s *subject) Keep(results map[string]string) {
	s.mu.Lock()
	s.kept = results
	s.mu.Unlock()
	s.did("keep")
}

// happened takes what was written down, without what is only kept.
func (s *subject) happened() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.DeleteFunc(s.log, func(l string) bool { return l == "keep" })
	s.log = nil
	return out
}

// scene is an allocation's directory with one task, "web".
type scene struct {
	t       *testing.T
	dir     string
	service *Service
	subject *subject
	env     map[string]string
}

func newScene(t *testing.T, settings Settings) *scene {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "alloc-1")
	for _, d := range []string{"alloc/data", "web/local", "web/secrets", "web/private", "other/secrets"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &scene{t: t, dir: dir, service: NewService(settings), subject: &subject{changed: make(chan struct{}, 1)}, env: map[string]string{"NAME": "web"}}
	s.service.every = 20 * time.Millisecond
	t.Cleanup(s.service.Close)
	return s
}

func (s *scene) write(path, text string) {
	s.t.Helper()
	// As editors and artifacts do it: at once.
	full := filepath.Join(s.dir, path)
	if err := os.WriteFile(full+".tmp", []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(full+".tmp", full); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) read(path string) string {
	b, err := os.ReadFile(filepath.Join(s.dir, path))
	if err != nil {
		return "error: " + filepath.Base(path)
	}
	return string(b)
}

func (s *scene) config(templates ...*api.Template) Config {
	host := strings.NewReplacer("${NOMAD_TASK_DIR}", s.dir+"/web/local", "${NOMAD_ALLOC_DIR}", s.dir+"/alloc", "${up}", "/../../../../tmp/x")
	for _, t := range templates {
		if t.ChangeMode == "" {
			t.ChangeMode = "noop"
		}
	}
	var private unix.Stat_t
	if err := unix.Stat(s.dir+"/web/private", &private); err != nil {
		s.t.Fatal(err)
	}
	return Config{
		Guarded: []files.ID{{Dev: uint64(private.Dev), Ino: private.Ino}},
		Service: s.service, Control: s.subject, Templates: templates, Dir: s.dir, Task: "web", UID: -1, GID: -1,
		Env: maps.Clone(s.env), Host: host.Replace, Inside: strings.NewReplacer("${who}", "me").Replace,
	}
}

// manager makes a Manager that has rendered, with what an earlier one kept.
func (s *scene) manager(before map[string]string, templates ...*api.Template) *Manager {
	s.t.Helper()
	cfg := s.config(templates...)
	cfg.Before = before
	m, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := m.First(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.Stop)
	return m
}

// wait waits until cond holds.
func (s *scene) wait(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-s.subject.changed:
		case <-time.After(20 * time.Millisecond): // files do not tell
		case <-deadline:
			s.t.Fatalf("waited in vain for %s; happened: %q", what, s.subject.happened())
		}
	}
}

// expect waits for exactly this to happen.
func (s *scene) expect(want ...string) {
	s.t.Helper()
	var got []string
	s.wait(fmt.Sprint(want), func() bool {
		got = append(got, s.subject.happened()...)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		s.t.Fatalf("happened %q, want %q", got, want)
	}
}

func TestFirst(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/who", "world")
	s.write("web/local/src.tpl", `from {{ env "NAME" }}`)
	m := s.manager(nil,
		&api.Template{EmbeddedTmpl: `hello {{ file "/alloc/data/who" }}`, DestPath: "local/deep/er/a.conf", Perms: "0600"},
		&api.Template{SourcePath: "${NOMAD_TASK_DIR}/src.tpl", DestPath: "/secrets/b"},
		&api.Template{EmbeddedTmpl: "[[ env \"NAME\" ]]", LeftDelim: "[[", RightDelim: "]]", DestPath: "${NOMAD_ALLOC_DIR}/data/c"},
		&api.Template{EmbeddedTmpl: "A=1\n# comment\nexport B='two words'\n", DestPath: "../alloc/data/d.env", Envvars: true},
	)
	for path, want := range map[string]string{"web/local/deep/er/a.conf": "hello world", "web/secrets/b": "from web", "alloc/data/c": "web"} {
		if got := s.read(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if st, err := os.Stat(filepath.Join(s.dir, "web/local/deep/er/a.conf")); err != nil || st.Mode() != 0o600 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	if st, err := os.Stat(filepath.Join(s.dir, "web/secrets/b")); err != nil || st.Mode() != 0o644 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	if got := m.Env(); !maps.Equal(got, map[string]string{"A": "1", "B": "two words"}) {
		t.Errorf("environment %q", got)
	}
	if len(m.Results()) != 4 {
		t.Errorf("kept %q", m.Results())
	}
	if got := s.subject.happened(); len(got) != 0 {
		t.Errorf("happened %q", got)
	}
}

func TestChangeModes(t *testing.T) {
	s := newScene(t, Settings{})
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.write("alloc/data/"+name, "0")
	}
	script := &api.ChangeScript{Command: "/bin/${who}", Args: []string{"x"}}
	m := s.manager(nil,
		&api.Template{EmbeddedTmpl: `{{ file "/alloc/data/a" }}`, DestPath: "local/a"},
		&api.Template{EmbeddedTmpl: `{{ file "/alloc/data/b" }}`, DestPath: "local/b", ChangeMode: "signal", ChangeSignal: "SIGUSR1"},
		&api.Template{EmbeddedTmpl: `{{ file "/alloc/data/c" }}`, DestPath: "local/c", ChangeMode: "script", ChangeScript: script},
		&api.Template{EmbeddedTmpl: `N={{ file "/alloc/data/d" }}`, DestPath: "local/d", ChangeMode: "restart", Envvars: true},
		&api.Template{EmbeddedTmpl: `{{ file "/alloc/data/e" }}`, DestPath: "local/e", ChangeMode: "restart", Once: true},
	)
	s.subject.run(true)
	s.write("alloc/data/e", "1")
	s.write("alloc/data/a", "1")
	s.wait("a to be rendered", func() bool { return s.read("web/local/a") == "1" })
	s.write("alloc/data/b", "1")
	s.expect("signal SIGUSR1")
	s.write("alloc/data/c", "1")
	s.expect("exec /bin/me x", "note: Template ran script /bin/me with arguments [x] (exit code 0)")
	s.write("alloc/data/d", "1")
	s.expect("restart")
	if got := m.Env()["N"]; got != "1" {
		t.Errorf("environment after the change: %q", got)
	}
	// The same contents again disturb nobody.
	s.write("alloc/data/d", "1")
	s.write("alloc/data/a", "2")
	s.wait("a to be rendered", func() bool { return s.read("web/local/a") == "2" })
	if got := s.subject.happened(); len(got) != 0 {
		t.Errorf("happened %q", got)
	}
	if s.read("web/local/e") != "0" {
		t.Error("a template with once was rendered again")
	}
}

func TestScripts(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/a", "0")
	s.subject.exec = func(ctx context.Context) (int, error) {
		if s.read("web/local/a") == "slow" {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 7, nil
	}
	s.manager(nil, &api.Template{
		EmbeddedTmpl: `{{ file "/alloc/data/a" }}`, DestPath: "local/a", ChangeMode: "script",
		ChangeScript: &api.ChangeScript{Command: "s", FailOnError: true, RunOnFirstRender: true, Timeout: api.Duration(50 * time.Millisecond)},
	})
	if got := s.subject.happened(); len(got) != 0 {
		t.Errorf("before the task runs: %q", got)
	}
	s.subject.run(true)
	failed := "Template failed to run script s with arguments []: exit code 7"
	s.expect("exec s", "note: "+failed, "kill: "+failed)
	s.write("alloc/data/a", "slow")
	late := "Template failed to run script s with arguments []: not done within 50ms"
	s.expect("exec s", "note: "+late, "kill: "+late)
}

// However often a value changes, the task is restarted once in a splay, and with
// the last value.
func TestSplay(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/a", "0")
	m := s.manager(nil, &api.Template{EmbeddedTmpl: `{{ file "/alloc/data/a" }}`, DestPath: "local/a", ChangeMode: "restart", Splay: api.Duration(time.Hour)})
	m.Stop() // the test makes its steps itself
	s.subject.run(true)
	for i := range 5 {
		s.write("alloc/data/a", fmt.Sprint("value ", i))
		m.follow(t.Context())
		m.act(t.Context())
	}
	if m.due == nil || time.Until(m.due.at) > time.Hour {
		t.Fatalf("due %+v", m.due)
	}
	m.due.at = time.Now()
	m.act(t.Context())
	s.expect("restart")
	s.write("alloc/data/a", "and again")
	for m.due == nil {
		m.items[0].rest = time.Time{}
		m.follow(t.Context())
	}
	if left := time.Until(m.due.at); left < 59*time.Minute {
		t.Errorf("the next restart is in %v, within the same splay", left)
	}
}

func TestSplayWithoutSense(t *testing.T) {
	s := newScene(t, Settings{})
	for _, splay := range []api.Duration{math.MaxInt64, math.MinInt64} {
		m, err := New(s.config(&api.Template{EmbeddedTmpl: "x", DestPath: "local/a", ChangeMode: "restart", Splay: splay}))
		if err != nil {
			t.Fatal(err)
		}
		m.decide(m.items[0], true, false)
		if left := time.Until(m.due.at); left > 366*24*time.Hour {
			t.Errorf("splay %d: due in %v", splay, left)
		}
	}
}

// A change that comes while the task is being started is told when it runs, and
// a new start makes it old.
func TestChangeWhileStarting(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/a", "0")
	one := &api.Template{EmbeddedTmpl: `{{ file "/alloc/data/a" }}`, DestPath: "local/a", ChangeMode: "restart"}
	m := s.manager(nil, one)
	s.write("alloc/data/a", "1")
	s.wait("the render", func() bool { return s.read("web/local/a") == "1" })
	if got := s.subject.happened(); len(got) != 0 {
		t.Errorf("happened %q", got)
	}
	s.subject.run(true)
	s.expect("restart")
	s.subject.run(false)
	s.write("alloc/data/a", "2")
	s.wait("the render", func() bool { return s.read("web/local/a") == "2" })
	if err := m.Again(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if m.due != nil {
		t.Error("a change is due that the new start has seen")
	}
}

func TestRenderTemplatesAgain(t *testing.T) {
	s := newScene(t, Settings{})
	m := s.manager(nil, &api.Template{EmbeddedTmpl: "text", DestPath: "local/a", Once: true})
	for _, all := range []bool{false, true} {
		if err := os.Remove(filepath.Join(s.dir, "web/local/a")); err != nil {
			t.Fatal(err)
		}
		if err := m.Again(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if got := s.read("web/local/a") == "text"; got != all {
			t.Errorf("render_templates %v: there is a file: %v", all, got)
		}
		s.write("web/local/a", "x")
	}
}

// A later agent finds what was rendered, and does not render; what changes
// meanwhile it tells the task of.
func TestLaterAgent(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/a", "0")
	list := func() []*api.Template {
		return []*api.Template{
			{EmbeddedTmpl: `{{ timestamp "2006-01-02T15:04:05.999999999" }}`, DestPath: "local/now", ChangeMode: "restart"},
			{EmbeddedTmpl: `A={{ file "/alloc/data/a" }}`, DestPath: "local/a", ChangeMode: "restart", Envvars: true},
			{EmbeddedTmpl: "x", DestPath: "local/s", ChangeMode: "script", ChangeScript: &api.ChangeScript{Command: "s", RunOnFirstRender: true}},
		}
	}
	m := s.manager(nil, list()...)
	s.subject.run(true)
	s.expect("exec s", "note: Template ran script s with arguments [] (exit code 0)")
	m.Stop()
	now := s.read("web/local/now")
	for range 2 {
		later := s.manager(m.Results(), list()...)
		if got := s.subject.happened(); len(got) != 0 || s.read("web/local/now") != now || later.due != nil {
			t.Errorf("a later agent: %q, %q", got, s.read("web/local/now"))
		}
		if got := later.Env()["A"]; got != "0" {
			t.Errorf("environment %q", got)
		}
		later.Stop()
	}
	s.write("alloc/data/a", "1")
	again := s.manager(m.Results(), list()...)
	s.expect("restart")
	again.Stop()
	if s.read("web/local/now") != now {
		t.Error("what had not changed was rendered again")
	}
	// A file that cannot be read any more leaves the running task alone.
	if err := os.Remove(filepath.Join(s.dir, "alloc/data/a")); err != nil {
		t.Fatal(err)
	}
	again = s.manager(again.Results(), list()...)
	if got := s.subject.happened(); len(got) != 1 || !strings.Contains(got[0], "stays as it was") || s.read("web/local/a") != "A=1" {
		t.Errorf("%q, %q", got, s.read("web/local/a"))
	}
	s.write("alloc/data/a", "2")
	s.expect("restart")
}

func TestWaitsForFiles(t *testing.T) {
	s := newScene(t, Settings{})
	done := make(chan error, 1)
	m, err := New(s.config(&api.Template{EmbeddedTmpl: `{{ file "local/late" }}`, DestPath: "local/a"}))
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- m.First(t.Context()) }()
	s.expect(`note: Template "local/a" waits for the file "local/late"`)
	s.write("web/local/late", "here")
	if err := <-done; err != nil || s.read("web/local/a") != "here" {
		t.Errorf("%v %q", err, s.read("web/local/a"))
	}
	m.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	m, err = New(s.config(&api.Template{EmbeddedTmpl: `{{ file "local/never" }}`, DestPath: "local/b"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.First(ctx); err == nil {
		t.Error("a file that never came was not missed")
	}
}

// A template may read what another of the task makes, in whatever order they stand.
func TestReadsAnother(t *testing.T) {
	s := newScene(t, Settings{})
	m, err := New(s.config(
		&api.Template{EmbeddedTmpl: `{{ file "local/b" }}c`, DestPath: "local/c"},
		&api.Template{EmbeddedTmpl: `{{ file "local/a" }}b`, DestPath: "local/b"},
		&api.Template{EmbeddedTmpl: `a`, DestPath: "local/a"},
	))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.First(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	if got := s.read("web/local/c"); got != "abc" {
		t.Errorf("%q", got)
	}
}

// What fails is told once, and the file stays; it is rendered when it can be.
func TestFailureWhileRunning(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/n", "1")
	s.manager(nil, &api.Template{EmbeddedTmpl: `{{ file "/alloc/data/n" | parseInt }}`, DestPath: "local/n", ChangeMode: "signal", ChangeSignal: "SIGHUP"})
	s.subject.run(true)
	s.write("alloc/data/n", "bad")
	var got []string
	s.wait("the failure", func() bool { got = append(got, s.subject.happened()...); return len(got) > 0 })
	if !strings.Contains(got[0], "could not be rendered again") || s.read("web/local/n") != "1" {
		t.Errorf("%q, %q", got, s.read("web/local/n"))
	}
	s.write("alloc/data/n", "2")
	s.expect("signal SIGHUP")
}

func TestSettings(t *testing.T) {
	five, hour := api.Duration(5*time.Second), api.Duration(time.Hour)
	s := NewService(Settings{Wait: &api.WaitConfig{Min: five}, Bounds: &api.WaitConfig{Min: five, Max: hour / 2}})
	for _, c := range []struct {
		wait        *api.WaitConfig
		quiet, most time.Duration
	}{
		{nil, 5 * time.Second, 20 * time.Second},
		{&api.WaitConfig{Min: 1, Max: 2 * hour}, 5 * time.Second, 30 * time.Minute},
		{&api.WaitConfig{}, 5 * time.Second, 5 * time.Second},
	} {
		if quiet, most := s.waits(&api.Template{Wait: c.wait}); quiet != c.quiet || most != c.most {
			t.Errorf("%v: %v %v", c.wait, quiet, most)
		}
	}
	if len(s.Denied) != 3 {
		t.Errorf("denied %v", s.Denied)
	}
	if quiet, most := NewService(Settings{}).waits(&api.Template{}); quiet != 0 || most != 0 {
		t.Errorf("without any: %v %v", quiet, most)
	}
}

func TestQuietFirst(t *testing.T) {
	s := newScene(t, Settings{})
	s.write("alloc/data/a", "0")
	m := s.manager(nil, &api.Template{EmbeddedTmpl: `{{ file "/alloc/data/a" }}`, DestPath: "local/a", Wait: &api.WaitConfig{Min: api.Duration(time.Hour), Max: api.Duration(3 * time.Hour)}})
	m.Stop()
	it := m.items[0]
	it.rest = time.Time{}
	s.write("alloc/data/a", "changed")
	if m.ripe(it) {
		t.Error("rendered before the files were quiet")
	}
	it.latest = it.latest.Add(-time.Hour)
	if !m.ripe(it) {
		t.Error("not rendered though the files were quiet")
	}
	it.latest, it.first = time.Now(), time.Now().Add(-3*time.Hour)
	if !m.ripe(it) {
		t.Error("put off for longer than max")
	}
}

func TestTwoForOneFile(t *testing.T) {
	s := newScene(t, Settings{})
	_, err := New(s.config(&api.Template{EmbeddedTmpl: "x", DestPath: "local/a"}, &api.Template{EmbeddedTmpl: "y", DestPath: "${NOMAD_TASK_DIR}/./a"}))
	if !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
}
