package network

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// What a hostile task tries that has every right inside its pod: root, raw
// sockets, its own routes.

// frame sends a frame as it is from a pod.
func frame(t *testing.T, p Pod, b []byte) {
	t.Helper()
	inNS(t, p, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		i, err := net.InterfaceByName(Interface)
		if err != nil {
			return err
		}
		return unix.Sendto(fd, b, 0, &unix.SockaddrLinklayer{Ifindex: i.Index, Halen: 6})
	})
}

func mac(p Pod) net.HardwareAddr { return (&Record{Address: p.Address}).mac() }

// arp is an unasked answer: sender has the address ip.
func arp(ether, sender net.HardwareAddr, ip, to netip.Addr) []byte {
	b := append(append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ether...), 0x08, 0x06)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 2)
	b = append(append(b, sender...), ip.AsSlice()...)
	return append(append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), to.AsSlice()...)
}

// datagram is a whole frame with a UDP packet.
func datagram(ether, to net.HardwareAddr, from, dst netip.AddrPort, text string) []byte {
	b := append(append(append([]byte{}, to...), ether...), 0x08, 0x00)
	h := make([]byte, 28)
	h[0], h[8], h[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(h[2:], uint16(28+len(text)))
	copy(h[12:], from.Addr().AsSlice())
	copy(h[16:], dst.Addr().AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum))
	binary.BigEndian.PutUint16(h[20:], from.Port())
	binary.BigEndian.PutUint16(h[22:], dst.Port())
	binary.BigEndian.PutUint16(h[24:], uint16(8+len(text)))
	return append(append(b, h...), text...)
}

// received lists what comes to a UDP socket up to the text "end".
func received(t *testing.T, c net.PacketConn, end func()) []string {
	t.Helper()
	end()
	var out []string
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		var b [100]byte
		n, _, err := c.ReadFrom(b[:])
		if err != nil {
			t.Fatalf("the honest packet did not come: %v", err)
		}
		if string(b[:n]) == "end" {
			return out
		}
		out = append(out, string(b[:n]))
	}
}

func TestEscapeAnothersName(t *testing.T) {
	n := newNode(t)
	_, evil := n.up(t)
	_, good := n.up(t)
	_, third := n.up(t)
	serve(t, good, ":80", "good")
	bridge := (&Record{Address: n.set.gateway.Addr()}).mac()
	host, err := net.ListenPacket("udp", net.JoinHostPort(n.set.gateway.Addr().String(), "9000"))
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	answers(t, "good")(fromPod(t, third, ask, good.Address.String()+":80"))
	answers(t, "good")(ask(good.Address.String() + ":80"))

	to := netip.AddrPortFrom(n.set.gateway.Addr(), 9000)
	at := func(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 9000) }
	got := received(t, host, func() {
		for range 3 {
			// By ARP, to the node and to a third pod; with its own and with a foreign MAC.
			frame(t, evil, arp(mac(evil), mac(evil), good.Address, n.set.gateway.Addr()))
			frame(t, evil, arp(mac(good), mac(good), good.Address, n.set.gateway.Addr()))
			frame(t, evil, arp(mac(evil), mac(good), evil.Address, n.set.gateway.Addr()))
			frame(t, evil, arp(mac(evil), mac(evil), n.set.gateway.Addr(), third.Address))
			frame(t, evil, arp(mac(evil), mac(evil), good.Address, third.Address))
			// By IP.
			frame(t, evil, datagram(mac(evil), bridge, at(good.Address), to, "as the other"))
			frame(t, evil, datagram(mac(good), bridge, at(evil.Address), to, "with its MAC"))
			frame(t, evil, datagram(mac(evil), bridge, at(netip.MustParseAddr("127.0.0.1")), to, "as loopback"))
			frame(t, evil, datagram(mac(evil), bridge, at(netip.MustParseAddr("192.0.2.77")), to, "as a stranger"))
		}
		frame(t, evil, datagram(mac(evil), bridge, at(evil.Address), to, "end"))
	})
	if len(got) > 0 {
		t.Errorf("came through: %q", got)
	}
	answers(t, "good")(fromPod(t, third, ask, good.Address.String()+":80"))
	answers(t, "good")(ask(good.Address.String() + ":80"))
	for _, p := range []Pod{third} {
		out, err := ns(p, "ip", "neigh").CombinedOutput()
		if err != nil || strings.Contains(string(out), mac(evil).String()) {
			t.Errorf("a pod believes it: %s %v", out, err)
		}
	}
	if out := run(t, "ip", "neigh"); strings.Contains(out, good.Address.String()+" dev serai lladdr "+mac(evil).String()) {
		t.Errorf("the node believes it: %s", out)
	}
}

