package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// servers is how many make the cluster.
const servers = 3

// trio is a cluster of servers as `serai init` and `serai join` set them up:
// TLS, tokens, Raft on disk. Each has an address of loopback of its own.
type trio struct {
	binary  string
	dir     string
	net     string // of the addresses, with the last dot
	token   string // of management
	members []*member
	http    *http.Client
}

// member is one server.
type member struct {
	name string
	ip   string
	dir  string
	log  *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// beside is what the measurement adds to the configuration: all clients come
// from one address.
const beside = `log_level    = "WARN"
enable_debug = true
limits {
  rpc_max_conns_per_client  = 0
  http_max_conns_per_client = 0
}
`

// startTrio sets the servers up and starts them. What there is is given also
// after an error, to be ended.
func startTrio(ctx context.Context, binary string) (*trio, error) {
	t := &trio{}
	var err error
	if t.binary, err = filepath.Abs(binary); err != nil {
		return t, err
	}
	if t.dir, err = os.MkdirTemp("", "serai-bench-cluster-"); err != nil {
		return t, err
	}
	b := make([]byte, 2)
	_, _ = rand.Read(b)
	t.net = fmt.Sprintf("127.%d.%d.", 20+b[0]%200, b[1])
	for i := range servers {
		if err := t.add(ctx, i); err != nil {
			return t, fmt.Errorf("server %d: %w", i+1, err)
		}
	}
	return t, t.healthy(ctx)
}

// add makes the next server a part of the cluster, as an operator would.
func (t *trio) add(ctx context.Context, i int) error {
	m := &member{name: fmt.Sprintf("server-%d", i+1), ip: fmt.Sprint(t.net, i+1)}
	m.dir = filepath.Join(t.dir, m.name)
	t.members = append(t.members, m)
	where := []string{"-config-dir", filepath.Join(m.dir, "etc"), "-data-dir", filepath.Join(m.dir, "data"), "-bind", m.ip, "-name", m.name}
	if i == 0 {
		if _, err := t.serai(ctx, append([]string{"init"}, where...)...); err != nil {
			return err
		}
		if err := t.trust(m); err != nil {
			return err
		}
	} else {
		text, err := t.serai(ctx, "join-token", "create", "-server", "-json")
		if err != nil {
			return err
		}
		var made struct{ Token string }
		if err := json.Unmarshal(text, &made); err != nil {
			return fmt.Errorf("join-token create: %w", err)
		}
		if _, err := t.serai(ctx, append(append([]string{"join"}, where...), t.members[0].rpc(), made.Token)...); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(m.dir, "etc", "bench.hcl"), []byte(beside), 0o600); err != nil {
		return err
	}
	if err := t.launch(m); err != nil {
		return err
	}
	return t.ready(ctx, m)
}

// trust reads the token and whom to trust from what init has left.
func (t *trio) trust(first *member) error {
	secret, err := os.ReadFile(filepath.Join(first.dir, "etc", "management.token"))
	if err != nil {
		return err
	}
	t.token = strings.TrimSpace(string(secret))
	ca, err := os.ReadFile(first.ca())
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return fmt.Errorf("no certificate in %s", first.ca())
	}
	t.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: false,
	}}
	return nil
}

func (m *member) rpc() string  { return m.ip + ":4647" }
func (m *member) http() string { return "https://" + m.ip + ":4646" }
func (m *member) ca() string   { return filepath.Join(m.dir, "data", "tls", "ca.pem") }
func (m *member) pid() int     { return m.cmd.Process.Pid }

// serai runs a command of the command line on the first server.
func (t *trio) serai(ctx context.Context, args ...string) ([]byte, error) {
	first := t.members[0]
	cmd := exec.CommandContext(ctx, t.binary, args...)
	cmd.Env = append(os.Environ(), "SERAI_ADDR="+first.http(), "SERAI_CACERT="+first.ca(), "SERAI_TOKEN="+t.token)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("serai %s: %w: %s%s", args[0], err, out, problem.Bytes())
	}
	return out, err
}

