package rig

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say what agent to start. The zero value is a durable agent that is
// server and client.
type Options struct {
	Binary   string   // the built serai
	Dir      string   // where the agent lives; a new temporary directory when empty
	Dev      bool     // agent -dev: nothing on disk but the allocations
	NoClient bool     // a server alone
	Servers  []string // a client alone, of these servers (host:port)
	Config   string   // further configuration, HCL, merged over the rig's own
	Env      []string // further environment
	Args     []string // further arguments
	Token    string   // access control is on, and this is the first management token, a UUID
	Wrap     []string // command that the agent is started with, for example under a limit
}

// Agent is a running agent, or one that ran and may be started again.
type Agent struct {
	Mark    string // names everything that belongs to this agent
	Dir     string // holds data, log and configuration
	Address string // http://127.0.0.1:port
	Ports   Ports

	opts   Options
	ownDir bool
	held   []net.Listener // keep the ports, see reservePorts

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how the process ended, valid after done

	allocs map[string]bool // IDs of allocations that it has had
}

// Ports are the ports an agent was given.
type Ports struct {
	HTTP, RPC, Serf int
	MinDynamic      int // first of 150 dynamic ports
}

var counter atomic.Int64

// New prepares an agent and starts nothing.
func New(opts Options) (*Agent, error) {
	var id [4]byte
	crand.Read(id[:])
	a := &Agent{Mark: "serai-e2e-" + hex.EncodeToString(id[:]), opts: opts, Dir: opts.Dir, allocs: map[string]bool{}}
	if a.Dir == "" {
		dir, err := os.MkdirTemp("", a.Mark+"-")
		if err != nil {
			return nil, err
		}
		a.Dir, a.ownDir = dir, true
	}
	ports, held, err := reservePorts(3)
	if err != nil {
		return nil, err
	}
	a.held = held
	a.Ports = Ports{HTTP: ports[0], RPC: ports[1], Serf: ports[2], MinDynamic: 20000 + int(counter.Add(1)-1)%70*150}
	a.Address = fmt.Sprintf("http://127.0.0.1:%d", a.Ports.HTTP)
	if err := os.MkdirAll(filepath.Join(a.Dir, "tmp"), 0o755); err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.ConfigPath(), []byte(a.baseConfig()), 0o600)
}

// Start prepares an agent, starts it and waits until it is ready.
func Start(ctx context.Context, opts Options) (*Agent, error) {
	a, err := New(opts)
	if err != nil {
		return nil, err
	}
	if err := a.Launch(); err != nil {
		return a, err
	}
	return a, a.Ready(ctx)
}

// The rig's ports are below those that the kernel hands out (32768 and up), and
// below the dynamic ports of its agents.
const firstPort, portCount = 10000, 10000

