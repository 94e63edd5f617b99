package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// remoteNode is a client agent as servers see it, which runs nothing.
type remoteNode struct {
	*rpc.Client
	id     string
	secret api.Sensitive

	mu    sync.Mutex
	index uint64
	has   map[string]*api.Allocation
}

func newRemoteNode(t *testing.T, n int, servers ...*serverAgent) *remoteNode {
	t.Helper()
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.server.Address())
	}
	r := &remoteNode{
		Client: rpc.NewClient(addresses, &tlsx.Dialer{Region: "global"}),
		id:     fmt.Sprintf("%08d-0000-4000-8000-000000000000", n), secret: "s3cret", has: map[string]*api.Allocation{},
	}
	t.Cleanup(r.Close)
	return r
}

func (r *remoteNode) register(t *testing.T) {
	t.Helper()
	_, err := r.Register(t.Context(), &api.NodeRegisterRequest{Node: &api.Node{
		ID: r.id, SecretID: r.secret, Name: r.id[:8], Datacenter: "dc1", Status: api.NodeStatusInit,
		Attributes: map[string]string{"kernel.name": "linux", "driver.raw_exec": "1"},
		Drivers:    map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 4000}, Disk: api.NodeDiskResources{DiskMB: 4000},
		},
	}})
	if err != nil {
		t.Fatal("register: ", err)
	}
}

func (r *remoteNode) beat(t *testing.T) {
	t.Helper()
	if resp, err := r.Heartbeat(t.Context(), &api.NodeHeartbeatRequest{NodeID: r.id, SecretID: r.secret, Status: api.NodeStatusReady}); err != nil || resp.HeartbeatTTL <= 0 {
		t.Fatalf("heartbeat: %+v, %v", resp, err)
	}
}

// follow keeps the stream open until the test ends.
func (r *remoteNode) follow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			r.mu.Lock()
			req := &api.NodeSyncRequest{NodeID: r.id, SecretID: r.secret, Index: r.index}
			r.mu.Unlock()
			_ = r.Sync(ctx, req, func(m *api.NodeSync) error { r.take(t, m); return nil })
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func (r *remoteNode) take(t *testing.T, m *api.NodeSync) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Index < r.index {
		t.Errorf("the node is told of index %d after %d", m.Index, r.index)
	}
	r.index = m.Index
	if m.Full {
		had := r.has
		r.has = map[string]*api.Allocation{}
		for id := range had {
			named := false
			for _, a := range m.Allocs {
				named = named || a.ID == id
			}
			if !named {
				t.Errorf("allocation %s would be forgotten", id)
			}
		}
	}
	for _, a := range m.Allocs {
		r.has[a.ID] = a
	}
}

func (r *remoteNode) allocs() (out []*api.Allocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.has {
		out = append(out, a)
	}
	return out
}

const sleeper = `{"Job":{"ID":%q,"Name":%q,"Type":"service","Datacenters":["dc1"],"TaskGroups":[{"Name":"g","Count":%d,
	"Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"/bin/sleep","args":["1000"]},"Resources":{"CPU":20,"MemoryMB":16}}]}]}}`

