package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// site is a few machines, which are addresses of this one's loopback.
type site struct {
	dir, net string
	env      []string // of the command line
	logs     []*locked
}

func newSite(t *testing.T) *site {
	t.Helper()
	b := make([]byte, 2)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return &site{dir: t.TempDir(), net: fmt.Sprintf("127.%d.%d.", 20+b[0]%200, b[1])}
}

func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// machine gives the flags that put a machine's files into the site.
func (s *site) machine(n int, name string) []string {
	return []string{"-config-dir", s.path(name, "etc"), "-data-dir", s.path(name, "data"), "-bind", fmt.Sprint(s.net, n), "-name", name}
}

// serai runs a command and gives what it printed and its exit code.
func (s *site) serai(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append(os.Environ(), s.env...)
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%v: %v\n%s", args, ctx.Err(), out)
	}
	_ = err // the exit code tells
	return string(out), c.ProcessState.ExitCode()
}

func (s *site) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, code := s.serai(t, args...)
	if code != 0 {
		t.Fatalf("serai %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// fails runs a command that must fail with a text.
func (s *site) fails(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, code := s.serai(t, args...); code == 0 || !strings.Contains(out, want) {
		t.Errorf("serai %s: exit code %d, want an error with %q:\n%s", strings.Join(args, " "), code, want, out)
	}
}

// run runs an agent until the test ends.
func (s *site) run(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	log := &locked{}
	c := exec.Command(binary, "agent", "-config", s.path(name, "etc"))
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.logs = append(s.logs, log)
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
		if t.Failed() {
			dump(t, name+":\n"+log.String())
		}
	})
	s.until(t, name+" is ready", func() bool { return strings.Contains(log.String(), "serai is ready") })
	return c
}

type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *site) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * patience); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// token makes a token on the server.
func (s *site) token(t *testing.T, args ...string) string {
	t.Helper()
	var out api.JoinTokenResponse
	if err := json.Unmarshal([]byte(s.ok(t, append([]string{"join-token", "create", "-json"}, args...)...)), &out); err != nil {
		t.Fatal(err)
	}
	return out.Token
}

// ca tells whom the cluster trusts.
func (s *site) ca(t *testing.T) (ca api.CAResponse) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.ok(t, "ca", "info", "-json")), &ca); err != nil {
		t.Fatal(err)
	}
	return ca
}

// tokenIn finds the token that a command printed.
func tokenIn(t *testing.T, text string) string {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if strings.HasPrefix(word, "sj1.") {
			return word
		}
	}
	t.Fatalf("no token in:\n%s", text)
	return ""
}

