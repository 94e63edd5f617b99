package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// server is the server under load.
type server struct {
	*rig.Agent
	http *http.Client
}

func startServer(ctx context.Context, o *options, config string) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	a, err := rig.Start(ctx, rig.Options{Binary: binary, NoClient: true, Config: `
enable_debug = true
log_level    = "WARN"
limits {
  rpc_max_conns_per_client  = 0
  http_max_conns_per_client = 1000
}` + config})
	s := &server{Agent: a, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Submitters + 4}}}
	if err != nil && a != nil {
		s.end()
	}
	return s, err
}

// end stops the server and removes it; its log is shown when it says anything.
func (s *server) end() {
	s.http.CloseIdleConnections()
	if log := s.Log(); bytes.Contains([]byte(log), []byte("[")) {
		fmt.Fprintln(os.Stderr, log[max(0, len(log)-4000):])
	}
	if err := s.Destroy(); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
	}
}

func (s *server) rpcAddress() string { return fmt.Sprintf("127.0.0.1:%d", s.Ports.RPC) }

func (s *server) logDir() string { return filepath.Join(s.DataDir(), "server") }

// blocked counts the evaluations that wait for room.
func (s *server) blocked(ctx context.Context) int {
	var m struct {
		Gauges []struct {
			Name  string
			Value float64
		}
	}
	text, err := s.fetch(ctx, "/v1/metrics")
	if err != nil || json.Unmarshal(text, &m) != nil {
		return -1
	}
	for _, g := range m.Gauges {
		if strings.HasSuffix(g.Name, "blocked_evals.total_blocked") {
			return int(g.Value)
		}
	}
	return -1
}

// put sends an object.
func (s *server) put(ctx context.Context, method, path string, in any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, answer)
	}
	return err
}
