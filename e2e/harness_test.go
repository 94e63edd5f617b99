package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// patience is how long a test waits for what should happen at once; the
// machine may be busy.
const patience = 30 * time.Second

// agent is an agent under test, with Nomad's Go client to it.
type agent struct {
	*rig.Agent
	nomad *nomad.Client
}

func wrap(t *testing.T, r *rig.Agent) *agent {
	t.Helper()
	c, err := nomad.NewClient(&nomad.Config{Address: r.Address, SecretID: r.Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &agent{Agent: r, nomad: c}
}

// start starts an agent of the test's own and waits until it is ready. At the
// end of the test it is stopped, and must leave nothing once its jobs are gone.
func start(t *testing.T, opts rig.Options) *agent {
	t.Helper()
	a := prepare(t, opts)
	a.launch(t)
	return a
}

// prepare makes an agent of the test's own that does not run yet.
func prepare(t *testing.T, opts rig.Options) *agent {
	t.Helper()
	opts.Binary = binary
	r, err := rig.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log := r.Log()
		if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") || strings.Contains(log, "fatal error:") {
			t.Error("a data race or panic is in the agent's log")
		}
		if t.Failed() {
			dump(t, log)
		}
		if err := r.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return wrap(t, r)
}

// launch starts the agent's process and waits until it is ready.
func (a *agent) launch(t *testing.T) {
	t.Helper()
	if err := a.Launch(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// leavesNothing stops the agent in order and fails the test for what remains.
// Allocations that are over keep their directories, secrets mounted, until they
// are collected: that is done first.
func (a *agent) leavesNothing(t *testing.T, s syscall.Signal) {
	t.Helper()
	if r := a.do(t, http.MethodGet, "/v1/client/gc", nil); r.status != http.StatusOK {
		t.Errorf("gc: %d %s", r.status, r.body)
	}
	if code, err := a.Stop(s); err != nil || code != 0 {
		t.Errorf("%v: exit code %d, %v; want 0", s, code, err)
	}
	for _, left := range rig.Settle(a.Agent, 5*time.Second) {
		t.Errorf("left behind: %s", left)
	}
}

func dump(t *testing.T, log string) {
	t.Helper()
	const most = 16 << 10
	if len(log) > most {
		log = "…" + log[len(log)-most:]
	}
	t.Logf("the agent's log:\n%s", log)
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
}

// all is what a user sees.
func (r result) all() string { return r.stdout + r.stderr }

// command prepares the serai command line against the agent.
func (a *agent) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = a.Environ()
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// cli runs a command to its end.
func (a *agent) cli(t *testing.T, args ...string) result {
	t.Helper()
	return a.cliIn(t, "", args...)
}

// cliIn does so with text on stdin.
func (a *agent) cliIn(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // also for clean-up, when the test's own is over
	defer cancel()
	cmd := a.command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs a command that must succeed and gives what it prints on stdout.
func (a *agent) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := a.cli(t, args...)
	if r.code != 0 {
		t.Fatalf("serai %s: %v", strings.Join(args, " "), r)
	}
	return r.stdout
}

// okJSON runs a command that must succeed and print JSON.
func (a *agent) okJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out := a.ok(t, args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("serai %s prints no JSON: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// response is an answer of the API.
type response struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request; body may be nil, a string or something to be JSON.
func (a *agent) do(t *testing.T, method, path string, body any) response {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, a.Address+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if token := a.Token(); token != "" {
		req.Header.Set("X-Nomad-Token", token)
	}
	return a.send(t, req)
}

func (a *agent) send(t *testing.T, req *http.Request) response {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Timeout:       2 * patience,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return response{resp.StatusCode, resp.Header, text}
}

// get reads JSON that must be there.
func (a *agent) get(t *testing.T, path string, into any) http.Header {
	t.Helper()
	r := a.do(t, http.MethodGet, path, nil)
	if r.status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, r.status, r.body)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("GET %s: %v\n%s", path, err, r.body)
	}
	return r.header
}

var jobNumber atomic.Int64

// jobID makes a name for a job that no other test has. The job is stopped and
// purged when the test ends.
func (a *agent) jobID(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", "#", "-").Replace(t.Name()))
	id := fmt.Sprintf("%s-%d", strings.TrimPrefix(name, "test"), jobNumber.Add(1))
	t.Cleanup(func() {
		if closedNow(a.Done()) {
			return
		}
		a.nomad.Jobs().Deregister(id, true, nil) // it may be gone
	})
	return id
}

func closedNow(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// file writes a file of the test's and gives its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually polls until check says yes; it is for what cannot be watched.
func eventually(t *testing.T, what string, check func() (bool, string)) {
	t.Helper()
	within(t, patience, what, check)
}

// within is eventually for what takes long by itself.
func within(t *testing.T, patience time.Duration, what string, check func() (bool, string)) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, last := check()
		if ok {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s; last: %s", patience, what, last)
		case <-tick.C:
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: namespaces, chroot, mounts and cgroups")
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		t.Skip("needs cgroups: /sys/fs/cgroup is not there")
	}
}
