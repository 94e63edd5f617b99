package steps

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/drivers"
)

// part is a step that writes down what happens to it.
type part struct {
	name string
	log  *[]string
	fail map[string]bool // "up" or "down" to an error
	hang bool
}

func (p part) Name() string { return p.name }

func (p part) Up(ctx context.Context, in *In) (Result, error) {
	*p.log = append(*p.log, "up "+p.name+map[bool]string{true: " again"}[in.Restored])
	if p.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if p.fail["up"] {
		return nil, errors.New("no")
	}
	return Result{"of": p.name}, nil
}

func (p part) Down(_ context.Context, _ *In, out Result) error {
	*p.log = append(*p.log, "down "+p.name+" "+out["of"])
	if p.fail["down"] {
		return errors.New("stuck")
	}
	return nil
}

func TestSequence(t *testing.T) {
	var log []string
	bad := map[string]bool{"up": true}
	s := NewSequence([]Entry{{part{name: "a", log: &log}, time.Second}, {part{name: "b", log: &log, fail: bad}, time.Second}, {part{name: "c", log: &log}, time.Second}}, nil)
	ctx := t.Context()
	if err := s.Up(ctx, &In{}); err == nil || !strings.HasPrefix(err.Error(), "b: ") {
		t.Fatal(err)
	}
	delete(bad, "up")
	if err := s.Up(ctx, &In{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Up(ctx, &In{}); err != nil { // all stand: nothing to do
		t.Fatal(err)
	}
	saved := s.Results()
	bad["down"] = true
	if err := s.Down(ctx, &In{}); err == nil {
		t.Error("an error of Down is lost")
	}
	want := []string{"up a", "up b", "up b", "up c", "down c c", "down b b", "down a a"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	// Another life: what stood is put up again, or only taken down.
	log = nil
	again := NewSequence(s.entries, saved)
	if err := again.Up(ctx, &In{}); err != nil {
		t.Fatal(err)
	}
	last := NewSequence(s.entries, saved)
	_ = last.Down(ctx, &In{})
	want = []string{"up a again", "up b again", "up c again", "down c c", "down b b", "down a a"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}

// renewed is a step that is told of further starts, and adds to the environment.
type renewed struct{ part }

func (r renewed) Again(context.Context, *In) (Result, error) {
	*r.log = append(*r.log, "again "+r.name)
	if r.fail["again"] {
		return nil, errors.New("no")
	}
	return Result{"of": "again"}, nil
}

func (renewed) Env() map[string]string { return map[string]string{"A": "1"} }

func TestSequenceRenews(t *testing.T) {
	var log []string
	bad := map[string]bool{}
	s := NewSequence([]Entry{{renewed{part{name: "a", log: &log, fail: bad}}, time.Second}, {part{name: "b", log: &log}, time.Second}}, nil)
	for range 2 {
		if err := s.Up(t.Context(), &In{}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"up a", "up b", "again a"}, log); diff != "" || s.Results()["a"]["of"] != "again" {
		t.Error(diff, s.Results())
	}
	if s.Env()["A"] != "1" {
		t.Error(s.Env())
	}
	bad["again"] = true
	if err := s.Up(t.Context(), &In{}); err == nil || !strings.HasPrefix(err.Error(), "a: ") {
		t.Error(err)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		s := NewSequence([]Entry{{part{name: "slow", log: &log, hang: true}, time.Minute}}, nil)
		err := s.Up(t.Context(), &In{})
		if err == nil || !strings.Contains(err.Error(), "slow: not done within 1m0s") {
			t.Error(err)
		}
	})
}

func input(t *testing.T, task *api.Task) *In {
	t.Helper()
	collector := logs.New(slog.New(slog.DiscardHandler))
	dir := filepath.Join(t.TempDir(), "0a1b")
	t.Cleanup(func() {
		collector.Close()
		var tasks []string
		if len(t.Name())%2 == 0 { // both ways to unmount
			tasks = append(tasks, task.Name)
		}
		if err := RemoveAll(dir, tasks...); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	})
	return &In{
		Alloc: &api.Allocation{ID: "0a1b", TaskGroup: "g", Job: &api.Job{
			ID: "j", Payload: []byte("payload"), TaskGroups: []*api.TaskGroup{{Name: "g", Tasks: []*api.Task{task}}},
		}}, Task: task,
		Dir: dir, Node: &api.Node{}, Logger: slog.New(slog.DiscardHandler), Logs: collector,
	}
}

// The modes do not depend on the umask of the agent.
func TestDirectories(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	in := input(t, &api.Task{Name: "web", DispatchPayload: &api.DispatchPayloadConfig{File: "in/deep/data.json"}})
	output := &Logs{}
	ctx := t.Context()
	alloc := NewSequence(ForAlloc(&Previous{}, &Disk{}, nil), nil)
	task := NewSequence(ForTask(in.Task, output, nil, false), nil)
	if err := alloc.Up(ctx, in); err != nil {
		t.Fatal(err)
	}
	if err := task.Up(ctx, in); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		"": 0o711, "alloc": 0o755, "alloc/data": 0o777, "alloc/logs": 0o755, "alloc/tmp": 0o777 | fs.ModeSticky,
		"web": 0o755, "web/local": 0o777, "web/secrets": 0o700, "web/private": 0o700, "web/tmp": 0o777 | fs.ModeSticky,
	} {
		st, err := os.Stat(filepath.Join(in.Dir, path))
		if err != nil || st.Mode() != want|fs.ModeDir {
			t.Errorf("%q: %v %v, want %v", path, st.Mode(), err, want|fs.ModeDir)
		}
	}
	st, err := os.Stat(filepath.Join(in.Dir, "alloc/logs/web.stdout.0"))
	if err != nil || st.Mode() != 0o644 {
		t.Errorf("log file: %v %v", st, err)
	}
	if b, err := os.ReadFile(filepath.Join(in.Dir, "web/local/in/deep/data.json")); string(b) != "payload" {
		t.Errorf("payload %q %v", b, err)
	}
	if os.Geteuid() == 0 {
		script := filepath.Join(in.Dir, "web/secrets/run")
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := os.StartProcess(script, []string{script}, &os.ProcAttr{}); err == nil {
			t.Error("a program in the secrets directory was run")
		}
		if err := os.WriteFile(filepath.Join(in.Dir, "web/secrets/big"), make([]byte, 2<<20), 0o600); err == nil {
			t.Error("the secrets directory has no limit")
		}
	}
	if ids := Guarded(task.Results()["task_dir"]); len(ids) != 3 {
		t.Errorf("guarded %v", ids)
	}
	if err := task.Down(ctx, in); err != nil {
		t.Error(err)
	}
}

func TestEscapePayload(t *testing.T) {
	in := input(t, &api.Task{Name: "web", DispatchPayload: &api.DispatchPayloadConfig{File: "../../../evil"}})
	ctx := t.Context()
	if _, err := (AllocDir{}).Up(ctx, in); err != nil {
		t.Fatal(err)
	}
	if _, err := (TaskDir{}).Up(ctx, in); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../../../evil", "../evil", "/../evil", "a/../../evil", ".."} {
		in.Task.DispatchPayload.File = name
		if _, err := (Payload{}).Up(ctx, in); err == nil {
			t.Errorf("%q was written", name)
		}
	}
}

func TestDisabledLogs(t *testing.T) {
	in := input(t, &api.Task{Name: "web", LogConfig: &api.LogConfig{Disabled: true}})
	if _, err := (AllocDir{}).Up(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	output := &Logs{}
	if _, err := output.Up(t.Context(), in); err != nil || output.Stream(Stdout) != nil {
		t.Errorf("%v, stream %v", err, output.Stream(Stdout))
	}
	cfg := TaskConfig(ConfigInput{In: *in})
	if cfg.StdoutPath != "" || cfg.StderrPath != "" {
		t.Errorf("paths %q %q", cfg.StdoutPath, cfg.StderrPath)
	}
}

func TestDirsInsideIsolatingDrivers(t *testing.T) {
	in := input(t, &api.Task{Name: "web"})
	for fsKind, want := range map[drivers.FSIsolation]string{drivers.FSNone: in.Dir + "/web/local", drivers.FSChroot: "/local", drivers.FSImage: "/local"} {
		in.Driver.Abilities.FS = fsKind
		if got := TaskConfig(ConfigInput{In: *in}).Env["NOMAD_TASK_DIR"]; got != want {
			t.Errorf("%s: %q, want %q", fsKind, got, want)
		}
	}
}

func TestPreviousGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Previous{Ended: func(id string) (<-chan struct{}, bool) { return make(chan struct{}), id == "old" }}
		s := NewSequence([]Entry{{p, previousDeadline}}, nil)
		in := &In{Alloc: &api.Allocation{PreviousAllocation: "old", PreemptedAllocations: []string{"elsewhere"}}}
		if err := s.Up(t.Context(), in); err == nil || !strings.Contains(err.Error(), "old") {
			t.Error(err)
		}
	})
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{"/a": "/a", `/a\040b`: "/a b", `/a\134`: `/a\`, `/a\0`: `/a\0`} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
