package pods

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

const patience = 30 * time.Second

// agent is an agent on the node of the tests.
type agent struct{ *rig.Agent }

const config = `
client {
  network_interface = "uplink"
  gc_interval = "1h"
  host_network "internal" {
    interface = "lo"
  }
}
`

func start(t *testing.T, env ...string) *agent {
	t.Helper()
	return startWith(t, "", env...)
}

// startWith starts an agent with further configuration.
func startWith(t *testing.T, more string, env ...string) *agent {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root: network namespaces")
	}
	r, err := rig.New(rig.Options{Binary: binary, Config: config + more, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := r.Log()
			t.Logf("the agent's log:\n%s", log[max(0, len(log)-8000):])
		}
		if err := r.Destroy(); err != nil {
			t.Error(err)
		}
		// What tests of bridges leave is removed with them; this is for the next one.
		for _, family := range []string{"inet", "bridge"} {
			_ = exec.Command("nft", "delete", "table", family, "serai-serai").Run()
		}
		_ = exec.Command("ip", "link", "del", "serai").Run()
	})
	a := &agent{r}
	a.launch(t)
	return a
}

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

// cli runs a command and gives what it prints, and whether it succeeded.
func (a *agent) cli(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = a.Environ()
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// run submits a job and waits for its allocation to have a status.
func (a *agent) run(t *testing.T, id, hcl, status string) *api.Allocation {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.hcl")
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := a.cli(t, "job", "run", "-detach", path); !ok {
		t.Fatalf("job run: %s", out)
	}
	return a.await(t, id, status)
}

func (a *agent) await(t *testing.T, id, status string) *api.Allocation {
	t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var list []*api.AllocationListStub
		if err := a.get("/v1/job/"+id+"/allocations", &list); err != nil {
			last = err.Error()
			continue
		}
		for _, s := range list {
			if last = s.ClientStatus + " " + s.ClientDescription; s.ClientStatus != status {
				continue
			}
			out := &api.Allocation{}
			if err := a.get("/v1/allocation/"+s.ID, out); err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Fatalf("job %s has no allocation that is %s; last: %s", id, status, last)
	return nil
}

func (a *agent) get(path string, into any) error {
	body, err := fetch(a.Address + path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(body), into)
}

// logs gives what a task wrote.
func (a *agent) logs(t *testing.T, alloc *api.Allocation, task string) string {
	t.Helper()
	out, _ := a.cli(t, "alloc", "logs", "-task", task, alloc.ID)
	return out
}

// stop ends a job and waits for its allocation's end.
func (a *agent) stop(t *testing.T, id string) {
	t.Helper()
	if out, ok := a.cli(t, "job", "stop", "-detach", id); !ok {
		t.Fatalf("job stop: %s", out)
	}
	a.await(t, id, api.AllocClientComplete)
}

func fetch(url string) (string, error) {
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

// serves waits until an address answers with a text.
func serves(t *testing.T, address, want string) {
	t.Helper()
	var got string
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, err = fetch("http://" + address + "/"); err == nil && strings.Contains(got, want) {
			return
		}
	}
	t.Errorf("%s: %q %v, want %q", address, got, err, want)
}

// host is where a labelled port of an allocation is reached.
func host(t *testing.T, a *api.Allocation, label string) string {
	t.Helper()
	for _, p := range a.AllocatedResources.Shared.Ports {
		if p.Label == label {
			return net.JoinHostPort(p.HostIP, fmt.Sprint(p.Value))
		}
	}
	t.Fatalf("no port %q", label)
	return ""
}

// leftovers lists what is there of pods: devices, namespaces, rules with ports.
func (a *agent) leftovers(t *testing.T) []string {
	t.Helper()
	var out []string
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Name, "serai-") {
			out = append(out, "device "+l.Name)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, a.Dir) && strings.Contains(line, "/netns/") {
			out = append(out, "mount "+strings.TrimSpace(line))
		}
	}
	files, _ := filepath.Glob(filepath.Join(a.DataDir(), "client", "netns", "*"))
	out = append(out, files...)
	rules, _ := exec.Command("nft", "list", "ruleset").Output()
	for _, what := range []string{"172.26.64.2", "172.26.64.3", "172.26.64.4"} {
		if strings.Contains(string(rules), what) {
			out = append(out, "rules with "+what)
		}
	}
	return out
}

// settled waits until nothing is left.
func (a *agent) settled(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = a.leftovers(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("after 10 seconds is left: %s", strings.Join(left, "; "))
}

func (a *agent) end(t *testing.T) {
	t.Helper()
	if code, err := a.Stop(syscall.SIGINT); err != nil || code != 0 {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
