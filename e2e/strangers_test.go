package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// TestServersThatDoNotBelong starts servers that want to join a cluster which is
// not theirs. Each says why it cannot, and the cluster goes on as it was.
func TestServersThatDoNotBelong(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	server := func(expect int, key, more string) string {
		return fmt.Sprintf("server {\n  bootstrap_expect = %d\n  encrypt = %q\n}\n%s", expect, key, more)
	}
	home := start(t, rig.Options{NoClient: true, Config: server(1, key, "")})
	home.ok(t, "namespace", "apply", "home")
	join := fmt.Sprintf("server {\n  server_join {\n    retry_join = [\"127.0.0.1:%d\"]\n    retry_interval = \"1s\"\n  }\n}\n", home.Ports.Serf)
	for what, c := range map[string]struct{ config, says string }{
		"another gossip key":   {server(3, newKey(t), join), "all servers need the same server { encrypt }"},
		"no gossip key":        {"server {\n  bootstrap_expect = 3\n}\n" + join, "the cluster's key"},
		"a cluster of its own": {server(1, key, ""), "another cluster"},
		"a name that is taken": {server(3, key, join+fmt.Sprintf("name = %q\n", home.Mark)), "give each agent a name of its own"},
	} {
		t.Run(what, func(t *testing.T) {
			b := prepare(t, rig.Options{NoClient: true, Config: c.config})
			if !strings.Contains(c.config, "retry_join") { // it becomes one first
				b.launch(t)
				b.ok(t, "namespace", "apply", "own")
				if _, err := b.Stop(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				extra := filepath.Join(t.TempDir(), "join.hcl")
				if err := os.WriteFile(extra, []byte(join), 0o600); err != nil {
					t.Fatal(err)
				}
				b.Swap(binary, "-config", extra)
			}
			if err := b.Launch(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it says why it is refused", func() (bool, string) { return strings.Contains(b.Log(), c.says), b.Log() })
			if !strings.Contains(c.config, "retry_join") {
				if out := b.ok(t, "namespace", "list"); !strings.Contains(out, "own") || strings.Contains(out, "home") {
					t.Errorf("what the other cluster has: %s", out)
				}
			}
			if _, err := b.Stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
	if got := members(t, home); len(got) != 1 || got[nameOf(home)] != api.ServerAlive {
		t.Errorf("members of the cluster: %v", got)
	}
	if got := inRaft(t, home); len(got) != 1 {
		t.Errorf("servers in Raft: %v", got)
	}
	if out := home.ok(t, "namespace", "list"); !strings.Contains(out, "home") {
		t.Errorf("after the strangers: %s", out)
	}
}

// TestLargePoliciesAndOddTokens: what is too large or malformed is refused by who
// is asked, changes nothing, and the server goes on.
func TestLargePoliciesAndOddTokens(t *testing.T) {
	t.Parallel()
	const secret = "3f8a6c1e-5d2b-4e7f-9a10-2b3c4d5e6f70"
	a := start(t, rig.Options{NoClient: true, Config: "acl {\n  enabled = true\n}\n"})
	if r := a.do(t, http.MethodPut, "/v1/acl/bootstrap", map[string]string{"BootstrapSecret": secret}); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	ask := func(token, method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, a.Address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["X-Nomad-Token"] = []string{token}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b := make([]byte, 4096)
		n, _ := resp.Body.Read(b)
		return resp.StatusCode, string(b[:n])
	}

	rule := "namespace \"n%07d\" {\n  policy = \"read\"\n}\n"
	var big strings.Builder
	for i := 0; big.Len() < 10<<20; i++ {
		fmt.Fprintf(&big, rule, i)
	}
	file := filepath.Join(t.TempDir(), "big.hcl")
	if err := os.WriteFile(file, []byte(big.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := a.cli(t, "acl", "policy", "apply", "-token", secret, "big", file); r.code != 1 || !strings.Contains(r.stderr, "policy "+file+": more than") {
		t.Errorf("a policy of 10 MB: %.500v", r)
	}
	if status, text := ask(secret, http.MethodGet, "/v1/acl/policy/big", ""); status != http.StatusNotFound {
		t.Errorf("the policy of 10 MB is there: %d %.200s", status, text)
	}
	for what, rules := range map[string]string{
		"no HCL": "}{", "an unknown block": "moon \"x\" { policy = \"read\" }", "an unknown policy": "namespace \"x\" { policy = \"all\" }",
		"an unknown capability": "namespace \"x\" { capabilities = [\"fly\"] }", "a function": "namespace \"x\" { policy = file(\"/etc/passwd\") }",
	} {
		if status, text := ask(secret, http.MethodPut, "/v1/acl/policy/odd", fmt.Sprintf(`{"Name":"odd","Rules":%q}`, rules)); status != http.StatusBadRequest {
			t.Errorf("a policy with %s: %d %.300s", what, status, text)
		}
	}

	if r := a.cli(t, "acl", "token", "create", "-token", secret, "-policy", "absent"); r.code != 0 || !strings.Contains(r.stderr, `there is no policy "absent"`) {
		t.Errorf("a token with a policy that is not there: %v", r)
	}

	unsigned := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."
	for what, token := range map[string]string{
		"short": "x", "spaces": "   ", "unknown": "00000000-0000-0000-0000-000000000000", "upper case": strings.ToUpper(secret), "cut": secret[:35],
		"longer": secret + "0", "braces": "{" + secret + "}", "unsigned": unsigned, "bearer": "Bearer " + unsigned, "dots": strings.Repeat(".", 1000),
		"large": strings.Repeat("a", 60_000), "not UTF-8": "\xff\xfe\xfd", "null": "null", "a list": secret + "," + secret, "a path": "../../" + secret,
	} {
		status, text := ask(token, http.MethodGet, "/v1/acl/tokens", "")
		if status != http.StatusForbidden && status != http.StatusBadRequest && status != http.StatusTooManyRequests && status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a token that is %s: %d %.200s", what, status, text)
		}
		if strings.Contains(text, secret) {
			t.Errorf("the answer to a token that is %s shows a secret", what)
		}
	}
	if status, text := ask(secret, http.MethodGet, "/v1/acl/tokens", ""); status != http.StatusOK {
		t.Errorf("afterwards: %d %.200s", status, text)
	}
}
