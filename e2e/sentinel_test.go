package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// sentinels are secrets that were planted, by what they are. Those of jobs may be
// seen by who may read the job, and by nobody else and nowhere else.
type sentinels struct {
	cluster, job map[string]string
	found        int
}

// planted makes a secret that is found again wherever it comes out.
func planted(n int) string { return fmt.Sprintf("S3nt1nel-%02d-Qm7", n) }

// look finds secrets in a text.
func (p *sentinels) look(t *testing.T, where, text string, withJobs bool) {
	t.Helper()
	p.found++
	for what, secret := range p.cluster {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the %s: %s", where, what, around(text, secret))
		}
	}
	for what, secret := range p.job {
		if withJobs && strings.Contains(text, secret) {
			t.Errorf("%s shows the job's %s: %s", where, what, around(text, secret))
		}
	}
	if strings.Contains(text, "PRIVATE KEY") || regexp.MustCompile(`eyJ[\w-]{8,}\.eyJ`).MatchString(text) {
		t.Errorf("%s shows a key or a signed token", where)
	}
}

// around is the line in which a secret stands, without it.
func around(text, secret string) string {
	i := strings.Index(text, secret)
	from, to := strings.LastIndexByte(text[:i], '\n')+1, i+len(secret)
	if end := strings.IndexByte(text[to:], '\n'); end >= 0 {
		return text[max(from, i-300):i] + "…" + text[to:to+min(end, 200)]
	}
	return text[max(from, i-300):i] + "…"
}

const secretJob = `job "secretive" {
  type = "batch"
  meta {
    plain = "to be read"
  }
  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "env" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
      env {
        PASSWORD = "%[1]s"
      }
      template {
        data        = "KEY=%[2]s"
        destination = "secrets/key.env"
        env         = true
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
  group "artifact" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "fetch" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
      artifact {
        source      = "http://user:%[3]s@127.0.0.1:9/x?token=%[4]s"
        destination = "local/x"
      }
      artifact {
        source = "s3::http://127.0.0.1:9/b/k"
        options {
          aws_access_key_id     = "id"
          aws_access_key_secret = "%[5]s"
        }
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
  group "image" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "pull" {
      driver = "container"
      config {
        image = "127.0.0.1:9/private:1"
        auth {
          username = "user"
          password = "%[6]s"
        }
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
`

// TestNothingShows plants secrets in every place that takes one, has a cluster
// work with them, and looks at all that comes out of it.
func TestNothingShows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	etc, data := s.path("first", "etc"), s.path("first", "data")
	s.env = []string{"SERAI_ADDR=https://" + s.net + "1:4646", "SERAI_CACERT=" + filepath.Join(data, "tls", "ca.pem"),
		"SERAI_CLIENT_CERT=" + filepath.Join(etc, "cli.pem"), "SERAI_CLIENT_KEY=" + filepath.Join(etc, "cli.pem")}
	join := tokenIn(t, s.ok(t, append([]string{"init"}, s.machine(1, "first")...)...))
	p := &sentinels{cluster: map[string]string{}, job: map[string]string{}}
	p.cluster["join token"] = join[len(join)-43:]
	p.cluster["secret for traces"] = planted(1)
	s.write(t, filepath.Join(etc, "more.hcl"), 0o600, fmt.Sprintf(`log_level = "TRACE"
enable_debug = true
telemetry {
  prometheus_metrics         = true
  publish_allocation_metrics = true
  publish_node_metrics       = true
  otlp_endpoint              = "http://127.0.0.1:9"
  otlp_headers               = { authorization = "Bearer %s" }
}
`, planted(1)))
	first := s.run(t, "first")
	management, err := os.ReadFile(filepath.Join(etc, "management.token"))
	if err != nil {
		t.Fatal(err)
	}
	boss := strings.TrimSpace(string(management))
	s.env = append(s.env, "SERAI_TOKEN="+boss)
	s.ok(t, append(append([]string{"join"}, s.machine(2, "second")...), s.net+"1:4647", join)...)
	s.write(t, s.path("second", "etc", "more.hcl"), 0o644, "log_level = \"TRACE\"\nplugin \"raw_exec\" {\n  config {\n    enabled = true\n  }\n}\n")
	second := s.run(t, "second")
	p.keys(t, s, boss)
	p.tokens(t, s)
	p.jobs(t, s)

	p.routes(t, s, boss)
	p.commands(t, s)
	p.mistakes(t, s, boss)
	p.processes(t)
	p.files(t, s)
	for _, agent := range []*exec.Cmd{first, second} { // what a crash would leave behind
		_ = agent.Process.Signal(syscall.SIGQUIT)
		_ = agent.Wait()
	}
	for i, l := range s.logs {
		text := l.String()
		if !strings.Contains(text, "[DEBUG]") || !strings.Contains(text, "goroutine ") {
			t.Errorf("the log of agent %d is not what it should be", i)
		}
		p.look(t, fmt.Sprintf("the log of agent %d", i), text, true)
	}
	t.Logf("%d secrets were looked for in %d places", len(p.cluster)+len(p.job), p.found)
	if p.found < 100 {
		t.Error("these are too few places")
	}
}

