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

// network is namespaces, one per host, whose only device is a TAP: what they send
// comes to this process, which passes it on (switch_test.go). The last of them is
// the callers'.
type network struct {
	mark  string
	hosts []string // names of the namespaces
	*fabric
}

// hub is the index of the callers' namespace.
func (nw *network) hub() int { return len(nw.hosts) - 1 }

// address is that of a host.
func address(i int) string { return fmt.Sprintf("10.99.7.%d", i+1) }

// run runs a tool; an error has what it said.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// newNetwork makes a network of n hosts and the callers', and removes it when the
// test ends.
func newNetwork(t *testing.T, n int) *network {
	t.Helper()
	nw := &network{mark: fmt.Sprintf("sc%d", os.Getpid())}
	do := func(args ...string) {
		t.Helper()
		if err := run("ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if nw.fabric != nil {
			nw.fabric.close()
		}
		for _, ns := range nw.hosts {
			_ = run("ip", "netns", "del", ns)
		}
	})
	var taps []*os.File
	for i := range n + 1 {
		ns := fmt.Sprintf("%s-%d", nw.mark, i)
		do("netns", "add", ns)
		nw.hosts = append(nw.hosts, ns)
		tap, err := openTap(ns, "eth0")
		if err != nil {
			t.Fatal(err)
		}
		taps = append(taps, tap)
		do("-n", ns, "link", "set", "eth0", "address", mac(i).String())
		do("-n", ns, "addr", "add", address(i)+"/24", "dev", "eth0")
		do("-n", ns, "link", "set", "eth0", "up")
		do("-n", ns, "link", "set", "lo", "up")
		nft(t, ns, "add table inet chaos; add chain inet chaos in { type filter hook input priority 0; }")
	}
	nw.fabric = newFabric(taps)
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

// lose drops so many of a hundred packets that host i hears from other agents.
func (nw *network) lose(t *testing.T, i, percent int) {
	t.Helper()
	nft(t, nw.hosts[i], fmt.Sprintf("add rule inet chaos in ip saddr != %s numgen random mod 100 < %d drop", address(nw.hub()), percent))
}

// heal ends all cuts, losses and delays.
func (nw *network) heal(t *testing.T) {
	t.Helper()
	for _, ns := range nw.hosts {
		nft(t, ns, "flush chain inet chaos in")
	}
	nw.calm()
}

// within runs something on a thread that is in a namespace. The thread ends with
// the goroutine.
func within[T any](ns string, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		var r result
		defer func() { done <- r }()
		f, err := os.Open("/run/netns/" + ns)
		if err != nil {
			r.err = err
			return
		}
		defer f.Close()
		if r.err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); r.err == nil {
			r.value, r.err = do()
		}
	}()
	r := <-done
	return r.value, r.err
}

// dial connects from where the callers are.
func (nw *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return within(nw.hosts[nw.hub()], func() (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	})
}

// listen listens where the callers are.
func (nw *network) listen(addr string) (net.Listener, error) {
	return within(nw.hosts[nw.hub()], func() (net.Listener, error) { return net.Listen("tcp", addr) })
}
