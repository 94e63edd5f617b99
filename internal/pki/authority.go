package pki

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"

	"github.com/seraihq/serai/internal/tlsx"
)

const (
	// AuthorityLife is how long an authority is valid.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// skew is how far behind the clocks of other machines may be.
	skew = 5 * time.Minute
)

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	// Cross is the authority's own key in a certificate by its predecessor, for
	// those who trust only that one yet; nil: there was none.
	Cross *x509.Certificate
}

// AuthorityOptions say what a new authority is called.
type AuthorityOptions struct {
	Subject pkix.Name     // CommonName: a name with the serial number when empty
	Domain  string        // of the names it may sign for, with NameConstraint
	Limit   bool          // only names under Domain and localhost
	Extra   []string      // further domains for Limit
	Life    time.Duration // 0: AuthorityLife
}

// NewAuthority makes an authority that signs itself.
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: o.Subject,
		NotBefore: now.Add(-skew), NotAfter: now.Add(cmp.Or(o.Life, AuthorityLife)),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: 1, // its successor
	}
	if t.Subject.CommonName == "" {
		t.Subject.CommonName = fmt.Sprintf("serai agent authority %x", serial.Bytes()[:4])
	}
	if o.Limit {
		t.PermittedDNSDomainsCritical = true
		t.PermittedDNSDomains = append([]string{o.Domain, "localhost"}, o.Extra...)
	}
	cert, err := sign(t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{Cert: cert, Key: key}, nil
}

// Follow makes the authority that comes after a, with a's certificate for it.
func (a *Authority) Follow() (*Authority, error) {
	next, err := NewAuthority(AuthorityOptions{})
	if err != nil {
		return nil, err
	}
	t := *next.Cert
	if t.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	t.NotAfter = minTime(t.NotAfter, a.Cert.NotAfter)
	t.AuthorityKeyId, t.MaxPathLen, t.MaxPathLenZero = a.Cert.SubjectKeyId, 0, true
	next.Cross, err = sign(&t, a.Cert, next.Key.Public(), a.Key)
	return next, err
}

// Request is what a certificate is to say.
type Request struct {
	Public     crypto.PublicKey
	Role       tlsx.Role
	Region     string
	Node       string // name of the agent; empty: none
	CommonName string // empty: the name of the role
	DNS        []string
	IPs        []net.IP
	Life       time.Duration
	From       time.Time // when it becomes valid; zero: a little before now
}

// Issue signs a certificate.
func (a *Authority) Issue(r Request) (*x509.Certificate, error) {
	if r.Region == "" || r.Role == "" || r.Life <= 0 {
		return nil, errors.New("a certificate needs a role, a region and a time")
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	from := r.From
	if from.IsZero() {
		from = time.Now().Add(-skew)
	}
	names := tlsx.RoleNames(r.Role, r.Region)
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: cmp.Or(r.CommonName, names[0])},
		NotBefore: from, NotAfter: minTime(from.Add(r.Life+skew), a.Cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    append(append(names, "localhost"), r.DNS...), IPAddresses: r.IPs,
	}
	if r.Role == tlsx.RoleCLI {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if r.Node != "" {
		t.URIs = []*url.URL{tlsx.NodeURI(r.Region, r.Node)}
	}
	return sign(t, a.Cert, r.Public, a.Key)
}

// Hash names an authority: SHA-256 of its certificate.
func Hash(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.Raw) }

// NewKey makes a private key.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(t, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// newSerial makes a serial number of 127 bits that nobody guesses.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err == nil && n.BitLen() < 64 {
		return newSerial()
	}
	return n, err
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