func (s *site) write(t *testing.T, path string, mode fs.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// keys are the secrets that init and join have made.
func (p *sentinels) keys(t *testing.T, s *site, boss string) {
	t.Helper()
	p.cluster["management token"] = boss
	for _, path := range []string{"first/data/tls/ca-key.pem", "first/data/tls/agent.pem", "second/data/tls/agent.pem", "first/etc/cli.pem"} {
		b, err := os.ReadFile(s.path(path))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "BEGIN PRIVATE KEY-----\n")
		p.cluster["key in "+path] = rest[64:100] // behind what all keys begin with
	}
	b, err := os.ReadFile(s.path("first/etc/secrets.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "encrypt = \"")
	p.cluster["gossip key"] = rest[:40]
	secret, err := filepath.Glob(s.path("second", "data", "client*", "secret-id"))
	if err != nil || len(secret) != 1 {
		t.Fatalf("the node's secret: %v %v", secret, err)
	}
	if b, err = os.ReadFile(secret[0]); err != nil {
		t.Fatal(err)
	}
	p.cluster["node's secret"] = strings.TrimSpace(string(b))
}

// tokens are made through the API.
func (p *sentinels) tokens(t *testing.T, s *site) {
	t.Helper()
	rules := s.path("reader.hcl")
	s.write(t, rules, 0o644, "namespace \"*\" {\n  policy = \"read\"\n}\n")
	s.ok(t, "acl", "policy", "apply", "reader", rules)
	s.ok(t, "acl", "role", "create", "-name", "readers", "-policy", "reader")
	for what, args := range map[string][]string{
		"client token": {"-type", "client", "-policy", "reader"}, "token of a role": {"-type", "client", "-role-name", "readers"},
		"token with an end": {"-type", "client", "-policy", "reader", "-ttl", "1h"}, "second management token": {"-type", "management"},
	} {
		var made struct{ SecretID string }
		if err := json.Unmarshal([]byte(s.ok(t, append([]string{"acl", "token", "create", "-json", "-name", what}, args...)...)), &made); err != nil || made.SecretID == "" {
			t.Fatal(made, err)
		}
		p.cluster[what] = made.SecretID
	}
	var once struct {
		OneTimeToken struct{ OneTimeSecretID string }
	}
	if err := json.Unmarshal([]byte(s.ok(t, "operator", "api", "-X", "PUT", "/v1/acl/token/onetime")), &once); err != nil || once.OneTimeToken.OneTimeSecretID == "" {
		t.Fatal(once, err)
	}
	p.cluster["one-time token"] = once.OneTimeToken.OneTimeSecretID
	later := s.token(t)
	p.cluster["later join token"] = later[len(later)-43:]
}

// jobs run with secrets in them, most of which come to nothing.
func (p *sentinels) jobs(t *testing.T, s *site) {
	t.Helper()
	var all []any
	for i, what := range []string{"environment", "template", "password of an artifact", "query of an artifact", "key of an artifact", "password of an image"} {
		p.job[what] = planted(10 + i)
		all = append(all, p.job[what])
	}
	job := s.path("secretive.hcl")
	s.write(t, job, 0o600, fmt.Sprintf(secretJob, all...))
	p.look(t, "job run", s.ok(t, "job", "run", "-detach", job), true)
	s.until(t, "the end of the allocations", func() bool {
		var allocs []struct{ ClientStatus string }
		if err := json.Unmarshal([]byte(s.ok(t, "job", "allocs", "-json", "secretive")), &allocs); err != nil {
			t.Fatal(err)
		}
		return len(allocs) == 3 && !slices.ContainsFunc(allocs, func(a struct{ ClientStatus string }) bool {
			return a.ClientStatus == "pending" || a.ClientStatus == "running"
		})
	})
}

// showJobs are the operations that show a job to who may read it, and the ones
// that show a token to whom it belongs.
var showJobs = []*api.Endpoint{
	api.NodeAllocations.Endpoint, api.JobRead.Endpoint, api.JobVersions.Endpoint, api.JobSubmissionOf.Endpoint, api.AllocationRead.Endpoint, api.EventStream.Endpoint,
}

// routes asks for all that can be read, with every right, on both agents.
func (p *sentinels) routes(t *testing.T, s *site, boss string) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(s.path("first/etc/cli.pem"), s.path("first/etc/cli.pem"))
	if err != nil {
		t.Fatal(err)
	}
	people := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true}}}
	defer people.CloseIdleConnections()
	get := func(at, path string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stream := strings.Contains(path, "stream") || strings.Contains(path, "monitor")
		if stream {
			ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.net+at+":4646"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Nomad-Token", boss)
		resp, err := people.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil && !stream {
			t.Fatalf("%s: %v", path, err)
		}
		return resp.StatusCode, string(body) + fmt.Sprint(resp.Header)
	}
	values := p.ids(t, s)
	answered := 0
	for _, op := range api.Endpoints {
		if op.Method != http.MethodGet || op == api.ACLTokenSelf.Endpoint || op == api.AgentKeyringList.Endpoint || op == api.SnapshotSave.Endpoint || strings.HasSuffix(op.Path, "/exec") || strings.HasSuffix(op.Path, "/action") {
			continue
		}
		path := op.Path
		for kind, value := range values {
			if strings.HasPrefix(path, kind) {
				path = strings.NewReplacer("{id}", value, "{name}", value).Replace(path)
			}
		}
		for _, at := range []string{"1", "2"} {
			if op == api.ACLTokenRead.Endpoint {
				continue // a management token may see the others' secrets
			}
			status, body := get(at, path+"?namespace=*&pretty&index=0&topic=*&log_level=trace&plain=true&path=/&task=env&type=stderr&resources=true&task_states=true&meta=true&version=0")
			if status == http.StatusOK {
				answered++
			}
			p.look(t, fmt.Sprintf("%s of agent %s (%d)", path, at, status), body, !slices.Contains(showJobs, op))
		}
	}
	for _, path := range []string{"/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/v1/agent/pprof/heap?debug=1", "/v1/metrics?format=prometheus", "/v1/openapi.json", "/ui/", "/v1/jobs?filter=SecretID+==+1", "/v1/nonsense"} {
		_, body := get("1", path)
		p.look(t, path, body, true)
	}
	if answered < 80 {
		t.Errorf("only %d reads were answered", answered)
	}
}

