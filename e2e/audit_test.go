package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// audited is what a test needs of a line of the audit log.
type audited struct {
	Payload struct {
		Stage string
		Auth  struct {
			AccessorID string `json:"accessor_id"`
			Name       string
			Error      string
		}
		Request struct {
			Operation, Endpoint string
		}
		Response struct {
			StatusCode int `json:"status_code"`
		}
	}
}

func auditLog(t *testing.T, path string) (all []audited, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var a audited
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, a)
	}
	return all, string(b)
}

// TestAuditLog has an agent write down what it is asked, over its port, on the
// socket of a task and in a session.
func TestAuditLog(t *testing.T) {
	needRoot(t)
	t.Parallel()
	a := identify(t, rig.Options{Config: "audit {\n  enabled = true\n  filter \"health\" {\n    type = \"HTTPEvent\"\n    endpoints = [\"/v1/agent/health\", \"/v1/nodes\"]\n  }\n}"})
	path := filepath.Join(a.DataDir(), "audit", "audit.log")
	id := a.jobID(t)
	a.ok(t, "job", "run", "-detach", file(t, "job.hcl", fmt.Sprintf(identityJob, id)))
	s := a.waitOne(t, id, "running")
	const wrong = "6f8b4d02-9a61-4c08-b4cf-0a8f6cc01d3e"
	if status, _ := a.as(t, wrong, "/v1/job/"+id); status != http.StatusForbidden {
		t.Errorf("a wrong token: %d", status)
	}
	if got := a.call(t, s.ID, "$NOMAD_TOKEN", "/v1/acl/policy/self"); !strings.Contains(got, "[200]") {
		t.Errorf("on the socket: %s", got)
	}
	if status, _ := a.as(t, a.Token(), "/v1/acl/token/"+a.Token()); status == http.StatusOK {
		t.Error("a secret is no accessor")
	}
	all, text := auditLog(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	for _, secret := range []string{a.Token(), wrong, "eyJ"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the audit log", secret)
		}
	}
	has := func(what string, is func(audited) bool) {
		t.Helper()
		for _, x := range all {
			if is(x) {
				return
			}
		}
		t.Errorf("%s is not in the audit log:\n%s", what, text)
	}
	has("the job's registration", func(x audited) bool {
		return x.Payload.Request.Operation == "PUT" && x.Payload.Request.Endpoint == "/v1/jobs" && x.Payload.Stage == "OperationReceived" && x.Payload.Auth.Name != ""
	})
	has("its end", func(x audited) bool {
		return x.Payload.Request.Endpoint == "/v1/jobs" && x.Payload.Stage == "OperationComplete" && x.Payload.Response.StatusCode == 200
	})
	has("the wrong token", func(x audited) bool {
		return x.Payload.Request.Endpoint == "/v1/job/"+id && x.Payload.Auth.Error != "" && x.Payload.Response.StatusCode == 403
	})
	has("the task", func(x audited) bool {
		return x.Payload.Request.Endpoint == "/v1/acl/policy/self" && x.Payload.Response.StatusCode == 200
	})
	has("the session", func(x audited) bool {
		return strings.HasSuffix(x.Payload.Request.Endpoint, "/exec") && x.Payload.Response.StatusCode == http.StatusSwitchingProtocols && x.Payload.Auth.Name != ""
	})
	if strings.Contains(text, "/v1/agent/health") {
		t.Error("the filter keeps nothing out")
	}
}

// TestAuditLogIsFull fills the disk of the log: nothing is done that cannot be
// written down, and all goes on when there is room.
func TestAuditLogIsFull(t *testing.T) {
	needRoot(t)
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	a := identify(t, rig.Options{NoClient: true, Config: fmt.Sprintf("audit {\n  enabled = true\n  sink \"file\" {\n    path = %q\n  }\n}", dir+"/audit.log")})
	t.Cleanup(func() { // before the agent's own clean-up, which is registered later and runs first
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	namespace := func(name string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.Address+"/v1/namespace/"+name, strings.NewReader(fmt.Sprintf(`{"Name":%q}`, name)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Nomad-Token", a.Token())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := namespace("before"); status != http.StatusOK {
		t.Fatalf("with room: %d", status)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	refused := 0
	for i := range 100 { // the last block of the log may have room for some
		if namespace(fmt.Sprintf("full-%d", i)) == http.StatusServiceUnavailable {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("with a full disk %d of 100 are refused", refused)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); namespace("after") != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatal("it does not go on when there is room")
		}
	}
	_, list := a.as(t, a.Token(), "/v1/namespaces")
	all, _ := os.ReadFile(dir + "/audit.log")
	for i := range 100 {
		name := fmt.Sprintf("full-%d", i)
		if strings.Contains(list, fmt.Sprintf(`"Name":%q`, name)) && !strings.Contains(string(all), "/v1/namespace/"+name+`"`) {
			t.Errorf("%s was made and is not in the log", name)
		}
	}
}
