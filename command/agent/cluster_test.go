package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/server/consensus"
)

// serverAgent is an agent with a server of a cluster, in this process.
type serverAgent struct {
	*Agent
	cancel context.CancelFunc
	done   chan error
}

func (s *serverAgent) url(path string) string { return "http://" + s.http.Address().String() + path }

// startServers starts agents that are told by nobody but the test that they are
// a cluster.
func startServers(t *testing.T, n int) []*serverAgent {
	t.Helper()
	var all []*serverAgent
	for i := range n {
		all = append(all, startServerAgent(t, fmt.Sprint("s", i+1)))
	}
	together(t, all)
	return all
}

// together makes servers a cluster, and waits until they are ready.
func together(t *testing.T, all []*serverAgent) {
	t.Helper()
	var list []consensus.Server
	for _, s := range all {
		id, err := serverID(s.cfg.Server.DataDir)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, consensus.Server{ID: id, Address: s.server.Address()})
	}
	for _, s := range all {
		if err := s.server.Raft().Bootstrap(list); err != nil && !errors.Is(err, api.ErrConflict) {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		select {
		case <-s.server.Ready():
		case <-time.After(patience):
			t.Fatalf("%s is not ready", s.cfg.Name)
		}
	}
}

const patience = 60 * time.Second

func startServerAgent(t *testing.T, name string) *serverAgent {
	t.Helper()
	cfg := config.Default()
	cfg.Name, cfg.DataDir = name, t.TempDir()
	cfg.Ports = config.Ports{}
	cfg.Server.Enabled, cfg.Server.BootstrapExpect = true, 3
	cfg.LogLevel = "WARN"
	return startConfigured(t, cfg)
}

