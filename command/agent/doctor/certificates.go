package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

const renew = "make a new certificate, \"serai tls cert create\", put it in place and send the agent SIGHUP; agents that joined with \"serai join\" renew by themselves: look into their logs"

// certificates looks at the TLS block and at what its files hold.
func (x *examination) certificates() {
	t := x.Config.TLS
	if t.CertFile == "" && t.CAFile == "" {
		return // told by exposure, where it matters
	}
	authorities, err := tlsx.ReadCertificates(t.CAFile)
	if err != nil {
		x.report.fail("tls.ca", "name the PEM file of the authority in tls { ca_file }", "ca_file: %v", err)
	}
	for _, ca := range authorities {
		x.validity("tls.ca_expiry", "authority "+ca.Subject.CommonName, ca, "make a new authority in good time; all agents must know it before the first certificate by it")
	}
	chain, err := tlsx.ReadCertificates(t.CertFile)
	if err != nil {
		x.report.fail("tls.certificate", "name the PEM file of the agent's certificate in tls { cert_file }", "cert_file: %v", err)
		return
	}
	leaf := chain[0]
	if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
		x.report.fail("tls.key", "put the key in place that belongs to the certificate", "key_file %s does not go with %s: %v", t.KeyFile, t.CertFile, err)
	} else {
		x.report.ok("tls.key", "key and certificate belong together")
	}
	x.validity("tls.expiry", "the agent's certificate", leaf, renew)
	x.chain(chain, authorities)
	x.role(leaf)
}

// validity looks at the time of a certificate: the last fifth of it, and no less
// than a day, is a warning.
func (x *examination) validity(check, what string, c *x509.Certificate, mend string) {
	now := x.Host.Now()
	left := c.NotAfter.Sub(now)
	switch {
	case now.Before(c.NotBefore):
		x.report.fail(check, "set the clock of this machine, or wait", "%s is valid only from %s, and it is %s here", what, stamp(c.NotBefore), stamp(now))
	case left <= 0:
		x.report.fail(check, mend, "%s has expired on %s", what, stamp(c.NotAfter))
	case left < max(c.NotAfter.Sub(c.NotBefore)/5, 24*time.Hour):
		x.report.warn(check, mend, "%s expires on %s, in %d days", what, stamp(c.NotAfter), int(left.Hours()/24))
	default:
		x.report.ok(check, "%s is valid until %s", what, stamp(c.NotAfter))
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// chain looks whether the authority vouches for the certificate, whatever the
// time: that is told apart.
func (x *examination) chain(chain, authorities []*x509.Certificate) {
	if len(authorities) == 0 {
		return
	}
	trusted := slices.Clone(authorities)
	for _, between := range slices.Backward(chain[1:]) {
		if between.IsCA && signed(between, trusted) {
			trusted = append(trusted, between)
		}
	}
	if !signed(chain[0], trusted) {
		x.report.fail("tls.chain", "use a certificate by the authority in ca_file, or add its authority there", "the agent's certificate is by %q, which is not in %s", chain[0].Issuer.CommonName, x.Config.TLS.CAFile)
		return
	}
	x.report.ok("tls.chain", "the agent's certificate is by the authority in ca_file")
}

func signed(c *x509.Certificate, by []*x509.Certificate) bool {
	return slices.ContainsFunc(by, func(a *x509.Certificate) bool { return c.CheckSignatureFrom(a) == nil })
}

// role looks whether the certificate lets the agent be what it is configured as.
func (x *examination) role(leaf *x509.Certificate) {
	c := x.Config
	if !c.TLS.RPC {
		return
	}
	want := tlsx.RoleClient
	if c.Server.Enabled {
		want = tlsx.RoleServer
	}
	name := tlsx.RoleName(want, c.Region, "nomad")
	if got := tlsx.PeerOf(leaf).RoleIn(c.Region); got != want && got != tlsx.RoleServer {
		x.report.fail("tls.role", "make a certificate with that name: \"serai tls cert create -"+string(want)+" -region "+c.Region+"\"", "the certificate has no name %s: other agents will not take this one for a %s (it has %v)", name, want, leaf.DNSNames)
		return
	}
	x.report.ok("tls.role", "the certificate lets the agent be a %s of region %s", want, c.Region)
}
