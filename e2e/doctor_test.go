package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/e2e/rig"
)

// TestDoctor looks at an agent that runs, at the same one stopped, and at one
// whose key others can read.
func TestDoctor(t *testing.T) {
	t.Parallel()
	a := start(t, rig.Options{})
	type report struct {
		Worst    string
		Findings []struct{ Check, Level, What, Mend string }
	}
	examine := func() (report, int) {
		t.Helper()
		r := a.cli(t, "doctor", "-json", "-config", a.ConfigPath())
		var out report
		if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
			t.Fatalf("%v: %v", err, r)
		}
		return out, r.code
	}
	level := func(r report, check string) string {
		for _, f := range r.Findings {
			if f.Check == check {
				return f.Level
			}
		}
		return ""
	}
	r, code := examine()
	for _, check := range []string{"config.valid", "files.data_dir", "files.config", "agent.health", "cluster.leader", "clock.skew"} {
		if level(r, check) != "ok" {
			t.Errorf("%s is %q: %+v", check, level(r, check), r.Findings)
		}
	}
	if code == 0 || level(r, "acl.enabled") != "warn" { // access control is off
		t.Errorf("exit code %d, %+v", code, r)
	}
	if _, err := a.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	before := stamps(t, a.DataDir())
	if r, _ := examine(); level(r, "agent.answers") != "ok" || level(r, "ports.free") != "ok" {
		t.Errorf("without the agent: %+v", r)
	}
	if diff := cmp.Diff(before, stamps(t, a.DataDir())); diff != "" {
		t.Errorf("the examination changed files: %s", diff)
	}
	if err := os.Chmod(a.DataDir(), 0o777); err != nil {
		t.Fatal(err)
	}
	if r, code := examine(); code != 2 || level(r, "files.data_dir") != "error" || r.Worst != "error" {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if text := a.cli(t, "doctor", "-config", a.ConfigPath()); text.code != 2 || !strings.Contains(text.stdout, "mend: chmod go-w "+a.DataDir()) {
		t.Errorf("for people: %v", text)
	}
	if err := os.Chmod(a.DataDir(), 0o700); err != nil {
		t.Fatal(err)
	}
}

// stamps gives the files below a directory with their sizes, modes and times.
func stamps(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out[path] = fmt.Sprint(info.Size(), info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatal(out, err)
	}
	return out
}
