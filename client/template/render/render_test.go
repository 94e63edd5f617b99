package render

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	if Main(os.Args) {
		return
	}
	goleak.VerifyTestMain(m)
}

func pool(t *testing.T, denied ...string) *Pool {
	t.Helper()
	p := NewPool(denied)
	t.Cleanup(p.Close)
	return p
}

// world is what the templates of the tests see.
var world = map[string]string{"NOMAD_TASK_NAME": "web", "NOMAD_META_TEAM": "blue", "EMPTY": ""}

func file(path string) ([]byte, error) {
	switch path {
	case "local/list.json":
		return []byte(`{"servers":[{"name":"a","port":1},{"name":"b","port":2}]}`), nil
	case "local/raw":
		return []byte("x\xffy"), nil
	}
	return nil, fmt.Errorf("file %q is not there", path)
}

func TestLanguage(t *testing.T) {
	p := pool(t)
	inputs, err := filepath.Glob("testdata/*.tpl")
	if err != nil || len(inputs) == 0 {
		t.Fatal(err, inputs)
	}
	for _, path := range inputs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for piece := range bytes.SplitSeq(text, []byte("=====\n")) {
			out, err := p.Render(t.Context(), &Job{Text: piece, Env: world, File: file})
			got.Write(out)
			if err != nil {
				fmt.Fprintf(&got, "error: %v\n", err)
			}
			got.WriteString("=====\n")
		}
		golden := strings.TrimSuffix(path, ".tpl") + ".golden"
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s:\n%s", path, got.Bytes())
		}
	}
}

func TestOptions(t *testing.T) {
	p := pool(t, "sprig_*", "executeTemplate")
	for _, c := range []struct {
		job  Job
		want string
	}{
		{Job{Text: []byte(`[[ env "NOMAD_TASK_NAME" ]]{{}}`), Left: "[[", Right: "]]"}, "web{{}}"},
		{Job{Text: []byte(`{{ (parseJSON "{}").missing }}`)}, "<no value>"},
		{Job{Text: []byte(`{{ (parseJSON "{}").missing }}`), MissingKey: true}, `error: .*map has no entry for key "missing"`},
		{Job{Text: []byte(`{{ sprig_upper "a" }}`)}, `error: function "sprig_upper" is disabled by client.template.function_denylist`},
		{Job{Text: []byte(`{{ define "x" }}{{ executeTemplate "x" }}{{ end }}`)}, `error: function "executeTemplate" is disabled`},
		{Job{Text: []byte("\xff{{ file \"local/raw\" }}")}, "\xffx\xffy"},
		{Job{}, ""},
	} {
		c.job.Env, c.job.File = world, file
		out, err := p.Render(t.Context(), &c.job)
		if rest, ok := strings.CutPrefix(c.want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(rest, ".*")) {
				t.Errorf("%s: %q, %v; want an error with %q", c.job.Text, out, err, rest)
			}
			continue
		}
		if string(out) != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", c.job.Text, out, err, c.want)
		}
	}
}

