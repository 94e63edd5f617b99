package tlsx

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Files name where an agent's keys are, in PEM form.
type Files struct {
	CA   string // authorities to trust, one or several
	Cert string // the agent's certificate, and those between it and its authority
	Key  string
}

// Options are what Open needs.
type Options struct {
	Files  Files
	Min    uint16   // lowest version; 0: TLS 1.2
	Suites []uint16 // of TLS 1.2; nil: all that are safe
}

// Keys are an agent's certificate and whom it trusts. Safe for concurrent use;
// connections that are open stay when they change.
type Keys struct {
	now     atomic.Pointer[material]
	revoked atomic.Pointer[map[string]bool] // serial numbers

	mu   sync.Mutex
	held map[string]map[*func()]bool // by serial number: what ends when it is revoked
}

// material is what one reading of the files gave.
type material struct {
	options     Options
	cert        tls.Certificate
	leaf        *x509.Certificate
	pool        *x509.CertPool
	authorities []*x509.Certificate
}

// maxPEM bounds a file of keys or certificates in bytes.
const maxPEM = 1 << 20

// Open reads an agent's keys. What would not work is refused: a key of another
// certificate, a certificate that none of the authorities signed or that is
// not valid now.
func Open(o Options) (*Keys, error) {
	m, err := read(o)
	if err != nil {
		return nil, err
	}
	k := &Keys{}
	k.now.Store(m)
	k.revoked.Store(&map[string]bool{})
	return k, nil
}

// Reload reads the keys anew; after an error the old ones hold.
func (k *Keys) Reload(o Options) error {
	m, err := read(o)
	if err != nil {
		return err
	}
	k.now.Store(m)
	return nil
}

// Options gives what was last read.
func (k *Keys) Options() Options { return k.now.Load().options }

// Leaf gives the agent's own certificate.
func (k *Keys) Leaf() *x509.Certificate { return k.now.Load().leaf }

// Own gives who this agent is.
func (k *Keys) Own() Peer { return PeerOf(k.Leaf()) }

// Authorities lists whom the agent trusts.
func (k *Keys) Authorities() []*x509.Certificate { return k.now.Load().authorities }

// Revoke replaces the serial numbers of certificates that are not taken any more.
// What was held by them ends.
func (k *Keys) Revoke(serials map[string]bool) {
	k.revoked.Store(&serials)
	k.mu.Lock()
	var ends []*func()
	for serial := range serials {
		for end := range k.held[serial] {
			ends = append(ends, end)
		}
		delete(k.held, serial)
	}
	k.mu.Unlock()
	for _, end := range ends {
		(*end)()
	}
}

// Hold has end called once when the certificate is revoked, until release is
// called. For one that is revoked already it is called at once.
func (k *Keys) Hold(serial string, end func()) (release func()) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]map[*func()]bool{}
	}
	if k.held[serial] == nil {
		k.held[serial] = map[*func()]bool{}
	}
	k.held[serial][&end] = true
	k.mu.Unlock()
	release = func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.held[serial], &end)
		if len(k.held[serial]) == 0 {
			delete(k.held, serial)
		}
	}
	if k.Revoked(serial) {
		release()
		end()
	}
	return release
}

// Revoked says whether a certificate is not taken any more.
func (k *Keys) Revoked(serial string) bool { return (*k.revoked.Load())[serial] }

func read(o Options) (*material, error) {
	for name, file := range map[string]string{"ca_file": o.Files.CA, "cert_file": o.Files.Cert, "key_file": o.Files.Key} {
		if file == "" {
			return nil, fmt.Errorf("tls: %s is missing; TLS needs ca_file, cert_file and key_file", name)
		}
	}
	m := &material{options: o, pool: x509.NewCertPool()}
	if m.options.Min == 0 {
		m.options.Min = tls.VersionTLS12
	}
	if m.options.Suites == nil {
		m.options.Suites = suites
	}
	var err error
	if m.authorities, err = ReadCertificates(o.Files.CA); err != nil {
		return nil, fmt.Errorf("tls: ca_file %w", err)
	}
	for _, a := range m.authorities {
		m.pool.AddCert(a)
	}
	certPEM, err := readFile(o.Files.Cert)
	if err != nil {
		return nil, fmt.Errorf("tls: cert_file %w", err)
	}
	keyPEM, err := readFile(o.Files.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: key_file %w", err)
	}
	defer clear(keyPEM)
	if m.cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("tls: cert_file %s and key_file %s do not work together: %w", o.Files.Cert, o.Files.Key, err)
	}
	m.leaf = m.cert.Leaf
	return m, m.check()
}

// check verifies the agent's own certificate, so that a mistake is told here
// and not by every agent that is talked to.
func (m *material) check() error {
	between := x509.NewCertPool()
	for _, der := range m.cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	if err := validNow(m.leaf, time.Now()); err != nil {
		return fmt.Errorf("tls: cert_file %s: %w", m.options.Files.Cert, err)
	}
	_, err := m.leaf.Verify(x509.VerifyOptions{Roots: m.pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fmt.Errorf("tls: cert_file %s is not signed by what is in ca_file %s: %w", m.options.Files.Cert, m.options.Files.CA, err)
	}
	return nil
}

// validNow explains a certificate that is not valid at a time.
func validNow(c *x509.Certificate, now time.Time) error {
	const layout = "2006-01-02 15:04:05 MST"
	switch {
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate is valid from %s on and this machine's clock says %s; is the clock right?", c.NotBefore.UTC().Format(layout), now.UTC().Format(layout))
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate expired at %s and this machine's clock says %s; issue a new one, or set the clock", c.NotAfter.UTC().Format(layout), now.UTC().Format(layout))
	}
	return nil
}

// ReadCertificates reads the certificates of a PEM file; none is an error.
func ReadCertificates(file string) ([]*x509.Certificate, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	certs, err := ParseCertificates(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return certs, nil
}

// ParseCertificates reads certificates in PEM form; none is an error.
func ParseCertificates(b []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no certificate in PEM form in it")
	}
	return out, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if n, err := b.ReadFrom(io.LimitReader(f, maxPEM+1)); err != nil || n > maxPEM {
		if err == nil {
			err = fmt.Errorf("more than %d bytes", maxPEM)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b.Bytes(), nil
}
