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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
)

// patience is how long the cluster has to heal.
const patience = 90 * time.Second

// member is an agent: a server, or a client; clients come last.
type member struct {
	index  int
	server bool
	dir    string

	// What it is started with. Only the goroutine that breaks things looks.
	newer   bool // the build of a higher protocol version
	shifted time.Duration
	damaged bool // its store was

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// faults is the directory in which fail points of the member are armed.
func (m *member) faults() string { return m.dir + ".faults" }

// cluster is what the test runs.
type cluster struct {
	t       *testing.T
	nw      *network
	builds  [2]string // the program, and one of a higher protocol version; empty: there is none
	held    bool      // servers are held at the first protocol version
	dir     string
	servers []*member
	clients []*member
	http    *http.Client
	gossip  string // key
	token   string // for management
}

func (c *cluster) all() []*member { return append(append([]*member{}, c.servers...), c.clients...) }

func newCluster(t *testing.T, builds [2]string, servers, clients int) *cluster {
	t.Helper()
	c := &cluster{t: t, builds: builds, held: builds[1] != "", dir: t.TempDir(), nw: newNetwork(t, servers+clients), token: uuid.NewString()}
	c.http = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DialContext: c.nw.dial, MaxIdleConnsPerHost: 16},
	}
	t.Cleanup(c.end)
	c.certificates()
	for i := range servers + clients {
		m := &member{index: i, server: i < servers, dir: filepath.Join(c.dir, fmt.Sprint("agent-", i))}
		if m.server {
			c.servers = append(c.servers, m)
		} else {
			c.clients = append(c.clients, m)
		}
		for _, dir := range []string{m.dir, m.faults()} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if servers > 1 {
		c.smallDisk(c.servers[1])
	}
	for _, m := range c.all() {
		c.configure(m)
		c.start(m)
	}
	c.led()
	c.until("there is a management token", func(ctx context.Context) error {
		if a, err := c.ask(ctx, 0, http.MethodGet, "/v1/acl/token/self", nil); err == nil && a.status == http.StatusOK {
			return nil // it was made, and the answer was lost
		}
		a, err := c.ask(ctx, 0, http.MethodPut, "/v1/acl/bootstrap", map[string]string{"BootstrapSecret": c.token})
		return a.failed(err)
	})
	return c
}

