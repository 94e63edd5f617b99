package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
)

func mustParse(t testing.TB, source string) *Policy {
	t.Helper()
	p, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compile(t testing.TB, sources ...string) *ACL {
	t.Helper()
	var all []*Policy
	for _, s := range sources {
		all = append(all, mustParse(t, s))
	}
	return Compile(all)
}

// TestLevels holds the capabilities that each level stands for.
func TestLevels(t *testing.T) {
	for level, granted := range map[string][]string{
		"read": {"list-jobs", "parse-job", "read-job", "csi-list-volume", "csi-read-volume", "read-job-scaling", "list-scaling-policies", "read-scaling-policy", "host-volume-read"},
		"write": {"list-jobs", "parse-job", "read-job", "csi-list-volume", "csi-read-volume", "read-job-scaling", "list-scaling-policies", "read-scaling-policy", "host-volume-read",
			"scale-job", "submit-job", "dispatch-job", "read-logs", "read-fs", "alloc-exec", "alloc-lifecycle", "csi-mount-volume", "csi-write-volume", "submit-recommendation", "host-volume-create"},
		"scale": {"list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job"},
		"deny":  {},
	} {
		a := compile(t, fmt.Sprintf("namespace %q { policy = %q }", "n", level))
		want := map[string]bool{}
		for _, c := range granted {
			want[c] = true
		}
		for _, c := range api.NamespaceCapabilityNames {
			if got := a.Namespace("n", c); got != want[c] {
				t.Errorf("policy %s: %s is %v", level, c, got)
			}
		}
		if a.Namespace("other", "read-job") {
			t.Errorf("policy %s reaches another namespace", level)
		}
	}
}

// TestMostSpecific holds which rule decides, over several policies.
func TestMostSpecific(t *testing.T) {
	a := compile(t,
		`namespace "*" { policy = "read" }
		 namespace "prod-*" { policy = "deny" }
		 namespace "prod-web" { capabilities = ["read-logs"] }`,
		`namespace "prod-api-*" { policy = "write" }
		 namespace "team-*" { policy = "write" }
		 namespace "*-secret" { policy = "deny" }`,
		`namespace "team-*" { policy = "deny" }`)
	for _, c := range []struct {
		namespace, capability string
		want                  bool
	}{
		{"default", "read-job", true},
		{"default", "submit-job", false},
		{"prod-db", "read-job", false},
		{"prod-web", "read-logs", true},
		{"prod-web", "read-job", false}, // the exact rule alone decides
		{"prod-api-1", "submit-job", true},
		{"prod-api-secret", "submit-job", true}, // more letters than *-secret
		{"x-secret", "read-job", false},
		{"team-a", "submit-job", false}, // deny wins among rules for the same name
	} {
		for range 2 { // the second time it is remembered
			if got := a.Namespace(c.namespace, c.capability); got != c.want {
				t.Errorf("%s in %s: %v", c.capability, c.namespace, got)
			}
		}
	}
	if a.EveryNamespace("read-job") {
		t.Error("a token that is denied a namespace reaches every one")
	}
	if !compile(t, `namespace "*" { policy = "read" }`).EveryNamespace("read-job") {
		t.Error("a token with namespace * does not reach every one")
	}
}

func TestOtherRules(t *testing.T) {
	a := compile(t, `
node { policy = "read" }
agent { policy = "write" }
operator {
  policy = "read"
  capabilities = ["snapshot-save"]
}
plugin { policy = "list" }
node_pool "gpu-*" { policy = "write" }
node_pool "gpu-old" { capabilities = ["read"] }
host_volume "data-*" { policy = "read" }
host_volume "data-w" { capabilities = ["mount-readwrite"] }
namespace "n" {
  variables {
    path "app/*" { capabilities = ["read"] }
    path "app/deny" { capabilities = ["deny"] }
    path "w" { capabilities = ["write", "destroy"] }
  }
}`)
	for what, ok := range map[string]bool{
		"node:read": a.Scope("node", "read"), "agent:write": a.Scope("agent", "write"), "agent:read": a.Scope("agent", "read"),
		"operator:read": a.Scope("operator", "read"), "snapshot-save": a.Scope("operator", "snapshot-save"), "plugin:list": a.Scope("plugin", "list"),
		"pool gpu-1": a.NodePool("gpu-1", "delete"), "pool gpu-old": a.NodePool("gpu-old", "read"),
		"volume ro": a.HostVolume("data-1", true), "volume rw": a.HostVolume("data-w", false),
		"variable": a.Variable("n", "app/x", "read"), "listed": a.Variable("n", "app/x", "list"), "written": a.Variable("n", "w", "write"),
		"any": a.AnyInNamespace("n"),
	} {
		if !ok {
			t.Errorf("%s is refused", what)
		}
	}
	for what, ok := range map[string]bool{
		"node:write": a.Scope("node", "write"), "operator:write": a.Scope("operator", "write"), "quota:read": a.Scope("quota", "read"),
		"plugin:read": a.Scope("plugin", "read"), "no such scope": a.Scope("nothing", "read"), "no such capability": a.Scope("node", "fly"),
		"pool gpu-old": a.NodePool("gpu-old", "write"), "pool cpu": a.NodePool("cpu", "read"),
		"volume rw": a.HostVolume("data-1", false), "other volume": a.HostVolume("x", true),
		"denied path": a.Variable("n", "app/deny", "read"), "written": a.Variable("n", "app/x", "write"), "jobs": a.Namespace("n", "read-job"),
	} {
		if ok {
			t.Errorf("%s is allowed", what)
		}
	}
}

// TestJSON holds that both forms mean the same.
func TestJSON(t *testing.T) {
	for _, source := range []string{
		`{"namespace": {"a": {"policy": "read"}, "b-*": {"capabilities": ["submit-job"]}}, "node": {"policy": "write"}}`,
		`{"namespace": [{"a": {"policy": "read"}}, {"b-*": [{"capabilities": ["submit-job"]}]}], "node": [{"policy": "write"}]}`,
	} {
		a := compile(t, source)
		if !a.Namespace("a", "read-job") || !a.Namespace("b-1", "submit-job") || a.Namespace("b-1", "read-job") || !a.Scope("node", "write") {
			t.Errorf("%s is read as something else", source)
		}
	}
}

// TestRefused holds what is wrong with policies, and where it says so.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.hcl")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source, want, ok := strings.Cut(string(text), "#-- ")
		if !ok {
			t.Fatalf("%s says not what is wrong", file)
		}
		_, err = Parse(source)
		if !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if want = strings.TrimSpace(want); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", file, err, want)
		}
	}
	if _, err := Parse(strings.Repeat("# long\n", 10<<20/7)); !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "at most 1048576 are allowed") {
		t.Errorf("10 MB of policy: %v", err)
	}
}

// FuzzParse looks for policies that break the parser, or grant what nobody has
// written.
func FuzzParse(f *testing.F) {
	f.Add(`namespace "a" { policy = "read" }`)
	f.Add(`{"namespace": {"*": {"capabilities": ["deny"]}}}`)
	f.Add(`namespace "n" { variables { path "*" { capabilities = ["read"] } } }`)
	f.Add(`operator { capabilities = ["snapshot-save"] }`)
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Parse(source)
		if err != nil {
			if !errors.Is(err, api.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		a := Compile([]*Policy{p})
		if a.Management() {
			t.Fatal("a policy makes a management token")
		}
		if !strings.Contains(source, "namespace") && a.AnyNamespace("read-job") {
			t.Fatal("a namespace that the policy does not name")
		}
	})
}
