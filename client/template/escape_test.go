package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
)

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostile is a scene whose task has done its worst: links that lead out, a FIFO,
// and files that are somebody else's.
func hostile(t *testing.T, settings Settings) (s *scene, outside string) {
	t.Helper()
	s = newScene(t, settings)
	outside = t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "sentinel"), []byte("SENTINEL"), 0o644))
	for _, path := range []string{"other/secrets/token", "web/private/token"} {
		must(t, os.WriteFile(filepath.Join(s.dir, path), []byte("SENTINEL"), 0o644))
	}
	local := filepath.Join(s.dir, "web/local")
	must(t, os.Symlink(outside+"/sentinel", local+"/absolute"))
	must(t, os.Symlink(outside, local+"/directory"))
	must(t, os.Symlink("../../other/secrets/token", local+"/neighbour"))
	must(t, os.Symlink("../../../../../../../../../../.."+outside+"/sentinel", local+"/relative"))
	must(t, os.Symlink("loop", local+"/loop"))
	must(t, os.Link(outside+"/sentinel", local+"/hard"))
	must(t, unix.Mkfifo(local+"/fifo", 0o666))
	big, err := os.Create(local + "/big")
	must(t, err)
	must(t, big.Truncate(1<<40))
	must(t, big.Close())
	return s, outside
}

// Nothing outside of the task's own directories is read, by any name.
func TestEscapeRead(t *testing.T) {
	s, outside := hostile(t, Settings{})
	paths := []string{
		"/etc/passwd", "etc/passwd", "../../../../../../../../etc/passwd", outside + "/sentinel", "../other/secrets/token", "../../alloc-1/other/secrets/token",
		s.dir + "/other/secrets/token", s.dir + "/web/../other/secrets/token", s.dir + "/../sentinel", "private/token", "local/../private/token", "local/absolute",
		"local/directory/sentinel", "local/neighbour", "local/relative", "local/loop", "local/fifo", "local", ".", "..", "/", "/alloc/../other/secrets/token",
		"/alloc/../../sentinel", "local/big", "local/\x00", "/proc/self/environ", "/dev/zero", strings.Repeat("a/", 3000), "..\\..\\etc\\passwd", "%2e%2e/%2e%2e/etc/passwd", "${up}",
	}
	for _, path := range paths {
		for _, it := range []*api.Template{
			{EmbeddedTmpl: "[[ file (env \"PATH_OF_FILE\") ]]", LeftDelim: "[[", RightDelim: "]]", DestPath: "local/out"},
			{SourcePath: path, DestPath: "local/out"},
		} {
			s.env["PATH_OF_FILE"] = path
			m, err := New(s.config(it))
			if err != nil {
				continue
			}
			if _, err = m.render(t.Context(), m.items[0]); err == nil {
				t.Errorf("%.80q was read: %.80q", path, s.read("web/local/out"))
			}
		}
	}
	if b, err := os.ReadFile(filepath.Join(s.dir, "web/local/out")); err == nil {
		t.Errorf("a file was written: %.80q", b)
	}
}

// Nothing outside of the task's own directories is written, by any name.
func TestEscapeWrite(t *testing.T) {
	s, outside := hostile(t, Settings{})
	for _, path := range []string{
		"../other/secrets/token", "../../x", "${NOMAD_TASK_DIR}${up}", "local${up}", s.dir + "/other/x", "private/x", "local/directory/x",
		"local/../../other/x", "..", ".", "/", "", "local/\x00", strings.Repeat("a/", 3000) + "x", "local/neighbour/x",
	} {
		m, err := New(s.config(&api.Template{EmbeddedTmpl: "written", DestPath: path}))
		if err == nil {
			_, err = m.render(t.Context(), m.items[0])
		}
		if err == nil {
			t.Errorf("%.80q was written", path)
		}
	}
	// What is a link or a second name is replaced, and not written through.
	for _, path := range []string{"local/absolute", "local/neighbour", "local/relative", "local/loop", "local/hard", "local/fifo", "/etc/motd"} {
		m, err := New(s.config(&api.Template{EmbeddedTmpl: "written", DestPath: path}))
		must(t, err)
		if _, err := m.render(t.Context(), m.items[0]); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if st, err := os.Lstat(filepath.Join(s.dir, "web", path)); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s: %v %v", path, st, err)
		}
	}
	for _, path := range []string{outside + "/sentinel", s.dir + "/other/secrets/token", s.dir + "/web/private/token"} {
		if b, err := os.ReadFile(path); string(b) != "SENTINEL" {
			t.Errorf("%s: %q %v", path, b, err)
		}
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
		t.Errorf("outside: %v %v", names, err)
	}
}

