package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/listen"
	"github.com/seraihq/serai/command/agent/monitor"
	"github.com/seraihq/serai/command/agent/rest"
	"github.com/seraihq/serai/internal/telemetry"
	"github.com/seraihq/serai/server"
	"github.com/seraihq/serai/server/endpoint"
	"github.com/seraihq/serai/server/gc"
)

// cluster is a real server in memory behind a real HTTP listener, and nodes
// that run nothing.
type cluster struct {
	t      testing.TB
	server *server.Server
	http   *httptest.Server
	ctx    context.Context
	stop   func()
}

type agentFacts struct{}

func (agentFacts) Region() string              { return "global" }
func (agentFacts) Self() api.AgentSelfResponse { return api.AgentSelfResponse{} }
func (agentFacts) Leads() bool                 { return true }
func (agentFacts) Health() api.AgentHealthResponse {
	return api.AgentHealthResponse{Server: &api.HealthState{Ok: true, Message: "ok"}}
}
func (agentFacts) Reload() error { return nil }

func start(t *testing.T) *cluster { return startIn(t, "") }

// startIn starts a server that keeps its log in a directory, in memory when
// that is empty.
func startIn(t testing.TB, dir string) *cluster {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := server.Open(server.Config{
		Dir: dir, Name: "test", ID: "8a3f7d3e-7c0c-4c62-9c6f-0b2b2f6a2b11", Region: "global", Datacenter: "dc1", Address: "127.0.0.1:4647", Logger: logger,
		Limits: endpoint.Limits{
			JobMaxPriority: 100, JobMaxCount: 50000, JobMaxSourceSize: 1 << 20, JobTrackedVersions: 6,
			SearchFuzzy: true, SearchLimitQuery: 20, SearchLimitResults: 100, SearchMinTerm: 2,
		},
		GC: gc.DefaultThresholds(), GCInterval: time.Hour, EventBuffer: 1024,
		Heartbeat: server.Heartbeat{MinTTL: 10 * time.Second, Grace: 10 * time.Second, Failover: time.Minute, MaxPerSec: 50},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tel, err := telemetry.Start(telemetry.Config{Prometheus: true})
	if err != nil {
		t.Fatal(err)
	}
	h := rest.New(rest.Config{Server: s, Agent: agentFacts{}, Logs: monitor.NewHub(), Telemetry: tel, MaxBody: 1 << 20, Logger: logger})
	hs := httptest.NewServer(listen.Guard{Loopback: true}.Wrap(listen.Bodies(1<<20, nil, h)))
	stop := sync.OnceFunc(func() {
		hs.CloseClientConnections()
		hs.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-s.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not lead after 10 s")
	}
	return &cluster{t: t, server: s, http: hs, ctx: ctx, stop: stop}
}

// node registers a node with room for many allocations. Its allocations run as
// soon as they arrive; behave changes what it says of them.
func (c *cluster) node(behave func(a *api.Allocation) string) *api.Node {
	c.t.Helper()
	n := &api.Node{
		ID: uuid.NewString(), SecretID: api.Sensitive(uuid.NewString()), Datacenter: "dc1", Name: "node", NodePool: "default",
		Status:     api.NodeStatusReady,
		Attributes: map[string]string{"kernel.name": "linux", "cpu.arch": "amd64", "driver.mock_driver": "1", "driver.raw_exec": "1", "nomad.version": "2.0.0"},
		Drivers: map[string]*api.DriverInfo{
			"mock_driver": {Detected: true, Healthy: true}, "raw_exec": {Detected: true, Healthy: true},
		},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 100000, TotalCpuCores: 8}, Memory: api.NodeMemoryResources{MemoryMB: 1 << 20},
			Disk: api.NodeDiskResources{DiskMB: 1 << 30}, MinDynamicPort: 20000, MaxDynamicPort: 32000,
			Networks: []*api.NetworkResource{{Mode: "host", Device: "lo", IP: "127.0.0.1"}},
		},
		ReservedResources: &api.NodeReservedResources{},
	}
	return c.join(n, behave)
}

func (c *cluster) join(n *api.Node, behave func(a *api.Allocation) string) *api.Node {
	c.t.Helper()
	nodes := c.server.Nodes()
	if _, err := nodes.Register(c.ctx, &api.NodeRegisterRequest{Node: n}); err != nil {
		c.t.Fatal(err)
	}
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(c.ctx)
	wait.Go(func() {
		_ = nodes.Sync(ctx, &api.NodeSyncRequest{NodeID: n.ID, SecretID: n.SecretID}, func(m *api.NodeSync) error {
			var updates []*api.Allocation
			for _, a := range m.Allocs {
				u := &api.Allocation{ID: a.ID, ClientStatus: behave(a)}
				if a.ServerTerminal() {
					u.ClientStatus = api.AllocClientComplete
				}
				if u.ClientStatus != "" && u.ClientStatus != a.ClientStatus {
					updates = append(updates, u)
				}
			}
			if len(updates) == 0 {
				return nil
			}
			return nodes.UpdateAllocs(ctx, &api.AllocUpdateRequest{NodeID: n.ID, SecretID: n.SecretID, Allocs: updates})
		})
	})
	c.t.Cleanup(func() { cancel(); wait.Wait() })
	return n
}

func running(*api.Allocation) string { return api.AllocClientRunning }

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request; body may be nil, text or a value for JSON.
func (c *cluster) do(method, path string, body any) reply {
	c.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, c.http.URL+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, data}
}

// get fills out with what a path answers.
func (c *cluster) get(path string, out any) reply {
	c.t.Helper()
	r := c.do("GET", path, nil)
	if r.status != 200 {
		c.t.Fatalf("GET %s: status %d: %s", path, r.status, r.body)
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		c.t.Fatalf("GET %s: %v\n%s", path, err, r.body)
	}
	return r
}

// put sends a value and fills out with the answer.
func (c *cluster) put(path string, body, out any) {
	c.t.Helper()
	r := c.do("PUT", path, body)
	if r.status != 200 {
		c.t.Fatalf("PUT %s: status %d: %s", path, r.status, r.body)
	}
	if out != nil {
		if err := json.Unmarshal(r.body, out); err != nil {
			c.t.Fatalf("PUT %s: %v\n%s", path, err, r.body)
		}
	}
}

// until looks again, whenever the path's index moves, until done.
func (c *cluster) until(path string, look func(body []byte) bool) {
	c.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	index := "0"
	for {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		r := c.do("GET", path+sep+"wait=1s&index="+index, nil)
		if r.status == 200 && look(r.body) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("GET %s: still %d %s", path, r.status, r.body)
		}
		index = r.header.Get("X-Nomad-Index")
	}
}

// job is a job of one group of mock tasks, as JSON.
func job(id string, count int, change func(j map[string]any)) map[string]any {
	j := map[string]any{
		"ID": id, "Name": id, "Type": "service", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{
			"Name": "g", "Count": count,
			"EphemeralDisk": map[string]any{"SizeMB": 10},
			"Tasks": []any{map[string]any{
				"Name": "t", "Driver": "mock_driver", "Config": map[string]any{"run_for": "1h"},
				"Resources": map[string]any{"CPU": 10, "MemoryMB": 10},
				"LogConfig": map[string]any{"MaxFiles": 1, "MaxFileSizeMB": 1},
			}},
		}},
	}
	if change != nil {
		change(j)
	}
	return j
}

func (c *cluster) register(j map[string]any) api.JobRegisterResponse {
	c.t.Helper()
	var resp api.JobRegisterResponse
	c.put("/v1/jobs", map[string]any{"Job": j}, &resp)
	return resp
}
