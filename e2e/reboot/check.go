package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// check drives the cluster and holds what it sees against what must be.
type check struct {
	server  *rig.Agent
	machine *machine
	node    string
}

// kinds are the jobs that run on, with how many tasks of each there must be.
var kinds = map[string]int{"raw": 2, "exec": 1, "bridged": 2, "every": 1}

// job gives a job. Its task can be told by its arguments.
func job(id, kind, driver, network string, count int) string {
	command := fmt.Sprintf(`: sleep 36000-%s; while :; do sleep 36000; done`, id) // the shell's arguments show
	if kind == "batch" {
		command = "exit 0"
	}
	return fmt.Sprintf(`job %q {
  type = %q
  group "g" {
    %s
    %s
    task "t" {
      driver = %q
      config {
        command = "/bin/sh"
        args    = ["-c", %q]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}`, id, kind, countOf(kind, count), network, driver, command)
}

func countOf(kind string, n int) string {
	if kind == "system" {
		return ""
	}
	return fmt.Sprintf("count = %d", n)
}

const bridge = `network {
      mode = "bridge"
      port "web" { to = 80 }
    }`

func (c *check) all(ctx context.Context, rounds int) error {
	start := time.Now()
	if err := c.machine.power(); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	fmt.Printf("the node is ready after %s\n", time.Since(start).Round(time.Second))
	for _, j := range []string{
		job("raw", "service", "raw_exec", "network {\n      port \"p\" {}\n    }", 2), job("exec", "service", "exec", "", 1), job("bridged", "service", "exec", bridge, 2),
		job("every", "system", "raw_exec", "", 1), job("ended", "batch", "exec", bridge, 1),
	} {
		if err := c.register(ctx, j); err != nil {
			return err
		}
	}
	if err := c.settled(ctx, kinds); err != nil {
		return err
	}
	for n := range rounds {
		if err := c.round(ctx, n); err != nil {
			return fmt.Errorf("round %d: %w", n+1, err)
		}
	}
	return c.empties(ctx)
}

