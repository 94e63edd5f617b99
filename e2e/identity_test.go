package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	nomad "github.com/hashicorp/nomad/api"

	"github.com/seraihq/serai/e2e/rig"
)

// identified is an agent with access control.
type identified struct{ *agent }

func identify(t *testing.T, opts rig.Options) identified {
	t.Helper()
	opts.Token = "5a3e2b16-0e7d-4d4b-9a43-70b5ac2b1c11"
	return identified{start(t, opts)}
}

// as asks the agent with a secret, and gives the status and the body.
func (a identified) as(t *testing.T, secret, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Nomad-Token", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	_, _ = io.Copy(&body, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body.String()
}

// inTask runs a shell command in a task, as its user.
func (a identified) inTask(t *testing.T, alloc, command string) string {
	t.Helper()
	return a.ok(t, "alloc", "exec", "-task", "t", alloc, "/bin/sh", "-c", command)
}

// call asks the agent on the task's socket with a token.
func (a identified) call(t *testing.T, alloc, token, path string) string {
	t.Helper()
	return a.inTask(t, alloc, fmt.Sprintf(`curl -sS -w ' [%%{http_code}]' --unix-socket $NOMAD_SECRETS_DIR/api.sock -H "X-Nomad-Token: %s" http://task%s`, token, path))
}

const identityJob = `
job %q {
  group "g" {
    restart {
      attempts = 10
      delay    = "0s"
      interval = "1h"
    }
    task "t" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'echo renewed' USR1; echo up; while :; do sleep 0.1; done"]
      }
      identity {
        env  = true
        file = true
      }
      identity {
        name          = "vault"
        aud           = ["vault.example"]
        file          = true
        filepath      = "local/vault.jwt"
        ttl           = "3s"
        change_mode   = "signal"
        change_signal = "SIGUSR1"
      }
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}`

// TestTaskIdentities has a task call the agent on its socket with its own
// identity: it may do what policies of its job say, is refused everything else,
// and its token is good for nothing once it has ended.
func TestTaskIdentities(t *testing.T) {
	needRoot(t)
	t.Parallel()
	a := identify(t, rig.Options{Dev: true})
	id := a.jobID(t)
	a.ok(t, "job", "run", "-detach", file(t, "job.hcl", fmt.Sprintf(identityJob, id)))
	s := a.waitOne(t, id, "running")
	const own = "$NOMAD_TOKEN"
	answers := func(what, got, status, text string) {
		t.Helper()
		if !strings.HasSuffix(got, " ["+status+"]") || !strings.Contains(got, text) {
			t.Errorf("%s: %s", what, got)
		}
	}
	answers("without a token", a.call(t, s.ID, "", "/v1/agent/health"), "401", "Unauthorized")
	answers("a made-up token", a.call(t, s.ID, "eyJhbGciOiJub25lIn0.e30.", "/v1/agent/health"), "403", "not signed by this cluster")
	answers("a token of nobody", a.call(t, s.ID, "6f8b4d02-9a61-4c08-b4cf-0a8f6cc01d3e", "/v1/agent/health"), "403", "ACL token not found")
	answers("its own", a.call(t, s.ID, own, "/v1/agent/health"), "200", `"ok":true`)
	answers("no policy", a.call(t, s.ID, own, "/v1/job/"+id), "403", "needs `read-job`")
	answers("for others", a.call(t, s.ID, "$(cat $NOMAD_TASK_DIR/vault.jwt)", "/v1/agent/health"), "403", "audience")

	rules := file(t, "rules.hcl", `namespace "default" { capabilities = ["read-job"] }`)
	a.ok(t, "acl", "policy", "apply", "-job", id+"x", "longer", rules)
	a.ok(t, "acl", "policy", "apply", "-job", id, "-group", "other", "elsewhere", rules)
	answers("policies of others", a.call(t, s.ID, own, "/v1/job/"+id), "403", "needs `read-job`")
	a.ok(t, "acl", "policy", "apply", "-job", id, "-group", "g", "-task", "t", "own", rules)
	answers("a policy of its own", a.call(t, s.ID, own, "/v1/job/"+id), "200", id)
	answers("beyond the policy", a.call(t, s.ID, own, "/v1/nodes"), "403", "needs `node:read`")
	answers("management", a.call(t, s.ID, own, "/v1/acl/tokens"), "403", "management")
	answers("its token of access control", a.call(t, s.ID, own, "/v1/acl/token/self"), "403", "identity of a task")
	answers("its policies", a.call(t, s.ID, own, "/v1/acl/policy/self"), "200", `"Name":"own"`)

	if out := a.inTask(t, s.ID, "cd $NOMAD_SECRETS_DIR && stat -c '%a %U' nomad_token && echo $NOMAD_UNIX_ADDR && test $(cat nomad_token) = $NOMAD_TOKEN && echo same"); !strings.HasPrefix(out, "600 ") || !strings.Contains(out, "unix:///secrets/api.sock") || !strings.Contains(out, "same") {
		t.Errorf("the task's files and variables: %s", out)
	}
	a.renewed(t, s)
	a.ended(t, id, s)
}