// certificates makes an authority and a certificate for each role.
func (c *cluster) certificates() {
	c.t.Helper()
	for _, args := range [][]string{{"tls", "ca", "create"}, {"tls", "cert", "create", "-server"}, {"tls", "cert", "create", "-client"}} {
		cmd := exec.Command(c.builds[0], args...)
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			c.t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	key, err := exec.Command(c.builds[0], "operator", "gossip", "keyring", "generate").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	c.gossip = strings.TrimSpace(string(key))
}

// registry is where tasks of the container driver have their image from.
func (c *cluster) registry() string { return address(c.nw.hub()) + ":5000" }

func (c *cluster) configure(m *member) {
	c.t.Helper()
	var join, rpc []string
	for i := range c.servers {
		join, rpc = append(join, fmt.Sprintf("%q", address(i)+":4648")), append(rpc, fmt.Sprintf("%q", address(i)+":4647"))
	}
	role := "client"
	block := fmt.Sprintf("client {\n enabled = true\n servers = [%s]\n}\nplugin \"raw_exec\" {\n config {\n  enabled = true\n }\n}\nplugin \"container\" {\n config {\n  insecure_registries = [%q]\n }\n}\n",
		strings.Join(rpc, ", "), c.registry())
	if m.server {
		role = "server"
		held := ""
		if c.held {
			held = " protocol_version = 1\n"
		}
		// Jobs stay for ever: with a clock that is a day ahead all of them would be old.
		block = fmt.Sprintf("server {\n enabled = true\n bootstrap_expect = %d\n encrypt = %q\n job_gc_threshold = \"10000h\"\n%s server_join {\n  retry_join = [%s]\n  retry_interval = \"1s\"\n }\n}\nautopilot {\n server_stabilization_time = \"2s\"\n last_contact_threshold = \"2s\"\n}\n",
			len(c.servers), c.gossip, held, strings.Join(join, ", "))
	}
	text := fmt.Sprintf("name = \"chaos-%d\"\ndata_dir = %q\nbind_addr = %q\nacl {\n enabled = true\n}\n%stls {\n rpc = true\n ca_file = %q\n cert_file = %q\n key_file = %q\n}\n",
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
	m.cmd = exec.Command("nsenter", "--net=/run/netns/"+c.nw.hosts[m.index], c.build(m), "agent", "-config", m.dir+".hcl")
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.Env = append(os.Environ(), c.mark(), "SERAI_FAILPOINTS_DIR="+m.faults())
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		c.t.Error(err)
		m.cmd = nil
		return
	}
	m.shifted = 0
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(m.cmd, m.done)
}

// build is the program that a member runs.
func (c *cluster) build(m *member) string {
	if m.newer {
		return c.builds[1]
	}
	return c.builds[0]
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
			c.stuck(m)
		}
		b, _ := os.ReadFile(m.dir + ".log")
		log := string(b)
		for line := range strings.Lines(log) {
			if bad := sign(line); bad != "" {
				c.t.Errorf("%q is in the log of agent %d: %s", bad, m.index, line)
			}
		}
		if !c.t.Failed() {
			continue
		}
		c.t.Logf("log of agent %d:\n%s", m.index, log[max(0, len(log)-6000):])
		if kept := os.Getenv("CHAOS_LOGS"); kept != "" {
			if err := os.WriteFile(filepath.Join(kept, filepath.Base(m.dir)+".log"), b, 0o600); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// stuck ends an agent that does not stop; where it stands is in its log then.
func (c *cluster) stuck(m *member) {
	c.t.Errorf("agent %d does not stop", m.index)
	m.signal(syscall.SIGQUIT)
	if !m.wait(10 * time.Second) {
		m.signal(syscall.SIGKILL)
		m.wait(10 * time.Second)
	}
}

// sign gives what a line of a log must not hold.
func sign(line string) string {
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "the server must stop"} {
		if strings.Contains(line, bad) && !strings.Contains(line, syscall.EIO.Error()) { // disks that fail are ours
			return bad
		}
	}
	return ""
}

// mark is in the environment of everything that the agents start.
func (c *cluster) mark() string { return "SERAI_CHAOS=" + c.dir }

// sweep ends what outlives agents, drivers' hosts, and unmounts the secrets of
// tasks.
func (c *cluster) sweep() {
	marks := []string{c.mark(), "=" + c.dir + "/"}
	dirs, _ := filepath.Glob(filepath.Join(c.dir, "agent-*/alloc/*"))
	for _, dir := range dirs { // what is confined knows no directory of ours
		marks = append(marks, "NOMAD_ALLOC_ID="+filepath.Base(dir))
	}
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		env, err := os.ReadFile(path)
		ours := func(mark string) bool { return strings.Contains(string(env), mark) }
		if pid, perr := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && perr == nil && slices.ContainsFunc(marks, ours) {
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
	header http.Header
	body   []byte
}

// failed is an error unless the answer is good.
func (a *answer) failed(err error) error {
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%d %s", a.status, a.body)
	}
	return err
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
	return c.askAs(ctx, c.token, i, method, path, r)
}

// askAs asks with a token.
func (c *cluster) askAs(ctx context.Context, token string, i int, method, path string, body io.Reader) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address(i)+":4646"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Nomad-Token", token)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return &answer{resp.StatusCode, resp.Header, b}, err
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
			if err = a.failed(err); err == nil && len(a.body) < 4 {
				err = errors.New("it knows none")
			}
			return err
		})
	}
}

// same waits until all servers have the same in every table, as of one place in
// the log. A difference is none that time heals.
func (c *cluster) same() {
	c.t.Helper()
	c.until("all servers have hashed their tables", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodGet, "/v1/operator/raft/verify", nil)
		if err := a.failed(err); err != nil {
			return err
		}
		var v api.StateVerification
		if err := json.Unmarshal(a.body, &v); err != nil {
			return err
		}
		if len(v.Differ) > 0 {
			c.t.Errorf("at index %d servers differ in %v: %s", v.Index, v.Differ, a.body)
			return nil
		}
		if !v.Agree || len(v.Servers) != len(c.servers) {
			return fmt.Errorf("%s", a.body)
		}
		c.t.Logf("all %d servers have the same %d tables at index %d", len(v.Servers), len(v.Servers[0].Tables), v.Index)
		return nil
	})
}

// healthy waits until autopilot finds all servers healthy, and with a vote.
func (c *cluster) healthy() {
	c.t.Helper()
	c.until("all servers are healthy", func(ctx context.Context) error {
		a, err := c.ask(ctx, 0, http.MethodGet, "/v1/operator/autopilot/health", nil)
		if err != nil {
			return err
		}
		var h struct {
			Healthy bool
			Servers []struct{ Healthy, Voter bool }
		}
		if err := json.Unmarshal(a.body, &h); err != nil {
			return fmt.Errorf("%d %s", a.status, a.body)
		}
		voters := 0
		for _, x := range h.Servers {
			if x.Voter {
				voters++
			}
		}
		if !h.Healthy || voters != len(c.servers) || len(h.Servers) != voters {
			return fmt.Errorf("%s", a.body)
		}
		return nil
	})
}
