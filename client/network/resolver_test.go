package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolver(t *testing.T) {
	saved := resolvConf
	t.Cleanup(func() { resolvConf = saved })
	for name, c := range map[string]struct {
		node, behind string
		want         string // servers; "-" for the node's own
		reachable    bool
	}{
		"its own":          {"nameserver 192.0.2.1\n", "", "-", true},
		"stub":             {"nameserver 127.0.0.53\noptions edns0\n", "nameserver 192.0.2.2\nnameserver 2001:db8::1\nsearch lan\n", "192.0.2.2 2001:db8::1", true},
		"one of two":       {"nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "", "-", true},
		"nobody else":      {"nameserver ::1\n", "", "-", false},
		"none is named":    {"# empty\n", "", "-", true},
		"there is no file": {"", "", "-", true},
	} {
		dir := t.TempDir()
		resolvConf = []string{filepath.Join(dir, "node"), filepath.Join(dir, "behind")}
		for i, text := range []string{c.node, c.behind} {
			if text != "" {
				if err := os.WriteFile(resolvConf[i], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		dns, reachable := Resolver()
		got := "-"
		if dns != nil {
			got = strings.Join(dns.Servers, " ")
		}
		if got != c.want || reachable != c.reachable {
			t.Errorf("%s: %s %v", name, got, reachable)
		}
	}
}

// Whatever stands in the file of a node, what comes of it are addresses and
// single words.
func FuzzResolver(f *testing.F) {
	f.Add("nameserver 192.0.2.1\nsearch a b\noptions ndots:1\n")
	f.Add("nameserver\tfe80::1%eth0\r\ndomain x\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := parseResolver(text)
		for _, s := range d.Servers {
			if a, err := netip.ParseAddr(s); err != nil || a.IsLoopback() {
				t.Errorf("server %q", s)
			}
		}
		for _, s := range append(d.Searches, d.Options...) {
			if s == "" || strings.ContainsAny(s, " \t\r\n") {
				t.Errorf("%q is not a word", s)
			}
		}
	})
}