// reservePorts finds ports that nothing listens on and keeps them for the agent
// until it is destroyed, also while it does not run. A port is kept by an
// abstract Unix socket of its number: one rig at a time can have it, whatever
// process it is in, and the kernel frees it when that process ends.
func reservePorts(n int) (ports []int, held []net.Listener, err error) {
	start := rand.IntN(portCount)
	for i := 0; i < portCount && len(ports) < n; i++ {
		port := firstPort + (start+i)%portCount
		hold, err := net.Listen("unix", fmt.Sprintf("@serai-e2e-port-%d", port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			hold.Close()
			continue
		}
		l.Close()
		ports, held = append(ports, port), append(held, hold)
	}
	if len(ports) < n {
		release(held)
		return nil, nil, fmt.Errorf("no %d ports are free on 127.0.0.1 from %d to %d", n, firstPort, firstPort+portCount-1)
	}
	return ports, held, nil
}

func release(held []net.Listener) {
	for _, l := range held {
		l.Close()
	}
}

// DataDir is the agent's data directory.
func (a *Agent) DataDir() string { return filepath.Join(a.Dir, "data") }

// ConfigPath is the configuration that the rig wrote.
func (a *Agent) ConfigPath() string { return filepath.Join(a.Dir, "rig.hcl") }

// LogPath is where the agent's output goes.
func (a *Agent) LogPath() string { return filepath.Join(a.Dir, "agent.log") }

// Log gives the agent's output up to now.
func (a *Agent) Log() string {
	b, err := os.ReadFile(a.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (a *Agent) baseConfig() string {
	data := fmt.Sprintf("data_dir = %q\n", a.DataDir())
	if a.opts.Dev {
		data = ""
	}
	return fmt.Sprintf(`name      = %q
bind_addr = "127.0.0.1"
%s
ports {
  http = %d
  rpc  = %d
  serf = %d
}
server {
  enabled          = %t
  bootstrap_expect = 1
}
client {
  enabled          = %t
  servers          = [%s]
  min_dynamic_port = %d
  max_dynamic_port = %d
}
plugin "raw_exec" {
  config { enabled = true }
}
`, a.Mark, data, a.Ports.HTTP, a.Ports.RPC, a.Ports.Serf, len(a.opts.Servers) == 0, !a.opts.NoClient, quoted(a.opts.Servers), a.Ports.MinDynamic, a.Ports.MinDynamic+149)
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return strings.Join(out, ", ")
}

// Launch starts the process and does not wait for it to be ready.
func (a *Agent) Launch() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cmd != nil && !closed(a.done) {
		return errors.New("the agent runs already")
	}
	args := append(append([]string{}, a.opts.Wrap...), a.opts.Binary, "agent")
	if a.opts.Dev {
		args = append(args, "-dev")
	}
	args = append(args, "-config", a.ConfigPath())
	if a.opts.Token != "" {
		first := filepath.Join(a.Dir, "first-token")
		config := filepath.Join(a.Dir, "acl.hcl")
		text := fmt.Sprintf("acl {\n  enabled = true\n  initial_token_file = %q\n}\n", first)
		if err := errors.Join(os.WriteFile(first, []byte(a.opts.Token), 0o600), os.WriteFile(config, []byte(text), 0o600)); err != nil {
			return err
		}
		args = append(args, "-config", config)
	}
	if a.opts.Config != "" {
		extra := filepath.Join(a.Dir, "extra.hcl")
		if err := os.WriteFile(extra, []byte(a.opts.Config), 0o600); err != nil {
			return err
		}
		args = append(args, "-config", extra)
	}
	args = append(args, a.opts.Args...)
	log, err := os.OpenFile(a.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "--- rig: start %s\n", strings.Join(args, " "))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(a.Environ(), a.opts.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the tests is not for the agent
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	a.cmd, a.done = cmd, done
	go func() {
		err := cmd.Wait()
		a.mu.Lock()
		a.err = err
		a.mu.Unlock()
		close(done)
	}()
	return nil
}

// SetEnv replaces the further environment of the next start.
func (a *Agent) SetEnv(env ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opts.Env = env
}

// Swap replaces the binary and the further arguments of the next start.
func (a *Agent) Swap(binary string, args ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opts.Binary, a.opts.Args = binary, args
}

// Environ is the environment of the agent and of commands that talk to it.
func (a *Agent) Environ() []string {
	env := []string{"SERAI_E2E_MARK=" + a.Mark, "TMPDIR=" + filepath.Join(a.Dir, "tmp"), "SERAI_ADDR=" + a.Address}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "NOMAD_") || strings.HasPrefix(name, "SERAI_") || name == "TMPDIR" {
			continue
		}
		env = append(env, kv)
	}
	if a.opts.Token != "" {
		env = append(env, "NOMAD_TOKEN="+a.opts.Token)
	}
	return env
}

// Token is the first management token; empty: access control is off.
func (a *Agent) Token() string { return a.opts.Token }

// PID is the process ID of the agent.
func (a *Agent) PID() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cmd == nil || a.cmd.Process == nil {
		return 0
	}
	return a.cmd.Process.Pid
}

// Done is closed when the process has ended.
func (a *Agent) Done() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done
}

// Signal sends a signal to the agent's process alone.
func (a *Agent) Signal(s syscall.Signal) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cmd == nil || closed(a.done) {
		return os.ErrProcessDone
	}
	return a.cmd.Process.Signal(s)
}

// Kill ends the agent with SIGKILL and waits for its end. What it started lives on.
func (a *Agent) Kill() error {
	a.remember()
	if err := a.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-a.Done()
	return nil
}

// Stop sends a signal and gives the exit code; the process has 30 seconds.
func (a *Agent) Stop(s syscall.Signal) (int, error) {
	a.remember()
	if err := a.Signal(s); err != nil {
		return -1, err
	}
	return a.Wait(30 * time.Second)
}

// Wait gives the exit code of a process that ends by itself.
func (a *Agent) Wait(limit time.Duration) (int, error) {
	select {
	case <-a.Done():
	case <-time.After(limit):
		return -1, fmt.Errorf("the agent did not end within %s", limit)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cmd.ProcessState.ExitCode(), nil
}

// Ready waits until the agent answers, has a leader and (with a client) a
// ready node of its name: another that has its port is not taken for it.
func (a *Agent) Ready(ctx context.Context) error {
	path := "/v1/nodes"
	switch {
	case a.opts.NoClient:
		path = "/v1/status/leader"
	case len(a.opts.Servers) > 0:
		path = "/v1/agent/health?type=client"
	}
	last := "no answer yet"
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		body, err := a.get(ctx, path)
		switch {
		case err != nil:
			last = err.Error()
		case a.opts.NoClient && len(strings.TrimSpace(string(body))) > 2,
			len(a.opts.Servers) > 0,
			!a.opts.NoClient && strings.Contains(string(body), a.Mark) && strings.Contains(string(body), `"Status":"ready"`):
			return nil
		default:
			last = string(body)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the agent is not ready: %w; last answer of %s: %s", ctx.Err(), path, last)
		case <-a.Done():
			return fmt.Errorf("the agent ended before it was ready: %s", tail(a.Log(), 30))
		case <-tick.C:
		}
	}
}

var quick = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}

func (a *Agent) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Address+path, nil)
	if err != nil {
		return nil, err
	}
	if a.opts.Token != "" {
		req.Header.Set("X-Nomad-Token", a.opts.Token)
	}
	resp, err := quick.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return body, err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tail gives the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
