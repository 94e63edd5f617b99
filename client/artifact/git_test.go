package artifact

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

// needGit gives a way to run git with no configuration but the test's.
func needGit(t *testing.T) func(dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: make test-deps")
	}
	return func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=n", "GIT_AUTHOR_EMAIL=n@localhost",
			"GIT_COMMITTER_NAME=n", "GIT_COMMITTER_EMAIL=n@localhost", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.file.allow", "GIT_CONFIG_VALUE_0=always")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// repositories serves a directory of bare repositories, as any web server can.
func repositories(t *testing.T) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL, dir
}

// publish makes a bare copy of a repository for the server.
func publish(t *testing.T, git func(string, ...string) string, work, bare string) {
	t.Helper()
	git(".", "clone", "-q", "--bare", work, bare)
	git(bare, "update-server-info")
}

func commit(t *testing.T, git func(string, ...string) string, work, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	git(work, "add", "--all")
	git(work, "commit", "-qm", "change "+name)
	return git(work, "rev-parse", "HEAD")
}

func TestGit(t *testing.T) {
	git := needGit(t)
	url, dir := repositories(t)
	work := t.TempDir()
	git(work, "init", "-q", "-b", "main")
	first := commit(t, git, work, "readme", "one")
	git(work, "tag", "v1")
	if err := os.Mkdir(work+"/part", 0o755); err != nil {
		t.Fatal(err)
	}
	commit(t, git, work, "part/x", "two")
	publish(t, git, work, dir+"/app.git")

	w := newWorld(t, defaults())
	if err := w.get(api.TaskArtifact{GetterSource: "git::" + url + "/app.git", RelativeDest: "local/repo"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/repo/part/x", "two", 0o644)
	if st, err := os.Stat(w.dir + "/web/local/repo"); err != nil || st.Mode().Perm() != 0o755 {
		t.Error(st.Mode(), err)
	}
	for _, ref := range []string{first, "v1"} {
		if err := w.get(api.TaskArtifact{
			GetterSource: "git::" + url + "/app.git", RelativeDest: "local/" + ref, GetterOptions: map[string]string{"ref": ref},
		}); err != nil {
			t.Fatal(ref, err)
		}
		w.wants("web/local/"+ref+"/readme", "one", 0o644)
		if _, err := os.Stat(w.dir + "/web/local/" + ref + "/part"); err == nil {
			t.Errorf("%s has what came later", ref)
		}
	}
	if err := w.get(api.TaskArtifact{GetterSource: "git::" + url + "/app.git//part?ref=main", RelativeDest: "local/sub"}); err != nil {
		t.Fatal(err)
	}
	w.wants("web/local/sub/x", "two", 0o644)
}
