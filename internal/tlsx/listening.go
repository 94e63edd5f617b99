package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
)

// Callers says whose certificates a listener wants.
type Callers int

const (
	// Anyone may call, with a certificate or without. One that is shown must be good.
	Anyone Callers = iota
	// Known callers have a certificate of an authority that is trusted.
	Known
)

// Listening makes the configuration of a listener.
//
// protos are what it speaks, preferred first. allow looks at who calls and may
// be nil; it is asked once the chain is verified and not for Anyone without a
// certificate. The protocol ProtoJoin, where it is in protos, is for callers
// without a certificate whatever callers says, and allow is not asked.
func (k *Keys) Listening(callers Callers, protos []string, allow func(proto string, p Peer) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Each connection gets what holds when it comes.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			m := k.now.Load()
			c := m.config()
			c.NextProtos = slices.DeleteFunc(slices.Clone(protos), func(p string) bool { return p == ProtoJoin })
			if slices.Contains(protos, ProtoJoin) && slices.Equal(hello.SupportedProtos, []string{ProtoJoin}) {
				c.NextProtos, c.MinVersion = []string{ProtoJoin}, tls.VersionTLS13
				c.Certificates[0] = m.whole()
				return c, nil
			}
			c.ClientCAs = m.pool
			c.ClientAuth = tls.VerifyClientCertIfGiven
			if callers == Known {
				c.ClientAuth = tls.RequireAndVerifyClientCert
			}
			c.VerifyConnection = func(cs tls.ConnectionState) error {
				p, ok := PeerOn(&cs)
				switch {
				case !ok:
					return nil // ClientAuth has decided
				case k.Revoked(p.Serial):
					return errRevoked(p)
				case allow != nil:
					return allow(cs.NegotiatedProtocol, p)
				}
				return nil
			}
			return c, nil
		},
	}
}

func errRevoked(p Peer) error {
	return api.Errorf(api.ErrDenied, "Permission denied: the certificate %s of %s is revoked", p.Serial, p)
}

// config is what listeners and dialers have in common.
func (m *material) config() *tls.Config {
	return &tls.Config{
		MinVersion: m.options.Min, CipherSuites: m.options.Suites,
		Certificates:           []tls.Certificate{m.cert},
		SessionTicketsDisabled: true, // who calls is looked at each time
		Renegotiation:          tls.RenegotiateNever,
	}
}

// whole is the certificate with the authorities behind it, for callers that
// know nothing but an authority's hash.
func (m *material) whole() tls.Certificate {
	c := m.cert
	c.Certificate = slices.Clone(c.Certificate)
	for _, a := range m.authorities {
		c.Certificate = append(c.Certificate, a.Raw)
	}
	return c
}

// verify looks at what a server that was dialed shows.
func (k *Keys) verify(cs tls.ConnectionState, check func(Peer) error) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("it showed no certificate")
	}
	leaf, between := cs.PeerCertificates[0], x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	if err := validNow(leaf, time.Now()); err != nil {
		return err
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: k.now.Load().pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("its certificate for %s is not signed by an authority of tls.ca_file: %w", PeerOf(leaf), err)
	}
	p := PeerOf(leaf)
	if k.Revoked(p.Serial) {
		return errRevoked(p)
	}
	return check(p)
}