// renewed waits until the identity that expires was renewed, and the task told.
func (a identified) renewed(t *testing.T, s *nomad.AllocationListStub) {
	t.Helper()
	first := a.inTask(t, s.ID, "cat /local/vault.jwt")
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if now := a.inTask(t, s.ID, "cat /local/vault.jwt"); now != first && strings.Contains(a.logs(t, s.ID, "t", "stdout"), "renewed") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the identity was not renewed, or the task not told")
		}
	}
	if out := a.ok(t, "alloc", "status", "-json", s.ID); strings.Contains(out, "eyJ") {
		t.Error("a token is in what is told of the allocation")
	}
}

// ended stops the job and asks with the token that its task had.
func (a identified) ended(t *testing.T, id string, s *nomad.AllocationListStub) {
	t.Helper()
	token := strings.TrimSpace(a.inTask(t, s.ID, "cat /secrets/nomad_token"))
	if status, body := a.as(t, token, "/v1/job/"+id); status != http.StatusOK {
		t.Errorf("while it runs: %d %s", status, body)
	}
	a.ok(t, "job", "stop", "-detach", id)
	a.waitOne(t, id, "complete")
	if status, body := a.as(t, token, "/v1/job/"+id); status != http.StatusForbidden || !strings.Contains(body, "has ended") {
		t.Errorf("after its end: %d %s", status, body)
	}
}

// TestRootKeys rotates the keys that sign identities, by Nomad's client and by
// the command line. What the old key signed is good until that is removed.
func TestRootKeys(t *testing.T) {
	needRoot(t)
	t.Parallel()
	a := identify(t, rig.Options{})
	id := a.jobID(t)
	a.ok(t, "job", "run", "-detach", file(t, "job.hcl", fmt.Sprintf(identityJob, id)))
	s := a.waitOne(t, id, "running")
	token := strings.TrimSpace(a.inTask(t, s.ID, "cat /secrets/nomad_token"))
	first, _, err := a.nomad.Keyring().List(nil)
	if err != nil || len(first) != 1 || first[0].State != nomad.RootKeyStateActive {
		t.Fatalf("%+v %v", first, err)
	}
	if _, _, err := a.nomad.Keyring().Rotate(&nomad.KeyringRotateOptions{Full: true, Algorithm: nomad.EncryptionAlgorithmAES256GCM}, nil); err != nil {
		t.Fatal(err)
	}
	a.ok(t, "operator", "root", "keyring", "rotate", "-prepublish", "1h")
	if out := a.ok(t, "operator", "root", "keyring", "list"); strings.Count(out, " active ") != 1 || strings.Count(out, " inactive ") != 1 || strings.Count(out, " prepublished ") != 1 {
		t.Errorf("list: %s", out)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if r := a.do(t, http.MethodGet, "/.well-known/jwks.json", nil); json.Unmarshal(r.body, &set) != nil || len(set.Keys) != 3 {
		t.Errorf("key set: %d %s", r.status, r.body)
	}
	for _, k := range set.Keys {
		if k["d"] != "" || k["x"] == "" || k["kid"] == "" {
			t.Errorf("key %v", k)
		}
	}
	// The keys outlive the servers, and the token with them.
	if _, err := a.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	if status, body := a.as(t, token, "/v1/acl/policy/self"); status != http.StatusOK {
		t.Errorf("of the old key, after a restart: %d %s", status, body)
	}
	if out := a.cli(t, "operator", "root", "keyring", "remove", first[0].KeyID); out.code == 0 || !strings.Contains(out.stderr, s.ID) {
		t.Errorf("removal of a key that is needed: %v", out)
	}
	a.ok(t, "operator", "root", "keyring", "remove", "-force", first[0].KeyID)
	if status, body := a.as(t, token, "/v1/acl/policy/self"); status != http.StatusForbidden {
		t.Errorf("of a key that was removed: %d %s", status, body)
	}
	a.ok(t, "job", "stop", "-detach", "-purge", id)
}