// round cuts the power once.
func (c *check) round(ctx context.Context, n int) error {
	gone := fmt.Sprintf("gone%c", 'a'+n%26)
	if err := c.register(ctx, job(gone, "service", "exec", bridge, 1)); err != nil {
		return err
	}
	with := map[string]int{gone: 1}
	for k, v := range kinds {
		with[k] = v
	}
	if err := c.settled(ctx, with); err != nil {
		return err
	}
	c.machine.cut()
	if err := c.call(ctx, http.MethodDelete, "/v1/job/"+gone, nil, nil); err != nil {
		return err
	}
	how := "at once"
	if n%2 == 1 {
		how = "when it had been given up"
		if err := c.await(ctx, "the node is down", func() (bool, string) {
			status, err := c.status(ctx)
			return status == api.NodeStatusDown, fmt.Sprint(status, err)
		}); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := c.machine.power(); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	back := time.Since(start)
	if err := c.settled(ctx, kinds); err != nil {
		return err
	}
	if err := c.complaints(); err != nil {
		return err
	}
	fmt.Printf("round %d, power again %s: the node is back after %s, all is as it must be after %s\n", n+1, how, back.Round(time.Second), time.Since(start).Round(time.Second))
	return nil
}

// ready waits until the machine is a ready node; it must be the same each time.
func (c *check) ready(ctx context.Context) error {
	return c.await(ctx, "the node is ready", func() (bool, string) {
		if _, err := c.there(ctx); err != nil {
			return false, err.Error()
		}
		status, err := c.status(ctx)
		return status == api.NodeStatusReady, fmt.Sprint(status, err)
	})
}

func (c *check) status(ctx context.Context) (string, error) {
	var nodes []*api.NodeListStub
	if err := c.call(ctx, http.MethodGet, "/v1/nodes", nil, &nodes); err != nil {
		return "", err
	}
	switch {
	case len(nodes) == 0:
		return "", nil
	case len(nodes) > 1 || c.node != "" && nodes[0].ID != c.node:
		return "", fmt.Errorf("the machine is another node than it was: %d nodes, %s was %s", len(nodes), nodes[0].ID, c.node)
	}
	c.node = nodes[0].ID
	return nodes[0].Status, nil
}

// settled waits until the servers and the machine agree on what runs, and that is what is wanted, and nothing else.
func (c *check) settled(ctx context.Context, want map[string]int) error {
	return c.await(ctx, "what runs is what must", func() (bool, string) {
		var allocs []*api.AllocationListStub
		if err := c.call(ctx, http.MethodGet, "/v1/allocations", nil, &allocs); err != nil {
			return false, err.Error()
		}
		live, running := []string{}, map[string]int{}
		for _, a := range allocs {
			if a.ClientStatus == api.AllocClientRunning {
				live = append(live, a.ID)
				running[a.JobID]++
			}
			if a.JobID == "ended" && a.ClientStatus != api.AllocClientComplete {
				return false, "the batch job has an allocation that is " + a.ClientStatus
			}
			if a.JobID == "ended" && started(a) > 1 {
				return false, "the task of the batch job, which had ended, was started again"
			}
		}
		if text := differs(want, running); text != "" {
			return false, "allocations: " + text
		}
		there, err := c.there(ctx)
		if err != nil {
			return false, err.Error()
		}
		tasks := map[string]int{}
		for _, t := range there["task"] {
			_, id, _ := strings.Cut(t, "-")
			tasks[id]++
		}
		if text := differs(want, tasks); text != "" {
			return false, "processes: " + text
		}
		bridged := 0
		for id, n := range running {
			if id == "bridged" || strings.HasPrefix(id, "gone") {
				bridged += n
			}
		}
		return stale(there, live, bridged)
	})
}

func started(a *api.AllocationListStub) (n int) {
	for _, e := range a.TaskStates["t"].Events {
		if e.Type == api.TaskStarted {
			n++
		}
	}
	return n
}

func differs(want, got map[string]int) string {
	for id, n := range want {
		if got[id] != n {
			return fmt.Sprintf("%s: %d, and there must be %d", id, got[id], n)
		}
	}
	for id, n := range got {
		if want[id] == 0 {
			return fmt.Sprintf("%s: %d, and there must be none", id, n)
		}
	}
	return ""
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// stale looks for what belongs to an allocation that does not run; bridged have a link. Directories stay until they are collected.
func stale(there map[string][]string, live []string, bridged int) (bool, string) {
	if n := len(there["link"]); n != bridged {
		return false, fmt.Sprintf("%d links to pods, and %d of them: %v", n, bridged, there["link"])
	}
	for _, kind := range []string{"mount", "group", "net"} {
		for _, name := range there[kind] {
			if id := uuid.FindString(name); id != "" && !slices.Contains(live, id) {
				return false, kind + " of what does not run: " + name
			}
		}
	}
	return true, ""
}

// empties stops all, and nothing may be left.
func (c *check) empties(ctx context.Context) error {
	for id := range kinds {
		if err := c.call(ctx, http.MethodDelete, "/v1/job/"+id+"?purge=true", nil, nil); err != nil {
			return err
		}
	}
	if err := c.call(ctx, http.MethodDelete, "/v1/job/ended?purge=true", nil, nil); err != nil {
		return err
	}
	return c.await(ctx, "nothing is left", func() (bool, string) {
		if err := c.call(ctx, http.MethodPut, "/v1/system/gc", nil, nil); err != nil {
			return false, err.Error()
		}
		there, err := c.there(ctx)
		if err != nil {
			return false, err.Error()
		}
		for kind, names := range there {
			for _, name := range names {
				if kind == "task" || kind == "link" || uuid.MatchString(name) {
					return false, kind + " " + name
				}
			}
		}
		return true, ""
	})
}

// complaints finds what the agent has to say of what it found on its disk.
func (c *check) complaints() error {
	for line := range strings.Lines(c.machine.shown()) {
		if strings.Contains(line, "[ERROR]") || strings.Contains(line, "panic") || strings.Contains(line, "guest: the agent ended") {
			return errors.New("after its start the agent says: " + strings.TrimSpace(line))
		}
	}
	return nil
}

// there asks the machine what there is, by kind.
func (c *check) there(ctx context.Context) (map[string][]string, error) {
	text, err := get(ctx, http.MethodGet, c.machine.state, nil)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if kind, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out[kind] = append(out[kind], name)
		}
	}
	return out, nil
}

// await waits until it is so.
func (c *check) await(ctx context.Context, what string, so func() (bool, string)) error {
	last := ""
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var ok bool
		if ok, last = so(); ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not come about that %s: %s", what, last)
}

func (c *check) register(ctx context.Context, hcl string) error {
	var parsed json.RawMessage
	if err := c.call(ctx, http.MethodPut, "/v1/jobs/parse", map[string]any{"JobHCL": hcl, "Canonicalize": true}, &parsed); err != nil {
		return err
	}
	return c.call(ctx, http.MethodPut, "/v1/jobs", map[string]any{"Job": parsed}, nil)
}

func (c *check) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := get(ctx, method, c.server.Address+path, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func get(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, answer)
	}
	return answer, err
}
