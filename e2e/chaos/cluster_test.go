package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the cluster has to heal.
const patience = 90 * time.Second

// member is an agent: a server, or the client, which comes last.
type member struct {
	index int
	dir   string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// cluster is what the test runs.
type cluster struct {
	t       *testing.T
	nw      *network
	binary  string
	dir     string
	servers []*member
	client  *member
	http    *http.Client
	gossip  string // key
}

func (c *cluster) all() []*member { return append(append([]*member{}, c.servers...), c.client) }

func newCluster(t *testing.T, binary string, servers int) *cluster {
	t.Helper()
	c := &cluster{t: t, binary: binary, dir: t.TempDir(), nw: newNetwork(t, servers+1)}
	c.http = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DialContext: c.nw.dial, MaxIdleConnsPerHost: 16},
	}
	t.Cleanup(c.end)
	c.certificates()
	for i := range servers + 1 {
		m := &member{index: i, dir: filepath.Join(c.dir, fmt.Sprint("agent-", i))}
		if i < servers {
			c.servers = append(c.servers, m)
		} else {
			c.client = m
		}
		c.configure(m, i < servers, servers)
		c.start(m)
	}
	return c
}

// certificates makes an authority and a certificate for each role.
func (c *cluster) certificates() {
	c.t.Helper()
	for _, args := range [][]string{{"tls", "ca", "create"}, {"tls", "cert", "create", "-server"}, {"tls", "cert", "create", "-client"}} {
		cmd := exec.Command(c.binary, args...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	key, err := exec.Command(c.binary, "operator", "gossip", "keyring", "generate").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	c.gossip = strings.TrimSpace(string(key))
}

func (c *cluster) configure(m *member, server bool, servers int) {
	c.t.Helper()
	var join, rpc []string
	for i := range servers {
		join, rpc = append(join, fmt.Sprintf("%q", address(i)+":4648")), append(rpc, fmt.Sprintf("%q", address(i)+":4647"))
	}
	role := "client"
	block := fmt.Sprintf("client {\n enabled = true\n servers = [%s]\n}\nplugin \"raw_exec\" {\n config {\n  enabled = true\n }\n}\n", strings.Join(rpc, ", "))
	if server {
		role = "server"
		block = fmt.Sprintf("server {\n enabled = true\n bootstrap_expect = %d\n encrypt = %q\n server_join {\n  retry_join = [%s]\n  retry_interval = \"1s\"\n }\n}\n", servers, c.gossip, strings.Join(join, ", "))
	}
	text := fmt.Sprintf("name = \"chaos-%d\"\ndata_dir = %q\nbind_addr = %q\n%stls {\n rpc = true\n ca_file = %q\n cert_file = %q\n key_file = %q\n}\n",
		m.index, m.dir, address(m.index), block, filepath.Join(c.dir, "nomad-agent-ca.pem"),
		filepath.Join(c.dir, "global-"+role+"-nomad.pem"), filepath.Join(c.dir, "global-"+role+"-nomad-key.pem"))
	if err := os.WriteFile(m.dir+".hcl", []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// start starts an agent in its namespace.
func (c *cluster) start(m *member) {
	c.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	log, err := os.OpenFile(m.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer log.Close()
	// nsenter becomes the agent, so its process is ours to signal.
	m.cmd = exec.Command("nsenter", "--net=/run/netns/"+c.nw.hosts[m.index], c.binary, "agent", "-config", m.dir+".hcl")
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.Env = append(os.Environ(), c.mark())
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		c.t.Error(err)
		m.cmd = nil
		return
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(m.cmd, m.done)
}

func (m *member) signal(s syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(s)
	}
}

// wait waits for the end of the process.
func (m *member) wait(limit time.Duration) bool {
	m.mu.Lock()
	done := m.done
	m.mu.Unlock()
	if done == nil {
		return true
	}
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// end stops everything; panics and races in logs fail the test.
func (c *cluster) end() {
	defer c.sweep()
	for _, m := range c.all() {
		if m == nil {
			continue
		}
		m.signal(syscall.SIGCONT)
		m.signal(syscall.SIGTERM)
	}
	for _, m := range c.all() {
		if m == nil {
			continue
		}
		if !m.wait(30 * time.Second) {
			c.t.Errorf("agent %d does not stop", m.index)
			m.signal(syscall.SIGKILL)
			m.wait(10 * time.Second)
		}
		b, _ := os.ReadFile(m.dir + ".log")
		log := string(b)
		for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "the server must stop"} {
			if strings.Contains(log, bad) {
				c.t.Errorf("%q is in the log of agent %d", bad, m.index)
			}
		}
		if c.t.Failed() {
			c.t.Logf("log of agent %d:\n%s", m.index, log[max(0, len(log)-6000):])
		}
	}
}

// mark is in the environment of everything that the agents start.
func (c *cluster) mark() string { return "SERAI_CHAOS=" + c.dir }

// sweep ends what outlives agents, drivers' hosts, and unmounts the secrets of
// tasks.
func (c *cluster) sweep() {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if pid, perr := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && perr == nil && strings.Contains(string(env), c.mark()) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], c.dir+"/") {
			_ = syscall.Unmount(f[1], syscall.MNT_DETACH)
		}
	}
}

// answer is what an agent said.
type answer struct {
	status int
	index  string
	body   []byte
}

func (c *cluster) ask(ctx context.Context, i int, method, path string, body any) (*answer, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = strings.NewReader(string(b))
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address(i)+":4646"+path, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return &answer{resp.StatusCode, resp.Header.Get("X-Nomad-Index"), b}, err
}

// until tries something until it works.
func (c *cluster) until(what string, try func(ctx context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := errors.New("not tried")
	for err != nil {
		if err = try(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("%s: not within %s: %v", what, patience, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// led waits until every server knows a leader.
func (c *cluster) led() {
	c.t.Helper()
	for i := range c.servers {
		c.until(fmt.Sprintf("server %d knows a leader", i), func(ctx context.Context) error {
			a, err := c.ask(ctx, i, http.MethodGet, "/v1/status/leader", nil)
			if err == nil && (a.status != http.StatusOK || len(a.body) < 4) {
				err = fmt.Errorf("%d %s", a.status, a.body)
			}
			return err
		})
	}
}

// same waits until all servers show the same, each by itself.
func (c *cluster) same() {
	c.t.Helper()
	c.until("all servers show the same", func(ctx context.Context) error {
		for _, path := range []string{"/v1/jobs?meta=true", "/v1/nodes", "/v1/evaluations", "/v1/allocations", "/v1/deployments", "/v1/namespaces"} {
			var first *answer
			for i := range c.servers {
				mark := "?"
				if strings.Contains(path, "?") {
					mark = "&"
				}
				a, err := c.ask(ctx, i, http.MethodGet, path+mark+"stale=true", nil)
				switch {
				case err != nil:
					return err
				case a.status != http.StatusOK:
					return fmt.Errorf("server %d: %s: %d %s", i, path, a.status, a.body)
				case first == nil:
					first = a
				case first.index != a.index || string(first.body) != string(a.body):
					return fmt.Errorf("%s: server 0 at index %s and server %d at %s differ", path, first.index, i, a.index)
				}
			}
		}
		return nil
	})
}
