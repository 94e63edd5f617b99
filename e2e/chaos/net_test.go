package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// network is a bridge in a namespace of its own, and namespaces that hang on it.
type network struct {
	mark  string
	hosts []string // names of the namespaces
}

func hubOf(mark string) string { return mark + "-hub" }

// address is that of a host on the bridge.
func address(i int) string { return fmt.Sprintf("10.99.7.%d", i+1) }

// run runs a tool; an error has what it said.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// newNetwork makes a network of n hosts, and removes it when the test ends.
func newNetwork(t *testing.T, n int) *network {
	t.Helper()
	nw := &network{mark: fmt.Sprintf("sc%d", os.Getpid())}
	hub := hubOf(nw.mark)
	do := func(args ...string) {
		t.Helper()
		if err := run("ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, ns := range append(nw.hosts, hub) {
			_ = run("ip", "netns", "del", ns)
		}
	})
	do("netns", "add", hub)
	do("-n", hub, "link", "add", "br0", "type", "bridge")
	do("-n", hub, "addr", "add", "10.99.7.254/24", "dev", "br0")
	do("-n", hub, "link", "set", "br0", "up")
	for i := range n {
		ns := fmt.Sprintf("%s-%d", nw.mark, i)
		do("netns", "add", ns)
		nw.hosts = append(nw.hosts, ns)
		do("-n", hub, "link", "add", fmt.Sprintf("v%d", i), "type", "veth", "peer", "name", "eth0", "netns", ns)
		do("-n", hub, "link", "set", fmt.Sprintf("v%d", i), "master", "br0", "up")
		do("-n", ns, "addr", "add", address(i)+"/24", "dev", "eth0")
		do("-n", ns, "link", "set", "eth0", "up")
		do("-n", ns, "link", "set", "lo", "up")
		nft(t, ns, "add table inet chaos; add chain inet chaos in { type filter hook input priority 0; }")
	}
	return nw
}

func nft(t *testing.T, ns, script string) {
	t.Helper()
	if err := run("nsenter", "--net=/run/netns/"+ns, "nft", script); err != nil {
		t.Error(err)
	}
}

// cut drops what host i hears from host j, one way.
func (nw *network) cut(t *testing.T, i, j int) {
	t.Helper()
	nft(t, nw.hosts[i], "add rule inet chaos in ip saddr "+address(j)+" drop")
}

// heal removes all cuts.
func (nw *network) heal(t *testing.T) {
	t.Helper()
	for _, ns := range nw.hosts {
		nft(t, ns, "flush chain inet chaos in")
	}
}

// dial connects from within the hub's namespace.
func (nw *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The thread is left in the namespace and ends with the goroutine.
		runtime.LockOSThread()
		ns, err := os.Open("/run/netns/" + hubOf(nw.mark))
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, err}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