// TestJoin is a cluster made in three commands, with all that can go wrong.
func TestJoin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.env = []string{"SERAI_ADDR=https://" + s.net + "1:4646", "SERAI_CACERT=" + s.path("first", "data", "tls", "ca.pem"),
		"SERAI_CLIENT_CERT=" + s.path("first", "etc", "cli.pem"), "SERAI_CLIENT_KEY=" + s.path("first", "etc", "cli.pem")}
	token := tokenIn(t, s.ok(t, append([]string{"init"}, s.machine(1, "first")...)...))
	secret, err := os.ReadFile(s.path("first", "etc", "management.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.fails(t, "is there already", append([]string{"init"}, s.machine(1, "first")...)...)
	first := s.run(t, "first")
	s.fails(t, "Permission denied", "node", "status")
	s.env = append(s.env, "SERAI_TOKEN="+strings.TrimSpace(string(secret)))
	server := s.net + "1:4647"
	join := func(name, token string, more ...string) []string {
		return append(append(append([]string{"join"}, s.machine(2, name)...), more...), server, token)
	}

	s.refusals(t, token, server, join)
	s.ok(t, join("second", token)...)
	s.fails(t, "is there already", join("second", token)...)
	s.fails(t, "used already", join("late", token)...)
	if err := os.WriteFile(s.path("second", "etc", "drivers.hcl"), []byte("plugin \"raw_exec\" {\n  config {\n    enabled = true\n  }\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	second := s.run(t, "second")
	s.fails(t, `a client named "second" runs in this cluster`, join("late", s.token(t), "-name", "second")...)
	s.absent(t, "late")

	alloc := s.work(t)
	s.modes(t)
	s.rotation(t, alloc, first, second)
	if out := s.ok(t, "alloc", "logs", alloc); !strings.Contains(out, "hello over TLS") {
		t.Errorf("logs after the rotation: %q", out)
	}
	s.ok(t, "job", "stop", "-purge", "hello")

	s.ok(t, "ca", "revoke", "-name", "second")
	s.until(t, "the revoked agent is refused", func() bool {
		out, code := s.serai(t, "node", "status", "-address", "https://"+s.net+"2:4646")
		return code != 0 && strings.Contains(out, "bad certificate") || strings.Contains(out, "revoked")
	})
	s.secrets(t, token)
}

// absent checks that nothing is left of a machine that did not join.
func (s *site) absent(t *testing.T, name string) {
	t.Helper()
	if entries, err := os.ReadDir(s.path(name)); err == nil && len(entries) > 0 {
		t.Errorf("%s was refused, but left %v", name, entries)
	}
}

// refusals joins in every way that must not work. None leaves a file.
func (s *site) refusals(t *testing.T, token, server string, join func(name, token string, more ...string) []string) {
	t.Helper()
	other := newSite(t)
	foreign := tokenIn(t, other.ok(t, append([]string{"init"}, other.machine(9, "other")...)...))
	short := s.token(t, "-ttl", "1s")
	expired := time.Now().Add(1500 * time.Millisecond)
	revoked := s.token(t)
	s.ok(t, "join-token", "revoke", revoked)
	forged := []byte(token)
	forged[len(forged)-3] ^= 1 // of the secret
	for !time.Now().After(expired) {
		time.Sleep(20 * time.Millisecond)
	}
	for want, args := range map[string][]string{
		"no join token":                  join("late", "sj1.nonsense"),
		"its authority is another one":   join("late", foreign),
		"not one of this cluster":        join("late", string(forged)),
		"the token expired":              join("late", short),
		"the token is revoked":           join("late", revoked),
		"the token is for clients":       join("late", token, "-server"),
		"cannot be the name of an agent": join("late", token, "-name", "a/b"),
		"is the server running":          append(append([]string{"join"}, s.machine(2, "late")...), s.net+"3:4647", token),
		"tls":                            append(append([]string{"join"}, s.machine(2, "late")...), s.net+"1:4646", token),
	} {
		s.fails(t, want, args...)
		s.absent(t, "late")
	}
	_ = server
}

// work runs a job on the second machine, and looks at it through the server.
func (s *site) work(t *testing.T) (alloc string) {
	t.Helper()
	job := s.path("hello.hcl")
	if err := os.WriteFile(job, []byte(`job "hello" {
  group "g" {
    update {
      min_healthy_time = "0s"
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo hello over TLS; exec sleep 1000"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	s.ok(t, "job", "run", job)
	var allocs []struct{ ID string }
	if err := json.Unmarshal([]byte(s.ok(t, "job", "allocs", "-json", "hello")), &allocs); err != nil || len(allocs) != 1 {
		t.Fatal(allocs, err)
	}
	alloc = allocs[0].ID
	s.until(t, "logs through the server", func() bool {
		return strings.Contains(s.ok(t, "alloc", "logs", alloc), "hello over TLS")
	})
	if out := s.ok(t, "alloc", "exec", alloc, "/bin/echo", "exec works"); !strings.Contains(out, "exec works") {
		t.Errorf("exec: %q", out)
	}
	return alloc
}

// modes checks that secrets are their owner's alone, and where the authority's key is.
func (s *site) modes(t *testing.T) {
	t.Helper()
	for path, mode := range map[string]fs.FileMode{
		"first/data/tls/ca-key.pem": 0o600, "first/data/tls/agent.pem": 0o600, "first/etc/cli.pem": 0o600, "first/etc/secrets.hcl": 0o600,
		"first/etc/serai.hcl": 0o644, "second/data/tls/agent.pem": 0o600, "second/etc/serai.hcl": 0o644,
	} {
		if info, err := os.Stat(s.path(path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %s", path, info, err, mode)
		}
	}
	if _, err := os.Stat(s.path("second/data/tls/ca-key.pem")); err == nil {
		t.Error("a client has the authority's key")
	}
}

// rotation changes the authority while the server asks the node without a pause.
func (s *site) rotation(t *testing.T, alloc string, agents ...*exec.Cmd) {
	t.Helper()
	before := s.ca(t).Authorities[0].ID
	var asked, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			c := exec.Command(binary, "alloc", "logs", alloc)
			c.Env = append(os.Environ(), s.env...)
			if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "hello over TLS") {
				failed.Add(1)
				t.Logf("under rotation: %v %s", err, out)
			}
			asked.Add(1)
		}
	})
	defer work.Wait()
	defer stop()
	s.ok(t, "ca", "rotate", "-detach")
	s.fails(t, "under way", "ca", "rotate", "-detach")
	for _, a := range agents {
		_ = a.Process.Signal(syscall.SIGHUP) // they would look by themselves within a minute
	}
	s.until(t, "all agents have followed", func() bool { return len(s.ca(t).Pending) == 0 })
	s.ok(t, "ca", "retire")
	for _, a := range agents {
		_ = a.Process.Signal(syscall.SIGHUP)
	}
	s.until(t, "the old authority is gone from the second machine", func() bool {
		b, err := os.ReadFile(s.path("second", "data", "tls", "ca.pem"))
		return err == nil && bytes.Count(b, []byte("BEGIN")) == 1
	})
	stop()
	work.Wait()
	if failed.Load() > 0 || asked.Load() < 2 {
		t.Errorf("%d of %d requests failed while the authority changed", failed.Load(), asked.Load())
	}
	if ca := s.ca(t); len(ca.Authorities) != 1 || ca.Authorities[0].ID == before {
		t.Errorf("authorities: %+v", ca.Authorities)
	}
}

// secrets looks for keys and tokens in what the agents logged and answer.
func (s *site) secrets(t *testing.T, token string) {
	t.Helper()
	planted := map[string]string{"join token": token[len(token)-43:]}
	for _, path := range []string{"first/data/tls/ca-key.pem", "first/data/tls/agent.pem", "second/data/tls/agent.pem", "first/etc/cli.pem"} {
		b, err := os.ReadFile(s.path(path))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "BEGIN PRIVATE KEY-----\n")
		planted[path] = rest[64:100] // behind what all keys begin with
	}
	b, err := os.ReadFile(s.path("first/etc/secrets.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "encrypt = \"")
	planted["gossip key"] = rest[:40]
	texts := map[string]string{}
	for i, l := range s.logs {
		texts[fmt.Sprint("log ", i)] = l.String()
	}
	for _, path := range []string{"/v1/agent/self", "/v1/operator/ca", "/v1/agent/members", "/v1/nodes", "/v1/metrics"} {
		texts[path] = s.ok(t, "operator", "api", path)
	}
	for where, text := range texts {
		for what, secret := range planted {
			if strings.Contains(text, secret) || strings.Contains(text, "PRIVATE KEY") {
				t.Errorf("%s shows the %s", where, what)
			}
		}
	}
}

// TestJoinAfterANewGossipKey: a server that joins is told the key that gossip is
// written with now, not the one of the first configuration.
func TestJoinAfterANewGossipKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok(t, append([]string{"init"}, s.machine(1, "first")...)...)
	secret, err := os.ReadFile(s.path("first", "etc", "management.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"SERAI_ADDR=https://" + s.net + "1:4646", "SERAI_CACERT=" + s.path("first", "data", "tls", "ca.pem"),
		"SERAI_CLIENT_CERT=" + s.path("first", "etc", "cli.pem"), "SERAI_CLIENT_KEY=" + s.path("first", "etc", "cli.pem"),
		"SERAI_TOKEN=" + strings.TrimSpace(string(secret))}
	s.run(t, "first")
	var ring struct{ PrimaryKeys map[string]int }
	if err := json.Unmarshal([]byte(s.ok(t, "operator", "api", "/v1/agent/keyring/list")), &ring); err != nil || len(ring.PrimaryKeys) != 1 {
		t.Fatalf("the keys of a new cluster: %+v, %v", ring, err)
	}
	fresh := strings.TrimSpace(s.ok(t, "operator", "gossip", "keyring", "generate"))
	s.ok(t, "operator", "gossip", "keyring", "install", fresh)
	s.ok(t, "operator", "gossip", "keyring", "use", fresh)
	for old := range ring.PrimaryKeys {
		s.ok(t, "operator", "gossip", "keyring", "remove", old)
	}
	s.ok(t, append(append([]string{"join"}, s.machine(2, "second")...), s.net+"1:4647", s.token(t, "-server"))...)
	s.run(t, "second")
	s.until(t, "the second server is a member", func() bool {
		out, code := s.serai(t, "server", "members")
		return code == 0 && strings.Count(out, "alive") == 2
	})
}

// TestALostClusterComesBack: all servers are gone, and a new one is made from a
// snapshot and the old authority. The client comes back as it is, and machines
// can join. Without the key of that authority, they can as well.
func TestALostClusterComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cli := func(n int, name string) {
		secret, err := os.ReadFile(s.path("first", "etc", "management.token")) // the snapshot's tokens hold later, too
		if err != nil {
			t.Fatal(err)
		}
		s.env = []string{fmt.Sprintf("SERAI_ADDR=https://%s%d:4646", s.net, n), "SERAI_CACERT=" + s.path(name, "data", "tls", "ca.pem"),
			"SERAI_CLIENT_CERT=" + s.path(name, "etc", "cli.pem"), "SERAI_CLIENT_KEY=" + s.path(name, "etc", "cli.pem"), "SERAI_TOKEN=" + strings.TrimSpace(string(secret))}
	}
	s.ok(t, append([]string{"init"}, s.machine(1, "first")...)...)
	first := s.run(t, "first")
	cli(1, "first")
	s.ok(t, append(append([]string{"join"}, s.machine(2, "node")...), s.net+"1:4647", s.token(t))...)
	node := s.run(t, "node")
	ready := func() bool {
		out, code := s.serai(t, "node", "status")
		return code == 0 && strings.Contains(out, "ready")
	}
	s.until(t, "the node is there", ready)
	snapshot := s.path("cluster.snap")
	s.ok(t, "operator", "snapshot", "save", snapshot)
	for _, c := range []*exec.Cmd{node, first} {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	}

	restore := func(n int, name string, more ...string) {
		s.ok(t, append(append([]string{"init"}, s.machine(n, name)...), more...)...)
		s.run(t, name)
		cli(n, name)
		fresh, err := os.ReadFile(s.path(name, "etc", "management.token"))
		if err != nil {
			t.Fatal(err)
		}
		s.ok(t, "operator", "snapshot", "restore", "-token", strings.TrimSpace(string(fresh)), snapshot)
		s.token(t, "-server")
	}
	restore(3, "bare")
	if ca := s.ca(t); len(ca.Authorities) != 1 || len(ca.Certificates) == 0 {
		t.Errorf("without the old key: %+v", ca.Authorities)
	}
	restore(4, "heir", "-ca", s.path("first", "data", "tls", "ca.pem"), "-ca-key", s.path("first", "data", "tls", "ca-key.pem"))
	config := s.path("node", "etc", "serai.hcl")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.ReplaceAll(text, []byte(s.net+"1:4647"), []byte(s.net+"4:4647")), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, "node")
	s.until(t, "the node registers with the new server", func() bool { return strings.Contains(s.logs[len(s.logs)-1].String(), "node registered") && ready() })
}