// TestNodesLiveOnFollowers has a node talk to followers alone, and the leader go.
func TestNodesLiveOnFollowers(t *testing.T) {
	all := startServers(t, 3)
	leader, followers := leaderAgent(t, all)
	n := newRemoteNode(t, 1, followers...)
	if _, err := n.Heartbeat(t.Context(), &api.NodeHeartbeatRequest{NodeID: n.id, SecretID: n.secret}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the heartbeat of an unknown node: %v", err)
	}
	n.register(t)
	n.beat(t)
	if _, err := n.Heartbeat(t.Context(), &api.NodeHeartbeatRequest{NodeID: n.id, SecretID: "wrong"}); !errors.Is(err, api.ErrDenied) {
		t.Errorf("a heartbeat with the wrong secret: %v", err)
	}
	n.follow(t)
	resp, text := send(t, http.MethodPut, followers[1].url("/v1/jobs"), fmt.Sprintf(sleeper, "a", "a", 3))
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, text)
	}
	eventually(t, "three allocations", func() bool { return len(n.allocs()) == 3 })
	var updates []*api.Allocation
	for _, a := range n.allocs() {
		updates = append(updates, &api.Allocation{ID: a.ID, ClientStatus: api.AllocClientRunning})
	}
	if err := n.UpdateAllocs(t.Context(), &api.AllocUpdateRequest{NodeID: n.id, SecretID: n.secret, Allocs: updates}); err != nil {
		t.Fatal(err)
	}
	staleEverywhere(t, all, "/v1/allocations?stale", `"ClientStatus":"running"`)

	leader.stop(t)
	n.beat(t)
	resp, text = send(t, http.MethodPut, followers[0].url("/v1/jobs"), fmt.Sprintf(sleeper, "b", "b", 2))
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, text)
	}
	eventually(t, "five allocations", func() bool { return len(n.allocs()) == 5 })
	staleEverywhere(t, followers, "/v1/nodes?stale", `"Status":"ready"`)
}

// TestAServerBehindIsNotListenedTo asks a follower for what it has not seen yet.
func TestAServerBehindIsNotListenedTo(t *testing.T) {
	all := startServers(t, 3)
	_, followers := leaderAgent(t, all)
	n := newRemoteNode(t, 1, followers[0])
	n.register(t)
	// n has learned of the other servers, and asks them.
	alone := rpc.NewClient([]string{followers[0].server.Address()}, &tlsx.Dialer{Region: "global"})
	t.Cleanup(alone.Close)
	err := alone.Sync(t.Context(), &api.NodeSyncRequest{NodeID: n.id, SecretID: n.secret, Index: 1 << 40}, func(*api.NodeSync) error {
		t.Error("a server that is behind tells a node what should run")
		return context.Canceled
	})
	if !errors.Is(err, api.ErrUnavailable) {
		t.Error(err)
	}
}

// TestOperatorsChangeTheServers goes through a follower.
func TestOperatorsChangeTheServers(t *testing.T) {
	all := startServers(t, 3)
	leader, followers := leaderAgent(t, all)
	at, to := followers[0], followers[1]
	id, _ := serverID(to.cfg.Server.DataDir)
	for _, bad := range []struct{ method, path string }{
		{http.MethodPut, "/v1/operator/raft/transfer-leadership"},
		{http.MethodDelete, "/v1/operator/raft/peer"},
		{http.MethodDelete, "/v1/operator/raft/peer?id=none"},
		{http.MethodPut, "/v1/operator/raft/transfer-leadership?address=127.0.0.1:1"},
	} {
		if resp, text := send(t, bad.method, at.url(bad.path), ""); resp.StatusCode < 400 || resp.StatusCode == http.StatusNotImplemented {
			t.Errorf("%s %s: %d %s", bad.method, bad.path, resp.StatusCode, text)
		}
	}
	if resp, text := send(t, http.MethodPut, at.url("/v1/operator/raft/transfer-leadership?id="+id), ""); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, text)
	}
	eventually(t, "the chosen server to lead", func() bool { return at.server.Leader() == to.server.Address() })
	old, _ := serverID(leader.cfg.Server.DataDir)
	if resp, text := send(t, http.MethodDelete, at.url("/v1/operator/raft/peer?id="+old), ""); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, text)
	}
	_, text := send(t, http.MethodGet, at.url("/v1/operator/raft/configuration"), "")
	var c api.RaftConfiguration
	if err := json.Unmarshal([]byte(text), &c); err != nil || len(c.Servers) != 2 || strings.Contains(text, old) {
		t.Errorf("after the removal: %s", text)
	}
	if resp, text := send(t, http.MethodGet, at.url("/v1/operator/node-brake"), ""); resp.StatusCode != http.StatusOK || !strings.Contains(text, `"Percent":40`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
