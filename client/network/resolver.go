package network

import (
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/seraihq/serai/drivers"
)

// resolvConf are the places where a node says whom it asks for names: the usual
// one, and that of systemd's resolver, which stands behind a loopback address.
var resolvConf = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// Resolver gives the resolver that pods need when the node's own cannot be
// theirs; nil: the node's serves. reachable is false when no other is known.
func Resolver() (dns *drivers.DNS, reachable bool) {
	for i, path := range resolvConf {
		d := readResolver(path)
		if d == nil || len(d.Servers) == 0 {
			continue
		}
		if i == 0 {
			return nil, true
		}
		return d, true
	}
	return nil, !named(resolvConf[0])
}

// named says whether a file names servers at all.
func named(path string) bool {
	text, err := readLimited(path, resolverLimit)
	return err == nil && strings.Contains("\n"+text, "\nnameserver")
}

// readResolver gives what a file says, with those servers that are not on the
// node's loopback.
func readResolver(path string) *drivers.DNS {
	text, err := readLimited(path, resolverLimit)
	if err != nil {
		return nil
	}
	return parseResolver(text)
}

func parseResolver(text string) *drivers.DNS {
	d := &drivers.DNS{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil && !a.IsLoopback() {
				d.Servers = append(d.Servers, words[1])
			}
		case "search", "domain":
			d.Searches = words[1:]
		case "options":
			d.Options = append(d.Options, words[1:]...)
		}
	}
	return d
}

// resolverLimit bounds what is read of a resolver's file, in bytes.
const resolverLimit = 64 << 10

// readLimited gives the beginning of a file.
func readLimited(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	return string(b), err
}
