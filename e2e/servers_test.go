package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/e2e/rig"
)

// startServers starts servers that are a cluster, and a client of all of them.
func startServers(t *testing.T, n int) (servers []*agent, client *agent) {
	t.Helper()
	servers, addresses := startServersWith(t, "", n)
	return servers, start(t, rig.Options{Servers: addresses})
}

// startServersWith starts servers with further configuration that are a cluster,
// and gives the addresses for clients.
func startServersWith(t *testing.T, config string, n int) (servers []*agent, addresses []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	all, err := rig.StartServers(ctx, rig.Options{Binary: binary, Config: config}, n)
	t.Cleanup(func() {
		for _, a := range all {
			log := a.Log()
			if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") || strings.Contains(log, "fatal error:") {
				t.Error("a data race or panic is in the log of", a.Mark)
			}
			if t.Failed() {
				dump(t, log)
			}
			if err := a.Destroy(); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		servers, addresses = append(servers, wrap(t, a)), append(addresses, a.RPC())
	}
	return servers, addresses
}

// leading gives the server that leads, and the others.
func leading(t *testing.T, servers []*agent) (leader *agent, followers []*agent) {
	t.Helper()
	eventually(t, "all servers know one leader", func() (bool, string) {
		leader, followers = nil, nil
		said := map[string]bool{}
		for _, s := range servers {
			var at string
			s.get(t, "/v1/status/leader", &at)
			said[at] = true
			if at == s.RPC() {
				leader = s
			} else {
				followers = append(followers, s)
			}
		}
		return leader != nil && len(said) == 1, fmt.Sprint(said)
	})
	return leader, followers
}

// sleepers registers a job through a server.
func sleepers(t *testing.T, through *agent, id string, count int) {
	t.Helper()
	task := map[string]any{"Name": "t", "Driver": "raw_exec", "Config": map[string]any{"command": "/bin/sleep", "args": []string{"1000"}}, "Resources": map[string]any{"CPU": 20, "MemoryMB": 16}}
	body := map[string]any{"Job": map[string]any{
		"ID": id, "Name": id, "Type": "service", "Datacenters": []string{"dc1"},
		"TaskGroups": []any{map[string]any{"Name": "g", "Count": count, "Tasks": []any{task}}},
	}}
	r := through.do(t, http.MethodPut, "/v1/jobs", body)
	if unclear(r.status, r.body) {
		r = through.do(t, http.MethodPut, "/v1/jobs", body)
	}
	if r.status != http.StatusOK || r.header.Get("X-Nomad-Index") == "" {
		t.Fatalf("register through %s: %d %s", through.Mark, r.status, r.body)
	}
}

// unclear says whether the leader died over a write, so that nobody knows whether
// it was done: whoever may do it twice sends it again.
func unclear[T string | []byte](status int, body T) bool {
	return status == http.StatusServiceUnavailable && strings.Contains(string(body), "nobody knows")
}

// runsOn waits until the job's allocations run, as a server tells.
func runsOn(t *testing.T, server *agent, id string, count int) {
	t.Helper()
	eventually(t, "job "+id+" runs", func() (bool, string) {
		var allocs []*api.AllocationListStub
		server.get(t, "/v1/job/"+id+"/allocations", &allocs)
		n := 0
		for _, a := range allocs {
			if a.ClientStatus == api.AllocClientRunning {
				n++
			}
		}
		return n == count, fmt.Sprint(n, " of ", len(allocs))
	})
}

// alike waits until all servers give the same own answer.
func alike(t *testing.T, servers []*agent, path string) {
	t.Helper()
	eventually(t, path+" is the same everywhere", func() (bool, string) {
		var first string
		for i, s := range servers {
			r := s.do(t, http.MethodGet, path+"?stale", nil)
			if r.status != http.StatusOK {
				return false, fmt.Sprint(s.Mark, ": ", r.status, " ", string(r.body))
			}
			if i == 0 {
				first = string(r.body)
			} else if first != string(r.body) {
				return false, fmt.Sprintf("%s\n%s", first, r.body)
			}
		}
		return len(first) > 2, first
	})
}

func tasks(a *agent) (pids []int) {
	for _, p := range a.Processes() {
		if p.Kind == "task" {
			pids = append(pids, p.PID)
		}
	}
	slices.Sort(pids)
	return pids
}

// TestServersReplaceTheirLeader kills the leader of three servers: what was
// written stays, writing goes on, no task is restarted, and the killed server
// comes back to the same state.
func TestServersReplaceTheirLeader(t *testing.T) {
	servers, client := startServers(t, 3)
	leader, followers := leading(t, servers)
	sleepers(t, followers[0], "first", 2)
	runsOn(t, followers[1], "first", 2)
	state := []string{"/v1/jobs", "/v1/allocations", "/v1/nodes", "/v1/evaluations", "/v1/deployments"}
	for _, path := range state {
		if path != "/v1/deployments" {
			alike(t, servers, path)
		}
	}
	before := tasks(client)
	if len(before) == 0 {
		t.Fatal("no task runs")
	}

	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, s := range followers { // at once: the requests wait for the election
		sleepers(t, s, fmt.Sprint("after-", i), 1)
	}
	for i := range followers {
		runsOn(t, followers[1-i], fmt.Sprint("after-", i), 1)
	}
	now := tasks(client)
	for _, pid := range before {
		if !slices.Contains(now, pid) {
			t.Errorf("task process %d did not outlive the leader", pid)
		}
	}

	leader.launch(t)
	_, _ = leading(t, servers)
	for _, path := range state[:4] {
		alike(t, servers, path)
	}
	var nodes []*api.NodeListStub
	servers[0].get(t, "/v1/nodes", &nodes)
	if len(nodes) != 1 || nodes[0].Status != api.NodeStatusReady {
		t.Errorf("the node is %+v", nodes)
	}
	raft := leader.ok(t, "operator", "raft", "list-peers", "-json")
	var config api.RaftConfiguration
	if err := json.Unmarshal([]byte(raft), &config); err != nil || len(config.Servers) != 3 {
		t.Errorf("the servers are %s", raft)
	}
	for _, job := range []string{"first", "after-0", "after-1"} {
		followers[0].ok(t, "job", "stop", "-purge", "-yes", "-detach", job)
	}
	client.runsNothing(t)
}

// TestTheLastServerIsRecovered loses two of three servers for good.
func TestTheLastServerIsRecovered(t *testing.T) {
	servers, client := startServers(t, 3)
	_, followers := leading(t, servers)
	sleepers(t, followers[0], "kept", 1)
	runsOn(t, followers[0], "kept", 1)
	alike(t, servers, "/v1/jobs")
	before := tasks(client)
	for _, s := range servers {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	last := followers[0]
	dry := last.ok(t, "operator", "raft", "recover", last.DataDir())
	if !strings.Contains(dry, last.RPC()) || !strings.Contains(dry, "Nothing was changed") || strings.Count(dry, "127.0.0.1:") < 3 {
		t.Errorf("the dry run says:\n%s", dry)
	}
	if state := last.ok(t, "operator", "raft", "state", last.DataDir()); !strings.Contains(state, "Jobs") {
		t.Errorf("state says:\n%s", state)
	}
	done := last.ok(t, "operator", "raft", "recover", "-yes", last.DataDir())
	if !strings.Contains(done, "the only one now") {
		t.Errorf("it says:\n%s", done)
	}
	last.launch(t)
	runsOn(t, last, "kept", 1)
	sleepers(t, last, "more", 1)
	runsOn(t, last, "more", 1)
	if now := tasks(client); len(before) == 0 || !slices.Contains(now, before[0]) {
		t.Errorf("tasks were %v, and are %v", before, now)
	}
	for _, job := range []string{"kept", "more"} {
		last.ok(t, "job", "stop", "-purge", "-yes", "-detach", job)
	}
	client.runsNothing(t)
}