func startConfigured(t *testing.T, cfg *config.Agent) *serverAgent {
	t.Helper()
	if err := cfg.Finish(); err != nil {
		t.Fatal(err)
	}
	l, err := openLogs(cfg, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	s := &serverAgent{done: make(chan error, 1), Agent: &Agent{inward: newInward(), cfg: cfg, options: Options{Stdout: io.Discard}, logs: l, logger: l.logger, reloaded: cfg}}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		err := s.run(ctx)
		s.close()
		l.close()
		s.done <- err
	}()
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *serverAgent) stop(t *testing.T) {
	s.cancel()
	err := <-s.done
	s.done <- nil
	if err != nil {
		t.Errorf("%s: %v", s.cfg.Name, err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func leaderAgent(t *testing.T, all []*serverAgent) (leader *serverAgent, followers []*serverAgent) {
	t.Helper()
	eventually(t, "a leader", func() bool {
		leader, followers = nil, nil
		for _, s := range all {
			if s.server.Raft().Leader() {
				leader = s
			} else {
				followers = append(followers, s)
			}
		}
		return leader != nil
	})
	return leader, followers
}

func send(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestFollowersPassOn(t *testing.T) {
	all := startServers(t, 3)
	leader, followers := leaderAgent(t, all)
	at := followers[0]
	// A write through a follower is there for every read that is not stale.
	resp, text := send(t, http.MethodPut, at.url("/v1/namespace"), `{"Name":"team"}`)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Nomad-Index") == "" {
		t.Fatalf("write through a follower: %d %s %v", resp.StatusCode, text, resp.Header)
	}
	for _, s := range all {
		for _, how := range []string{"", "?consistent"} {
			resp, text := send(t, http.MethodGet, s.url("/v1/namespace/team"+how), "")
			if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Nomad-KnownLeader") != "true" || resp.Header.Get("X-Nomad-LastContact") != "0" {
				t.Errorf("%s%s: %d %s %v", s.cfg.Name, how, resp.StatusCode, text, resp.Header)
			}
		}
	}
	staleEverywhere(t, all, "/v1/namespaces?stale", "team")
	var address string
	for _, s := range all {
		_, text := send(t, http.MethodGet, s.url("/v1/status/leader"), "")
		if err := json.Unmarshal([]byte(text), &address); err != nil || address != leader.server.Address() {
			t.Errorf("%s takes %s for the leader, not %s", s.cfg.Name, text, leader.server.Address())
		}
		var peers []string
		_, text = send(t, http.MethodGet, s.url("/v1/status/peers"), "")
		if err := json.Unmarshal([]byte(text), &peers); err != nil || len(peers) != 3 {
			t.Errorf("%s knows the servers %s", s.cfg.Name, text)
		}
	}
	// A blocking query through a follower wakes for a write through another one.
	resp, _ = send(t, http.MethodGet, followers[0].url("/v1/namespaces"), "")
	woken := make(chan string, 1)
	go func() {
		_, text := send(t, http.MethodGet, followers[0].url("/v1/namespaces?index="+resp.Header.Get("X-Nomad-Index")+"&wait=60s"), "")
		woken <- text
	}()
	send(t, http.MethodPut, followers[1].url("/v1/namespace"), `{"Name":"other"}`)
	if text := <-woken; !strings.Contains(text, `"other"`) {
		t.Errorf("a blocking query woke with %s", text)
	}
}

// staleEverywhere waits until every server's own answer holds a text, and is the
// same.
func staleEverywhere(t *testing.T, all []*serverAgent, path, has string) {
	t.Helper()
	eventually(t, "one answer to "+path, func() bool {
		texts := map[string]bool{}
		for _, s := range all {
			resp, text := send(t, http.MethodGet, s.url(path), "")
			if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Nomad-KnownLeader") != "true" {
				t.Fatalf("%s: %d %s %v", s.cfg.Name, resp.StatusCode, text, resp.Header)
			}
			texts[text] = strings.Contains(text, has)
		}
		return len(texts) == 1 && texts[slices.Collect(maps.Keys(texts))[0]]
	})
}

// TestLeaderMayStop has writes go on, through every server that is left, while
// leaders come and go.
func TestLeaderMayStop(t *testing.T) {
	all := startServers(t, 3)
	leader, followers := leaderAgent(t, all)
	leader.stop(t)
	for i, s := range followers {
		resp, text := send(t, http.MethodPut, s.url("/v1/namespace"), fmt.Sprintf(`{"Name":"n%d"}`, i))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("a write through %s after the leader stopped: %d %s", s.cfg.Name, resp.StatusCode, text)
		}
	}
	staleEverywhere(t, followers, "/v1/namespaces?stale", "n1")
	// Without a majority there is no leader, which is said, and what is there can
	// still be read.
	_, last := leaderAgent(t, followers)
	next, _ := leaderAgent(t, followers)
	index, _ := send(t, http.MethodGet, last[0].url("/v1/namespaces"), "")
	waiting := make(chan string, 1)
	go func() { // it must not be told that nothing has changed
		resp, text := send(t, http.MethodGet, last[0].url("/v1/namespaces?wait=60s&index="+index.Header.Get("X-Nomad-Index")), "")
		waiting <- fmt.Sprint(resp.StatusCode, " ", text)
	}()
	next.stop(t)
	eventually(t, "the last server to lead no more", func() bool { return last[0].server.Leader() == "" })
	resp, text := send(t, http.MethodPut, last[0].url("/v1/namespace"), `{"Name":"none"}`)
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(text, "No cluster leader") {
		t.Errorf("a write without a majority: %d %s", resp.StatusCode, text)
	}
	resp, text = send(t, http.MethodGet, last[0].url("/v1/namespaces?stale"), "")
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, "n1") || resp.Header.Get("X-Nomad-KnownLeader") != "false" || resp.Header.Get("X-Nomad-LastContact") == "0" {
		t.Errorf("a stale read without a leader: %d %s %v", resp.StatusCode, text, resp.Header)
	}
	if text := <-waiting; !strings.HasPrefix(text, "500 ") || !strings.Contains(text, "No cluster leader") {
		t.Errorf("a read that waited when the leader went: %s", text)
	}
}

// TestFollowersAnswerReads: one that has asked the leader how far it is answers
// from its own state, which then has what was written before.
func TestFollowersAnswerReads(t *testing.T) {
	all := startServers(t, 3)
	leader, followers := leaderAgent(t, all)
	if _, ok, err := leader.server.CatchUp(t.Context(), true); ok || err != nil {
		t.Errorf("the leader asks itself: %t, %v", ok, err)
	}
	for i := range 20 {
		name := fmt.Sprint("n", i)
		if resp, text := send(t, http.MethodPut, leader.url("/v1/namespace"), fmt.Sprintf(`{"Name":%q}`, name)); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.StatusCode, text)
		}
		for _, s := range followers {
			for _, consistent := range []bool{false, true} {
				ctx, ok, err := s.server.CatchUp(t.Context(), consistent)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					continue // it is slow today: the leader is asked
				}
				req := &api.NameRequest{Name: name}
				req.Consistent = consistent
				if _, meta, err := s.server.Handle(ctx, api.NamespaceRead.Endpoint, req); err != nil || !meta.KnownLeader || meta.LastContact != 0 {
					t.Errorf("%s of %s: %+v, %v", name, s.cfg.Name, meta, err)
				}
			}
		}
	}
	eventually(t, "followers that are in time", func() bool {
		_, ok, err := followers[0].server.CatchUp(t.Context(), true)
		return ok && err == nil
	})
}
