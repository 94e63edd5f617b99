package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
)

// output collects what an agent writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var addressOf = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// run runs an agent until the test ends and gives the address of its API.
func run(t *testing.T, cfg *config.Agent, reload func() (*config.Agent, error)) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{more: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, Options{Stdout: out, Stderr: io.Discard, Reload: reload}) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	deadline := time.After(20 * time.Second)
	for {
		if at := addressOf.FindString(out.String()); at != "" {
			return at, stop
		}
		select {
		case <-out.more:
		case err := <-done:
			done <- err
			t.Fatalf("the agent ended: %v", err)
		case <-deadline:
			t.Fatal("the agent is not ready after 20 s")
		}
	}
}

func dev(t *testing.T, more string) *config.Agent {
	t.Helper()
	c := config.Dev()
	if err := c.Parse("test.hcl", []byte("ports {\n http = 0\n rpc = 0\n serf = 0\n}\n"+more)); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestDevAgent(t *testing.T) {
	at, stop := run(t, dev(t, `
http_api_response_headers {
  Authorization = "SENTINEL"
}
client {
  meta {
    db_password = "SENTINEL"
  }
}
`), nil)
	var health api.AgentHealthResponse
	status, body := get(t, at+"/v1/agent/health")
	if err := json.Unmarshal([]byte(body), &health); err != nil || status != 200 || !health.Client.Ok || !health.Server.Ok {
		t.Errorf("health: %d %s %v", status, body, err)
	}
	if status, body := get(t, at+"/v1/agent/self"); status != 200 || strings.Contains(body, "SENTINEL") || !strings.Contains(body, `"member"`) {
		t.Errorf("self: %d %s", status, body)
	}
	if status, body := get(t, at+"/v1/status/leader"); status != 200 || !strings.HasPrefix(body, `"127.0.0.1:`) {
		t.Errorf("leader: %d %s", status, body)
	}
	if status, body := get(t, at+"/v1/metrics?format=prometheus"); status != 200 || !strings.Contains(body, "nomad_nomad_broker_total_ready") {
		t.Errorf("metrics: %d %.200s", status, body)
	}
	// The node may still be on its way: wait for it by its index.
	index := "0"
	for end := time.Now().Add(10 * time.Second); ; {
		resp, err := http.Get(at + "/v1/nodes?wait=1s&index=" + index)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		index = resp.Header.Get("X-Nomad-Index")
		if strings.Contains(string(b), `"Status":"ready"`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no node is ready: %s", b)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestDataDirHoldsOneAgent(t *testing.T) {
	dir := t.TempDir()
	first, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = takeLock(dir)
	if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), dir) || time.Since(begin) > time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "agent.lock")); len(b) == 0 {
		t.Error("the lock names no process")
	}
	first.release()
	again, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}

func TestServerLosesNothing(t *testing.T) {
	more := "data_dir = \"" + t.TempDir() + "\"\nclient {\n enabled = false\n}\nserver {\n enabled = true\n}\nports {\n http = 0\n rpc = 0\n serf = 0\n}\n"
	load := func() *config.Agent {
		c := config.Default()
		if err := c.Parse("test.hcl", []byte(more)); err != nil {
			t.Fatal(err)
		}
		if err := c.Finish(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	at, stop := run(t, load(), nil)
	r, err := http.NewRequest("PUT", at+"/v1/namespace", strings.NewReader(`{"Name":"team"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	at, _ = run(t, load(), nil)
	if status, body := get(t, at+"/v1/namespace/team"); status != 200 {
		t.Errorf("after the restart: %d %s", status, body)
	}
	if status, body := get(t, at+"/v1/client/stats"); status != 400 {
		t.Errorf("the client of an agent that has none: %d %s", status, body)
	}
}

func TestReloadChangesTheLevel(t *testing.T) {
	cfg := dev(t, "")
	l, err := openLogs(cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	level := "WARN"
	a := &Agent{cfg: cfg, logs: l, logger: l.logger, reloaded: cfg, options: Options{Reload: func() (*config.Agent, error) {
		fresh := *cfg
		fresh.LogLevel = level
		return &fresh, nil
	}}}
	if err := a.Reload(); err != nil || l.level.Level().String() != "WARN" {
		t.Errorf("%v, level %v", err, l.level.Level())
	}
	level = "LOUD"
	if err := a.Reload(); err == nil || l.level.Level().String() != "WARN" {
		t.Errorf("%v, level %v", err, l.level.Level())
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(c *config.Agent){
		"nothing enabled":  func(c *config.Agent) { c.Server.Enabled, c.Client.Enabled = false, false },
		"no servers":       func(c *config.Agent) { c.Server.Enabled = false },
		"open RPC":         func(c *config.Agent) { c.Addresses.RPC = "0.0.0.0" },
		"several servers":  func(c *config.Agent) { c.Server.BootstrapExpect = 3 },
		"port in use":      nil,
		"unknown level":    func(c *config.Agent) { c.LogLevel = "LOUD" },
		"unusable log":     func(c *config.Agent) { c.LogFile = "/proc/nope/x.log" },
		"unusable address": func(c *config.Agent) { c.Addresses.HTTP = "203.0.113.1" },
	} {
		c := dev(t, "")
		if change == nil {
			at, _ := run(t, dev(t, ""), nil)
			c = dev(t, "ports {\n rpc = 0\n http = "+at[strings.LastIndex(at, ":")+1:]+"\n}\n")
		} else {
			change(c)
		}
		err := Run(t.Context(), c, Options{Stdout: io.Discard, Stderr: io.Discard})
		if err == nil || len(err.Error()) < 20 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