// ids are what stands in the paths of reads, by how these begin.
func (p *sentinels) ids(t *testing.T, s *site) map[string]string {
	t.Helper()
	first := func(path string) string {
		var list []struct{ ID, AccessorID string }
		if err := json.Unmarshal([]byte(s.ok(t, "operator", "api", path)), &list); err != nil || len(list) == 0 {
			t.Fatalf("%s: %v %v", path, list, err)
		}
		return list[0].ID + list[0].AccessorID
	}
	alloc := first("/v1/allocations")
	return map[string]string{
		"/v1/job/": "secretive", "/v1/allocation/": alloc, "/v1/client/": alloc, "/v1/evaluation/": first("/v1/evaluations"), "/v1/node/{id}": first("/v1/nodes"),
		"/v1/node/pool/": "default", "/v1/namespace/": "default", "/v1/acl/policy/": "reader", "/v1/acl/role/name/": "readers", "/v1/acl/role/{id}": first("/v1/acl/roles"),
		"/v1/deployment/": alloc, "/v1/scaling/policy/": alloc,
	}
}

// commands are what people run, and look at over each other's shoulders.
func (p *sentinels) commands(t *testing.T, s *site) {
	t.Helper()
	snapshot := s.path("saved.snap")
	s.ok(t, "operator", "snapshot", "save", snapshot)
	if info, err := os.Stat(snapshot); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a saved snapshot: %v %v", info, err)
	}
	config := s.path("first", "etc")
	for _, args := range [][]string{
		{"operator", "snapshot", "inspect", snapshot}, {"operator", "snapshot", "inspect", "-json", snapshot},
		{"doctor", "-config", config}, {"doctor", "-json", "-config", config}, {"config", "validate", config},
		{"acl", "token", "list"}, {"acl", "token", "list", "-json"}, {"acl", "policy", "info", "reader"}, {"acl", "role", "list", "-json"},
		{"node", "status", "-verbose"}, {"node", "status", "-json"}, {"node", "status", "-self", "-verbose"}, {"server", "members", "-detailed"}, {"agent-info"},
		{"ca", "info", "-json"}, {"operator", "raft", "list-peers"}, {"operator", "autopilot", "health"},
		{"job", "status", "secretive"}, {"job", "status", "-evals", "-all-allocs", "secretive"}, {"status"},
	} {
		out, _ := s.serai(t, args...)
		p.look(t, "serai "+strings.Join(args, " "), out, true)
	}
}

