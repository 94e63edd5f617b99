package command

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/user"
)

func TestFind(t *testing.T) {
	task := drivers.TaskConfig{Name: "web", AllocDir: t.TempDir()}
	dir := task.TaskDir()
	for path, mode := range map[string]os.FileMode{
		filepath.Join(dir.Local, "tool"): 0o755, filepath.Join(dir.Root, "deep", "tool2"): 0o755, filepath.Join(dir.Local, "plain"): 0o644,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"sh": "/bin/sh", "/bin/sh": "/bin/sh", "tool": filepath.Join(dir.Local, "tool"), "local/tool": filepath.Join(dir.Local, "tool"),
		"deep/tool2": filepath.Join(dir.Root, "deep/tool2"),
	} {
		if got, err := Find(name, dir, "/nowhere:relative:/bin"); err != nil || got != want {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
	for name, code := range map[string]int{"none": 127, "/no/such": 127, "./none": 127, "a\x00b": 127, "/etc": 126, "local/plain": 126, "": 127} {
		_, err := Find(name, dir, "/bin")
		if se, ok := errors.AsType[*drivers.StartError](err); !ok || se.ExitCode != code {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEnviron(t *testing.T) {
	for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "NOMAD_TOKEN", "VAULT_TOKEN", "CONSUL_HTTP_TOKEN", "GITHUB_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK",
		"PLUGIN_CLIENT_CERT", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH", "GODEBUG"} {
		t.Setenv(secret, "leak")
	}
	t.Setenv("HOME", "/root")
	t.Setenv("LANG", "C.UTF-8")
	env, err := Environ(map[string]string{"A": "b"}, []string{"LA*"}, nil)
	if err != nil || strings.Contains(strings.Join(env, " "), "leak") || slices.Contains(env, "LANG=C.UTF-8") || !slices.Contains(env, "HOME=/root") || Value(env, "A") != "b" {
		t.Errorf("%v %v", env, err)
	}
	env, err = Environ(map[string]string{"LOGNAME": "mine"}, nil, &user.Credentials{UID: 5, Name: "games", Home: "/usr/games"})
	if err != nil || Value(env, "HOME") != "/usr/games" || Value(env, "USER") != "games" || Value(env, "LOGNAME") != "mine" {
		t.Errorf("%v %v", env, err)
	}
	for _, bad := range []map[string]string{{"": "x"}, {"a=b": "c"}, {"a": "b\x00c"}, {"a\x00": ""}} {
		if _, err := Environ(bad, nil, nil); err == nil {
			t.Errorf("%q", bad)
		}
	}
}