func TestEscapeNodesLoopback(t *testing.T) {
	n := newNode(t)
	// A port on loopback opens the kernel's door for it.
	_, evil := n.up(t, portAt("127.0.0.1", 8081, 80))
	_, other := n.up(t)
	if err := listen(t, "127.0.0.1:9001", "secret"); err != nil {
		t.Fatal(err)
	}
	serve(t, other, "127.0.0.1:9001", "other's secret")
	host, err := net.ListenPacket("udp", "127.0.0.1:9002")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	silent(t, "by the bridge's address")(fromPod(t, evil, probeTCP, n.set.gateway.Addr().String()+":9001"))
	silent(t, "by the node's address")(fromPod(t, evil, probeTCP, "192.0.2.10:9001"))
	silent(t, "another pod's")(fromPod(t, evil, probeTCP, other.Address.String()+":9001"))
	// With routes of its own.
	inNS(t, evil, func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0) })
	for _, via := range []string{n.set.gateway.Addr().String(), other.Address.String()} {
		for _, args := range [][]string{{"route", "flush", "table", "local", "127.0.0.0/8"}, {"route", "replace", "127.0.0.1", "via", via}} {
			_ = ns(evil, append([]string{"ip"}, args...)...).Run()
		}
		silent(t, "by a route over "+via)(fromPod(t, evil, probeTCP, "127.0.0.1:9001"))
	}
	// And by hand.
	bridge := (&Record{Address: n.set.gateway.Addr()}).mac()
	lo := netip.MustParseAddrPort("127.0.0.1:9002")
	got := received(t, host, func() {
		frame(t, evil, datagram(mac(evil), bridge, netip.AddrPortFrom(evil.Address, 9), lo, "as itself"))
		frame(t, evil, datagram(mac(evil), bridge, netip.MustParseAddrPort("127.0.0.1:9"), lo, "as loopback"))
		c, err := net.Dial("udp", "127.0.0.1:9002")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("end"))
	})
	if len(got) > 0 {
		t.Errorf("came through: %q", got)
	}
}

func TestEscapeMetadata(t *testing.T) {
	n := newNode(t, withV6)
	_, evil := n.up(t)
	for _, a := range []string{"169.254.169.254/32", "fd00:ec2::254/128"} {
		run(t, "ip", "addr", "add", a, "dev", "lo", "nodad")
		t.Cleanup(func() { run(t, "ip", "addr", "del", a, "dev", "lo") })
	}
	for _, a := range []string{"169.254.169.254:80", "[fd00:ec2::254]:80"} {
		if err := listen(t, a, "credentials"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the address is there", func() bool { _, err := ask(a); return err == nil })
		began := time.Now()
		silent(t, a)(fromPod(t, evil, probeTCP, a))
		if time.Since(began) > brief {
			t.Errorf("%s: nobody says that the way is closed", a)
		}
		silent(t, a+" by UDP")(fromPod(t, evil, probeUDP, a))
	}
	// Also where another translates it.
	if err := listen(t, "192.0.2.10:9003", "credentials"); err != nil {
		t.Fatal(err)
	}
	run(t, "nft", "add", "table", "ip", "cloud")
	t.Cleanup(func() { run(t, "nft", "delete", "table", "ip", "cloud") })
	run(t, "nft", "add", "chain", "ip", "cloud", "pre", "{ type nat hook prerouting priority -150; }")
	run(t, "nft", "add", "rule", "ip", "cloud", "pre", "ip daddr 169.254.169.254 tcp dport 80 dnat to 192.0.2.10:9003")
	silent(t, "translated by another")(fromPod(t, evil, probeTCP, "169.254.169.254:80"))
}

// From outside a pod is reached by its ports alone.
func TestEscapeFromOutside(t *testing.T) {
	n := newNode(t)
	_, a := n.up(t, portAt("192.0.2.10", 8080, 80), portAt("127.0.0.1", 8081, 80))
	serve(t, a, ":80", "a")
	if err := listen(t, "127.0.0.1:9004", "secret"); err != nil {
		t.Fatal(err)
	}
	lan := namespace{path: filepath.Join(t.TempDir(), "lan")}
	if err := lan.make(); err != nil {
		t.Fatal(err)
	}
	outside := Pod{Namespace: &drivers.NetworkIsolation{Path: lan.path}}
	run(t, "ip", "link", "set", "world", "netns", lan.path)
	t.Cleanup(func() {
		out, err := ns(outside, "ip", "link", "set", "world", "netns", "/proc/"+strconv.Itoa(os.Getpid())+"/ns/net").CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		run(t, "ip", "link", "set", "world", "up")
		if err := lan.remove(); err != nil {
			t.Error(err)
		}
	})
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "192.0.2.20/24", "dev", "world"}, {"link", "set", "world", "up"},
		{"route", "add", "172.26.64.0/20", "via", "192.0.2.10"}} {
		if out, err := ns(outside, append([]string{"ip"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	answers(t, "a 192.0.2.20")(fromPod(t, outside, ask, "192.0.2.10:8080")) // who asks is seen
	silent(t, "the pod's own address")(fromPod(t, outside, probeTCP, a.Address.String()+":80"))
	_ = ns(outside, "ip", "route", "flush", "table", "local", "127.0.0.0/8").Run()
	_ = ns(outside, "ip", "route", "replace", "127.0.0.1", "via", "192.0.2.10").Run()
	inNS(t, outside, func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0) })
	silent(t, "the node's loopback")(fromPod(t, outside, probeTCP, "127.0.0.1:9004"))
	silent(t, "a port on the node's loopback")(fromPod(t, outside, probeTCP, "127.0.0.1:8081"))
	// Pods reach the world by the node's address.
	serve(t, outside, "192.0.2.20:80", "world")
	answers(t, "world 192.0.2.10")(fromPod(t, a, ask, "192.0.2.20:80"))
}