// mistakes are what is said about wrong input that holds a secret.
func (p *sentinels) mistakes(t *testing.T, s *site, boss string) {
	t.Helper()
	bad := s.path("bad.hcl")
	s.write(t, bad, 0o600, strings.Replace(fmt.Sprintf(secretJob, planted(10), planted(11), planted(12), planted(13), planted(14), planted(15)), "username", "usernaem", 1))
	for _, args := range [][]string{
		{"job", "run", "-detach", bad}, {"job", "status", "-token", boss + "x"}, {"acl", "token", "info", boss}, {"acl", "token", "delete", boss},
		{"acl", "bootstrap"}, {"job", "status", "-address", "https://user:" + planted(10) + "@" + s.net + "9:4646"},
	} {
		out, code := s.serai(t, args...)
		if code == 0 && args[0] != "operator" && args[1] != "run" {
			t.Errorf("%v is no mistake: %s", args[:2], out)
		}
		if args[len(args)-1] == boss { // who typed it has seen it
			continue
		}
		p.look(t, "the refusal of "+strings.Join(args[:2], " "), strings.ReplaceAll(out, boss+"x", ""), true)
	}
}

// processes must not have secrets among their arguments.
func (p *sentinels) processes(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && len(args) > 0 && strings.Contains(string(args), "serai") {
			p.look(t, "the arguments of process "+e.Name(), strings.ReplaceAll(string(args), "\x00", " "), true)
		}
	}
}

// files that others than their owner can read must not hold any secret.
func (p *sentinels) files(t *testing.T, s *site) {
	t.Helper()
	read := 0
	for _, name := range []string{"first", "second"} {
		err := filepath.WalkDir(s.path(name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // it is gone
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			if info.Mode().Perm()&0o077 == 0 || !info.Mode().IsRegular() || info.Size() > 64<<20 || private(path, s.path(name)) {
				return nil
			}
			b, err := os.ReadFile(path)
			if err == nil {
				read++
				p.look(t, path, string(b), true)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"first/data/server", "second/data/client", "first/data/tls", "second/data/tls"} {
		if info, err := os.Stat(s.path(dir)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v, and it is nobody else's", dir, info, err)
		}
	}
	t.Logf("%d files that others may read", read)
}

// private says that a directory above a file keeps others out.
func private(path, root string) bool {
	for dir := filepath.Dir(path); len(dir) > len(root); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o001 == 0 {
			return true
		}
	}
	return false
}