// launch starts a server's process.
func (t *trio) launch(m *member) error {
	var err error
	if m.log == nil {
		if m.log, err = os.Create(filepath.Join(m.dir, "log")); err != nil {
			return err
		}
	}
	m.cmd = exec.Command(t.binary, "agent", "-config", filepath.Join(m.dir, "etc"))
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	// A Ctrl-C at the measurement is not for the servers; its end is theirs.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	cmd, done := m.cmd, make(chan struct{})
	m.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return nil
}

// kill ends a server as a loss of power would.
func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

// end stops the servers, tells what their logs say of trouble, and removes
// everything.
func (t *trio) end(show bool) {
	if t.http != nil {
		t.http.CloseIdleConnections()
	}
	for _, m := range t.members {
		if m.cmd != nil && m.cmd.Process != nil {
			m.kill()
		}
		if m.log == nil {
			continue
		}
		_ = m.log.Close()
		if text, err := os.ReadFile(m.log.Name()); err == nil && show {
			fmt.Fprintf(os.Stderr, "--- %s\n%s\n", m.name, text[max(0, len(text)-4000):])
		}
	}
	if t.dir != "" {
		_ = os.RemoveAll(t.dir)
	}
}

// ask sends a request to one server; what it answers goes into out, unless that
// is nil.
func (t *trio) ask(ctx context.Context, m *member, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.http()+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Nomad-Token", t.token)
	resp, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s%s: %s: %.300s", method, m.http(), path, resp.Status, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// put sends an object to any of the servers in turn; it makes the trio a putter.
func (t *trio) put(ctx context.Context, method, path string, in any) error {
	var problems error
	for _, m := range t.members {
		err := t.ask(ctx, m, method, path, in, nil)
		if err == nil || ctx.Err() != nil {
			return err
		}
		problems = errors.Join(problems, err)
	}
	return problems
}

// ready waits until a server answers and knows a leader.
func (t *trio) ready(ctx context.Context, m *member) error {
	return until(ctx, m.name+" to be ready", func(ctx context.Context) error {
		var leader string
		if err := t.ask(ctx, m, "GET", "/v1/status/leader", nil, &leader); err != nil || leader != "" {
			return err
		}
		return errors.New("no leader")
	}, m.done)
}

// healthy waits until all servers vote, live, and have what the leader has.
func (t *trio) healthy(ctx context.Context) error {
	return until(ctx, "three healthy servers", func(ctx context.Context) error {
		var h struct {
			FailureTolerance int
			Servers          []struct {
				SerfStatus string
				LastIndex  uint64
				Voter      bool
			}
		}
		if err := t.ask(ctx, t.members[0], "GET", "/v1/operator/autopilot/health?always", nil, &h); err != nil {
			return err
		}
		good, most := 0, uint64(0)
		for _, s := range h.Servers {
			most = max(most, s.LastIndex)
		}
		for _, s := range h.Servers {
			if s.Voter && s.SerfStatus == "alive" && s.LastIndex+100 > most {
				good++
			}
		}
		if good == servers {
			return nil
		}
		return fmt.Errorf("%d of %d are: %+v", good, servers, h)
	}, nil)
}

// until asks again and again until there is no error.
func until(ctx context.Context, what string, try func(context.Context) error, ended <-chan struct{}) error {
	for {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, ctx.Err(), err)
		case <-ended:
			return fmt.Errorf("waiting for %s: the process ended", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// leader finds the server that leads.
func (t *trio) leader(ctx context.Context) (*member, error) {
	var found *member
	err := until(ctx, "a leader", func(ctx context.Context) error {
		for _, m := range t.members {
			var address string
			if err := t.ask(ctx, m, "GET", "/v1/status/leader", nil, &address); err != nil {
				continue
			}
			for _, l := range t.members {
				if address == l.rpc() {
					found = l
					return nil
				}
			}
		}
		return errors.New("none is known")
	}, nil)
	return found, err
}