// A task that swaps the directory of a template's file for a link, as fast as it
// can, gets nothing written where it leads.
func TestEscapeSwap(t *testing.T) {
	s, outside := hostile(t, Settings{})
	local := filepath.Join(s.dir, "web/local")
	must(t, os.Mkdir(local+"/d", 0o777))
	must(t, os.Symlink(outside, local+"/l"))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, local+"/d", unix.AT_FDCWD, local+"/l", unix.RENAME_EXCHANGE)
			}
		}
	}()
	m, err := New(s.config(&api.Template{EmbeddedTmpl: "written", DestPath: "local/d/sentinel"}))
	must(t, err)
	written := 0
	for range 2000 {
		if m.write(m.items[0], []byte("written")) == nil {
			written++
		}
	}
	close(stop)
	<-done
	if b, err := os.ReadFile(outside + "/sentinel"); string(b) != "SENTINEL" {
		t.Errorf("written through the link: %q %v", b, err)
	}
	if written == 0 {
		t.Log("the directory was never hit")
	}
}

// With disable_file_sandbox an operator gives templates the host's files to read;
// they are written nowhere else than before, and what hangs or never ends is
// refused as before.
func TestSandboxDisabled(t *testing.T) {
	s, outside := hostile(t, Settings{Unconfined: true})
	m := s.manager(nil,
		&api.Template{EmbeddedTmpl: `{{ file "` + outside + `/sentinel" }}`, DestPath: "local/a"},
		&api.Template{SourcePath: outside + "/sentinel", DestPath: "local/b"},
	)
	if s.read("web/local/a") != "SENTINEL" || s.read("web/local/b") != "SENTINEL" {
		t.Errorf("%q %q", s.read("web/local/a"), s.read("web/local/b"))
	}
	must(t, os.WriteFile(outside+"/sentinel", []byte("new"), 0o644))
	s.wait("the change", func() bool { return s.read("web/local/a") == "new" && s.read("web/local/b") == "new" })
	m.Stop()
	must(t, unix.Mkfifo(outside+"/fifo", 0o600))
	for _, path := range []string{outside + "/fifo", outside, "/dev/zero", "/dev/null"} {
		m, err := New(s.config(&api.Template{EmbeddedTmpl: `{{ file "` + path + `" }}`, DestPath: "local/c"}))
		must(t, err)
		if _, err := m.render(t.Context(), m.items[0]); err == nil {
			t.Errorf("%s was read", path)
		}
	}
	if _, err := New(s.config(&api.Template{EmbeddedTmpl: "x", DestPath: outside + "/sentinel"})); err == nil {
		t.Error("a destination on the host was taken")
	}
}

// FuzzLocate: whatever a path says, it is beneath one of the two directories or refused.
func FuzzLocate(f *testing.F) {
	for _, p := range []string{"local/a", "../alloc/x", "/alloc/x", "/d/alloc/x", "/d/web/../other/x", "a/../../..", "//alloc//../x", "/d"} {
		f.Add(p)
	}
	m := &Manager{cfg: Config{Dir: "/d", Task: "web", Service: &Service{}}}
	f.Fuzz(func(t *testing.T, name string) {
		p, err := m.locate(name)
		if err != nil {
			return
		}
		if p.top != "web" && p.top != "alloc" {
			t.Errorf("%q lies in %q", name, p.top)
		}
		if clean := filepath.Clean("/" + p.path); clean != "/"+p.path || p.path == "" {
			t.Errorf("%q lies at %q", name, p.path)
		}
	})
}

// FuzzParseEnv: the output of a template is a list of variables or an error.
func FuzzParseEnv(f *testing.F) {
	f.Add([]byte("A=1\nexport B='x'\n# c\nD=\"\\u0041\"\n"))
	f.Add([]byte("=\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		vars, err := parseEnv(data)
		for k, v := range vars {
			if err != nil || k == "" || strings.ContainsAny(k, "=\x00") || strings.IndexByte(v, 0) >= 0 {
				t.Errorf("%q=%q %v", k, v, err)
			}
		}
	})
}
