package tlsx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// Role is what a certificate lets its holder be.
type Role string

// Roles. A certificate for a role in a region has the name <role>.<region>.nomad
// or <role>.<region>.serai.
const (
	RoleServer Role = "server"
	RoleClient Role = "client"
	RoleCLI    Role = "cli" // people and tools: the HTTP API and nothing between agents
)

// domains are the last parts of the names that carry roles.
var domains = []string{"nomad", "serai"}

// Peer is who a certificate says that its holder is.
type Peer struct {
	Names  []string // DNS names, in lower case
	Node   string   // name of the agent; empty: the certificate does not say
	Serial string   // hexadecimal
}

// PeerOf reads a certificate. It does not verify it.
func PeerOf(c *x509.Certificate) Peer {
	p := Peer{Serial: SerialOf(c)}
	for _, name := range c.DNSNames {
		p.Names = append(p.Names, strings.ToLower(name))
	}
	for _, u := range c.URIs {
		if node, ok := nodeOf(u); ok {
			p.Node = node
		}
	}
	return p
}

// SerialOf gives the serial number of a certificate in hexadecimal.
func SerialOf(c *x509.Certificate) string { return fmt.Sprintf("%032x", c.SerialNumber) }

// Is says whether the peer has a role in a region.
func (p Peer) Is(role Role, region string) bool {
	for _, d := range domains {
		if slices.Contains(p.Names, RoleName(role, region, d)) {
			return true
		}
	}
	return false
}

// RoleIn gives the peer's role in a region, the most powerful one first; empty
// when it has none there.
func (p Peer) RoleIn(region string) Role {
	for _, r := range []Role{RoleServer, RoleClient, RoleCLI} {
		if p.Is(r, region) {
			return r
		}
	}
	return ""
}

// RoleAnywhere gives the role and the region of the first name that has one.
func (p Peer) RoleAnywhere() (role Role, region string) {
	for _, name := range p.Names {
		for _, d := range domains {
			rest, ok := strings.CutSuffix(name, "."+d)
			if !ok {
				continue
			}
			r, region, ok := strings.Cut(rest, ".")
			if ok && region != "" && slices.Contains([]Role{RoleServer, RoleClient, RoleCLI}, Role(r)) {
				return Role(r), region
			}
		}
	}
	return "", ""
}

// String tells the peer for errors.
func (p Peer) String() string {
	if p.Node != "" {
		return fmt.Sprintf("%s (%s)", p.Node, strings.Join(p.Names, ", "))
	}
	if len(p.Names) == 0 {
		return "a certificate without names"
	}
	return strings.Join(p.Names, ", ")
}

// RoleName gives the DNS name that carries a role; domain is one of nomad and serai.
func RoleName(role Role, region, domain string) string {
	return strings.ToLower(string(role) + "." + region + "." + domain)
}

// RoleNames gives every DNS name that carries a role.
func RoleNames(role Role, region string) []string {
	var out []string
	for _, d := range domains {
		out = append(out, RoleName(role, region, d))
	}
	return out
}

// NodeURI is the name in a certificate that says which agent it is for.
func NodeURI(region, node string) *url.URL {
	return &url.URL{Scheme: "serai", Host: "agent", Path: "/" + region + "/" + node}
}

func nodeOf(u *url.URL) (string, bool) {
	if u.Scheme != "serai" || u.Host != "agent" {
		return "", false
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	return parts[len(parts)-1], len(parts) == 2 && parts[1] != ""
}

// Must gives an error unless the peer has one of the roles in the region; for
// names what the role is needed for.
func (p Peer) Must(region, what string, roles ...Role) error {
	for _, r := range roles {
		if p.Is(r, region) {
			return nil
		}
	}
	var names []string
	for _, r := range roles {
		names = append(names, RoleName(r, region, domains[0]))
	}
	return api.Errorf(api.ErrDenied, "Permission denied: %s is for certificates with the name %s, and this one is for %s", what, strings.Join(names, " or "), p)
}

type peerKey struct{}

// WithPeer says in a context who called.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// PeerFrom gives who called; ok is false when the call did not show a certificate.
func PeerFrom(ctx context.Context) (p Peer, ok bool) {
	p, ok = ctx.Value(peerKey{}).(Peer)
	return p, ok
}

// PeerOn gives who is at the other end of a connection whose chain was
// verified; ok is false when it showed no certificate.
func PeerOn(cs *tls.ConnectionState) (p Peer, ok bool) {
	if cs == nil || len(cs.PeerCertificates) == 0 {
		return Peer{}, false
	}
	return PeerOf(cs.PeerCertificates[0]), true
}
