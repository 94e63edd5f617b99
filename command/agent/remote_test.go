package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
)

// alone gives a client without a server.
func alone(t *testing.T, name, server string) *config.Agent {
	t.Helper()
	c := config.Default()
	dir := t.TempDir()
	if err := c.Parse("client.hcl", []byte(`
name = "`+name+`"
data_dir = "`+dir+`"
ports {
  http = 0
}
client {
  enabled           = true
  servers           = ["`+server+`"]
  network_interface = "lo"
}`)); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	return c
}

func post(t *testing.T, url string, body any) string {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, text, err)
	}
	return string(text)
}

// TestClientAlone: a server and two clients in agents of their own. Every agent
// answers for all of them.
func TestClientAlone(t *testing.T) {
	cfg := dev(t, "")
	cfg.Client.Enabled = false
	server, _ := run(t, cfg, nil)
	_, leader := get(t, server+"/v1/status/leader")
	rpc := strings.Trim(leader, `"`)
	one, _ := run(t, alone(t, "one", rpc), nil)
	two, _ := run(t, alone(t, "two", rpc), nil)

	if _, nodes := get(t, one+"/v1/nodes"); strings.Count(nodes, `"Status":"ready"`) != 2 {
		t.Fatalf("nodes: %s", nodes)
	}
	post(t, one+"/v1/jobs", map[string]any{"Job": map[string]any{
		"ID": "web", "Name": "web", "Type": "service", "Datacenters": []string{"nowhere"},
		"TaskGroups": []any{map[string]any{"Name": "g", "Count": 1, "Tasks": []any{map[string]any{"Name": "t", "Driver": "mock_driver"}}}},
	}})
	blocking(t, one, two)
	var nodes []*api.NodeListStub
	if _, body := get(t, two+"/v1/nodes"); json.Unmarshal([]byte(body), &nodes) != nil || len(nodes) != 2 {
		t.Fatalf("nodes: %s", body)
	}
	for name, at := range map[string]string{"server": server, "one": one, "two": two} {
		for _, n := range nodes {
			if status, body := get(t, at+"/v1/client/stats?node_id="+n.ID); status != 200 || !strings.Contains(body, "Memory") {
				t.Errorf("stats of node %s by %s: %d %q", n.Name, name, status, body)
			}
			if body := post(t, at+"/v1/client/metadata", map[string]any{"NodeID": n.ID, "Meta": map[string]string{"by": name}}); !strings.Contains(body, `"by":"`+name+`"`) {
				t.Errorf("metadata of node %s by %s: %s", n.Name, name, body)
			}
		}
		for _, path := range []string{"/v1/client/fs/logs/00000000-0000-0000-0000-000000000000?task=t&type=stdout", "/v1/client/stats?node_id=nobody"} {
			if status, body := get(t, at+path); status != 404 {
				t.Errorf("%s by %s: %d %q", path, name, status, body)
			}
		}
	}
	events(t, one)
}

// blocking asks one agent for what another one changes.
func blocking(t *testing.T, change, watch string) {
	t.Helper()
	resp, err := http.Get(watch + "/v1/job/web")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	index := resp.Header.Get("X-Nomad-Index")
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, watch+"/v1/job/web?wait=10s&index="+index)
		answer <- body
	}()
	post(t, change+"/v1/jobs", map[string]any{"Job": map[string]any{
		"ID": "web", "Name": "web", "Type": "service", "Datacenters": []string{"nowhere"}, "Priority": 77,
		"TaskGroups": []any{map[string]any{"Name": "g", "Count": 1, "Tasks": []any{map[string]any{"Name": "t", "Driver": "mock_driver"}}}},
	}})
	if body := <-answer; !strings.Contains(body, `"Priority":77`) {
		t.Errorf("job: %s", body)
	}
}

// events reads the first event of a stream that another agent sends.
func events(t *testing.T, at string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, at+"/v1/event/stream?topic=Job&index=1", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var e api.Events
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || len(e.Events) == 0 {
		t.Errorf("events: %+v, %v", e, err)
	}
}

// TestCallsHaveLimitsOfTheirOwn: the limit of the HTTP API's bodies, however
// small, is not for what agents tell each other.
func TestCallsHaveLimitsOfTheirOwn(t *testing.T) {
	cfg := dev(t, `limits { http_max_body_size = "64K" }`)
	server, _ := run(t, cfg, nil)
	_, leader := get(t, server+"/v1/status/leader")
	at, body := "http://"+strings.Trim(leader, `"`), strings.Repeat("\xff", 100<<10)
	for path, want := range map[string]int{"/rpc/node/update": http.StatusBadRequest, "/v1/jobs": http.StatusRequestEntityTooLarge} {
		resp, err := http.Post(at+path, "application/vnd.serai.v1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d %.200s", path, resp.StatusCode, text)
		}
	}
}