// Every function of the library that asks somebody else is refused, also when it
// is called from where a look at the text does not find it.
func TestNothingAsksTheNetwork(t *testing.T) {
	p := pool(t)
	for name := range functions(nil, nil) {
		if slices.Contains([]string{"env", "mustEnv", "envOrDefault", "file"}, name) {
			continue
		}
		_, err := p.Render(t.Context(), &Job{Text: []byte(`{{ ` + name + ` "a" }}`), Env: world, File: file})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEscapeFunctions: what runs programs, writes files, looks at the process's surroundings or asks the network is refused by its name before anything is
// rendered: alone, in a definition, as an argument, in a branch that is never taken, and by way of another template.
func TestEscapeFunctions(t *testing.T) {
	p := pool(t)
	made := filepath.Join(t.TempDir(), "made")
	for name, call := range map[string]string{
		"plugin": `plugin "/bin/touch" "` + made + `"`, "writeToFile": `"x" | writeToFile "` + made + `" "root" "root" "0644"`,
		"sprig_env": `sprig_env "PATH"`, "sprig_expandenv": `sprig_expandenv "$PATH"`, "sprig_getHostByName": `sprig_getHostByName "localhost"`,
	} {
		for _, text := range []string{
			`{{ ` + call + ` }}`, `{{ define "x" }}{{ ` + call + ` }}{{ end }}{{ executeTemplate "x" }}`, `{{ define "x" }}{{ ` + call + ` }}{{ end }}{{ template "x" }}`,
			`{{ if false }}{{ ` + call + ` }}{{ end }}`, `{{ $x := (` + call + `) }}{{ $x }}`, `{{ with (printf "%s" (` + call + `)) }}{{ . }}{{ end }}`,
		} {
			out, err := p.Render(t.Context(), &Job{Text: []byte(text), Env: world, File: file})
			if err == nil || !strings.Contains(err.Error(), "function \""+name+"\"") {
				t.Errorf("%s: %q %v", text, out, err)
			}
		}
	}
	if _, err := os.Lstat(made); err == nil {
		t.Error("a file was made")
	}
}

// What the library has and these tests do not know would be found here when it
// is updated: a function that looks at the process's own surroundings.
func TestEnvironmentOfTheAgentIsHidden(t *testing.T) {
	t.Setenv("SENTINEL", "of the agent")
	p := pool(t)
	for _, text := range []string{
		`{{ env "SENTINEL" }}{{ env "GOMEMLIMIT" }}{{ env "PATH" }}`, `{{ envOrDefault "SENTINEL" "" }}`,
	} {
		out, err := p.Render(t.Context(), &Job{Text: []byte(text), Env: world, File: file})
		if err != nil || len(out) != 0 {
			t.Errorf("%s: %q %v", text, out, err)
		}
	}
	for _, text := range []string{`{{ mustEnv "SENTINEL" }}`, `{{ sprig_env "SENTINEL" }}`, `{{ sprig_expandenv "$SENTINEL" }}`, `{{ sprig_getHostByName "localhost" }}`} {
		if out, err := p.Render(t.Context(), &Job{Text: []byte(text), Env: world, File: file}); err == nil {
			t.Errorf("%s: %q", text, out)
		}
	}
}

// A template that never ends, or wants the whole memory, costs its worker and
// nothing else; the next one is rendered.
func TestEscapeLimits(t *testing.T) {
	if workerData > 1<<40 {
		t.Skip("with the race detector there is no limit on memory")
	}
	p := pool(t)
	p.maxTime = 500 * time.Millisecond
	for text, want := range map[string]string{
		`{{ range loop 1000000000000 }}{{ end }}`:                                                              "takes longer",
		`{{ define "x" }}{{ template "x" }}{{ template "x" }}{{ end }}{{ template "x" }}`:                      "",
		`{{ define "x" }}{{ executeTemplate "x" }}{{ end }}{{ executeTemplate "x" }}`:                          "",
		`{{ indent 2000000000 "x" }}`:                                                                          "memory",
		`{{ range loop 100000 }}{{ indent 1000000 "x" }}{{ end }}`:                                             "",
		`{{ sprig_repeat 2000000000 "x" }}`:                                                                    "memory",
		`{{ regexReplaceAll "(((((a{1,30}){1,30}){1,30}){1,30}){1,30})*" "" (sprig_repeat 100000 "a") }}`:      "",
		`{{ sprig_until 2000000000 }}`:                                                                         "memory",
		`{{ $x := sprig_list }}{{ range loop 100000000 }}{{ $x = sprig_append $x $x }}{{ end }}`:               "",
		`{{ spew_sdump (sprig_until 3000000) }}`:                                                               "",
		`{{ printf "%2000000000d" 1 }}`:                                                                        "",
		`{{ range loop 100 }}{{ range loop 1000000 }}{{ range loop 10000 }}{{ . }}{{ end }}{{ end }}{{ end }}`: "",
	} {
		_, err := p.Render(t.Context(), &Job{Text: []byte(text), Env: world, File: file})
		// Which limit is met first may depend on the machine; where it does not, it is named.
		slow := err != nil && strings.Contains(err.Error(), "takes longer")
		if !strings.HasPrefix(text, "{{ printf") && !slow && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	out, err := p.Render(t.Context(), &Job{Text: []byte(`{{ env "NOMAD_TASK_NAME" }}`), Env: world, File: file})
	if string(out) != "web" || err != nil {
		t.Errorf("after all these: %q %v", out, err)
	}
}

// The worker is as good as a hostile program of its own: it can do nothing.
func TestEscapeConfinement(t *testing.T) {
	p := pool(t)
	if _, err := p.Render(t.Context(), &Job{Text: []byte("x"), File: file}); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	pid := p.idle[0].cmd.Process.Pid
	p.mu.Unlock()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Seccomp:\t2", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("%s is not in the status of the worker", want)
		}
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(env), "PATH=") {
		t.Errorf("environment %q %v", env, err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		what, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if err != nil || !strings.HasPrefix(what, "pipe:") && !strings.HasPrefix(what, "anon_inode:") && what != "/dev/null" {
			t.Errorf("open file %s: %s %v", fd.Name(), what, err)
		}
	}
}

// TestEscapeFilter calls what must not work from inside of a filtered process.
func TestEscapeFilter(t *testing.T) {
	if os.Getenv("RENDER_FILTERED") == "" {
		runFiltered(t)
		return
	}
	time.AfterFunc(time.Hour, func() {}).Stop()
	if err := confine(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // on another thread, perhaps
		defer close(done)
		if _, err := os.ReadFile("/etc/passwd"); !errors.Is(err, syscall.EPERM) {
			t.Errorf("read a file: %v", err)
		}
		if _, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != syscall.EPERM {
			t.Errorf("socket: %v", err)
		}
		if err := syscall.Kill(os.Getppid(), 0); err != syscall.EPERM {
			t.Errorf("kill: %v", err)
		}
		if err := syscall.Exec("/bin/true", []string{"true"}, nil); err != syscall.EPERM {
			t.Errorf("exec: %v", err)
		}
		if pid, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0); errno != syscall.EPERM {
			if errno == 0 && pid == 0 {
				syscall.RawSyscall(syscall.SYS_EXIT, 1, 0, 0)
			}
			t.Errorf("fork: %v", errno)
		}
	}()
	<-done
}

func TestPoolKeepsAndEndsWorkers(t *testing.T) {
	p := pool(t)
	for range 3 {
		if _, err := p.Render(t.Context(), &Job{Text: []byte("x"), File: file}); err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	n, renders := len(p.idle), p.idle[0].renders
	p.mu.Unlock()
	if n != 1 || renders != 3 {
		t.Errorf("%d workers, %d renders", n, renders)
	}
	// One that was killed while idle is replaced.
	p.mu.Lock()
	w := p.idle[0]
	p.mu.Unlock()
	w.kill()
	<-w.dead
	if out, err := p.Render(t.Context(), &Job{Text: []byte("x"), File: file}); string(out) != "x" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

func TestRenderEndsWithItsContext(t *testing.T) {
	p := pool(t)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	go func() {
		<-started
		cancel()
	}()
	_, err := p.Render(ctx, &Job{Text: []byte(`{{ file "x" }}{{ range loop 1000000000000 }}{{ end }}`), File: func(string) ([]byte, error) {
		close(started)
		return nil, nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzReceive: the agent reads what a worker says as if it were hostile.
func FuzzReceive(f *testing.F) {
	var b bytes.Buffer
	_ = send(&b, &answer{File: "a", Output: []byte("b")})
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, data []byte) {
		var a answer
		if err := receive(bytes.NewReader(data), &a); err == nil && len(a.Output) > len(data) {
			t.Error("more came than was sent")
		}
	})
}

// FuzzCheck: any text is parsed or refused, without a panic and in bounds.
func FuzzCheck(f *testing.F) {
	f.Add(`{{ if env "A" }}{{ range $i := loop 3 }}{{ . | toJSON }}{{ end }}{{ else }}{{ template "x" . }}{{ end }}`, "{{", "}}")
	f.Add(`[[ (((key "x"))) ]]`, "[[", "]]")
	f.Fuzz(func(t *testing.T, text, left, right string) {
		_ = check(text, &request{Left: left, Right: right, Denied: []string{"*", "sprig_*"}})
	})
}

func runFiltered(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestEscapeFilter$")
	cmd.Env = append(os.Environ(), "RENDER_FILTERED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// BenchmarkRender measures a render by a worker that is there, and by a new one.
func BenchmarkRender(b *testing.B) {
	for name, cold := range map[string]bool{"warm": false, "cold": true} {
		b.Run(name, func(b *testing.B) {
			p := NewPool(nil)
			defer p.Close()
			for b.Loop() {
				if cold {
					p.Close()
					p.closed = false
				}
				if _, err := p.Render(b.Context(), &Job{Text: []byte(`port = {{ env "PORT" }}`), Env: world, File: file}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
