package network

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// shelf is a Store that outlives Managers.
type shelf struct {
	mu   sync.Mutex
	rows map[string][]byte
}

func newShelf() *shelf { return &shelf{rows: map[string][]byte{}} }

func (s *shelf) PutNetwork(id string, record any) error {
	b, err := json.Marshal(record)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[id] = b
	return err
}

func (s *shelf) DeleteNetwork(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, id)
	return nil
}

func (s *shelf) Networks() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rows), nil
}

// node is a machine with an agent that can be ended and started.
type node struct {
	*Manager
	cfg  Config
	dead map[string]bool // allocations that are over
	mu   sync.Mutex
}

func newNode(t testing.TB, change ...func(*Config)) *node {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	n := &node{dead: map[string]bool{}}
	n.cfg = Config{
		Logger: testLogger(t), Dir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"), Node: uuid.NewString(),
		Store: newShelf(), Interval: 20 * time.Millisecond,
		Living: func(id string) bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.dead[id] },
	}
	for _, c := range change {
		c(&n.cfg)
	}
	n.begin(t)
	t.Cleanup(func() {
		if err := n.Remove(context.Background()); err != nil {
			t.Error(err)
		}
		n.Close()
		n.nothing(t)
	})
	return n
}

// begin starts an agent in place of the one before.
func (n *node) begin(t testing.TB) {
	t.Helper()
	if n.Manager != nil {
		n.Close()
	}
	m, err := New(n.cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Manager = m
}

// over ends allocations.
func (n *node) over(ids ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		n.dead[id] = true
	}
}

// nothing fails the test for what is left on the machine.
func (n *node) nothing(t testing.TB) {
	t.Helper()
	for _, left := range n.leftovers(t) {
		t.Errorf("left: %s", left)
	}
}

// leftovers lists all that is there but what the machine came with.
func (n *node) leftovers(t testing.TB) []string {
	t.Helper()
	var out []string
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Name != "lo" && l.Name != "uplink" && l.Name != "world" {
			out = append(out, "device "+l.Name)
		}
	}
	for line := range strings.Lines(run(t, "nft", "list", "tables")) {
		if strings.Contains(line, "serai") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, n.cfg.Dir) {
			out = append(out, "mount "+line)
		}
	}
	files, _ := filepath.Glob(filepath.Join(n.cfg.Dir, "netns", "*"))
	out = append(out, files...)
	rows, _ := n.cfg.Store.Networks()
	for id := range rows {
		out = append(out, "record "+id)
	}
	return out
}

// up gives an allocation a bridged network.
func (n *node) up(t testing.TB, ports ...Port) (id string, p Pod) {
	t.Helper()
	id = uuid.NewString()
	p, err := n.Up(t.Context(), Request{AllocID: id, Mode: ModeBridge, Hostname: "pod", Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	return id, p
}

func portAt(ip string, host, inside int) Port {
	return Port{Label: "p", HostIP: netip.MustParseAddr(ip), Host: uint16(host), Inside: uint16(inside)}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// ns enters a pod with a command.
func ns(p Pod, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + p.Namespace.Path}, args...)...)
}

// inNS runs f in a pod: sockets that it makes are the pod's.
func inNS(t testing.TB, p Pod, f func() error) {
	t.Helper()
	if err := (namespace{path: p.Namespace.Path}).within(f); err != nil {
		t.Fatal(err)
	}
}

// serve answers TCP connections in a pod with a text and the peer's address, and
// UDP packets with the text.
func serve(t testing.TB, p Pod, address, text string) {
	t.Helper()
	inNS(t, p, func() error { return listen(t, address, text) })
}

func listen(t testing.TB, address, text string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		l.Close()
		return err
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s %s", text, c.RemoteAddr())
			c.Close()
		}
	})
	work.Go(func() {
		var b [64]byte
		for {
			_, from, err := u.ReadFrom(b[:])
			if err != nil {
				return
			}
			_, _ = u.WriteTo([]byte(text), from)
		}
	})
	t.Cleanup(func() {
		l.Close()
		u.Close()
		work.Wait()
	})
	return nil
}

// patience is for what should answer at once, on a busy machine; brief for what
// should never.
const (
	patience = 10 * time.Second
	brief    = 400 * time.Millisecond
)

// ask connects and gives what the other side says.
func ask(address string) (string, error)      { return dial("tcp", address, patience) }
func probeTCP(address string) (string, error) { return dial("tcp", address, brief) }

// askUDP sends a packet and gives the answer.
func askUDP(address string) (string, error)   { return dial("udp", address, patience) }
func probeUDP(address string) (string, error) { return dial("udp", address, brief) }

func dial(network, address string, limit time.Duration) (string, error) {
	c, err := net.DialTimeout(network, address, limit)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	if network == "tcp" {
		b, err := io.ReadAll(c)
		return string(b), err
	}
	if _, err := c.Write([]byte("?")); err != nil {
		return "", err
	}
	var b [64]byte
	k, err := c.Read(b[:])
	return string(b[:k]), err
}

// fromPod does something in a pod and gives what it says.
func fromPod(t testing.TB, p Pod, f func(string) (string, error), address string) (out string, err error) {
	t.Helper()
	inNS(t, p, func() error {
		out, err = f(address)
		return nil
	})
	return out, err
}

func answers(t testing.TB, want string) func(string, error) {
	return func(got string, err error) {
		t.Helper()
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
}

func silent(t testing.TB, what string) func(string, error) {
	return func(got string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// inNamespace says whether a process is in a namespace.
func inNamespace(pid int, inode uint64) bool {
	text, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && text == fmt.Sprintf("net:[%d]", inode)
}
