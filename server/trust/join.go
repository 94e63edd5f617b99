package trust

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/fsm"
)

// clockSkew is how far the clock of one who joins may be off.
const clockSkew = 5 * time.Minute

// agentName is what an agent that joins may be called.
var agentName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$`)

// Join signs the certificate of an agent that has a token. binding names the
// connection that it asks on, and from is where that comes from.
func (s *Service) Join(ctx context.Context, req *pki.JoinRequest, c pki.Claims, body *pki.JoinBody, binding []byte, from net.IP) (*pki.JoinAnswer, error) {
	now := time.Now()
	if err := s.admit(req, c, body, binding, now); err != nil {
		return nil, err
	}
	answer, err := s.Certify(ctx, &pki.Order{
		Role: string(c.Role), Name: body.Name, CSR: body.CSR, Addresses: []string{"127.0.0.1", "::1", from.String()},
		Token: c.Name(), Uses: int(c.Uses), Expires: c.Expires.UnixNano(),
	})
	if err != nil {
		return nil, err
	}
	s.Logger.Info("an agent joins", "name", body.Name, "role", string(c.Role), "remote", from.String(), "token", c.Name())
	return &pki.JoinAnswer{
		Certificate: answer.Certificate, Authorities: s.bundle(),
		Region: s.Region, Datacenter: s.Datacenter, Servers: s.Servers(), AccessControl: s.AccessControl,
	}, nil
}

// Certify signs a certificate and notes it. A server that does not lead has the
// leader do it.
func (s *Service) Certify(ctx context.Context, o *pki.Order) (*pki.RenewAnswer, error) {
	leader, err := s.Leader(ctx)
	if err != nil {
		return nil, err
	}
	if leader != nil {
		return leader.Certify(ctx, o)
	}
	role := tlsx.Role(o.Role)
	if role != tlsx.RoleServer && role != tlsx.RoleClient || !agentName.MatchString(o.Name) {
		return nil, api.Errorf(api.ErrInvalid, "a certificate for %.20q of role %.20q is not signed", o.Name, o.Role)
	}
	public, err := pki.RequestedKey(o.CSR)
	if err != nil {
		return nil, err
	}
	a, err := s.signer("")
	if err != nil {
		return nil, err
	}
	r := pki.Request{Public: public, Role: role, Region: s.Region, Node: o.Name, Life: Life}
	for _, text := range o.Addresses {
		if ip := net.ParseIP(text); ip != nil && !slices.ContainsFunc(r.IPs, ip.Equal) {
			r.IPs = append(r.IPs, ip)
		}
	}
	cert, err := a.Issue(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_, _, err = s.Log.Apply(ctx, &fsm.CertificateIssue{
		Certificate: issued(a, cert, role, o.Name, now), Token: o.Token, Uses: o.Uses, Expires: o.Expires, Time: now.UnixNano(),
	})
	return &pki.RenewAnswer{Certificate: string(pki.CertificatesPEM(cert, a.Cross))}, err
}

// admit says why an agent may not join.
func (s *Service) admit(req *pki.JoinRequest, c pki.Claims, body *pki.JoinBody, binding []byte, now time.Time) error {
	by, err := s.signer(hex.EncodeToString(c.Authority[:]))
	if err != nil {
		return err
	}
	good, err := by.Check(c, binding, req.Body, req.Proof)
	if err != nil {
		return err
	}
	used, _ := s.Store.View().JoinToken(c.Name())
	switch theirs := time.Unix(body.Time, 0); {
	case !good:
		return api.Errorf(api.ErrDenied, "Permission denied: the token is not one of this cluster; copy all of it, or make a new one with \"serai join-token create\"")
	case theirs.Before(now.Add(-clockSkew)) || theirs.After(now.Add(clockSkew)):
		return api.Errorf(api.ErrInvalid, "the clock of this machine says %s and that of the server %s: set the clock, then join again", theirs.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.After(c.Expires):
		return api.Errorf(api.ErrDenied, "the token expired at %s; make a new one on a server with \"serai join-token create\"", c.Expires.UTC().Format(time.RFC3339))
	case used != nil && used.Revoked:
		return api.Errorf(api.ErrDenied, "the token is revoked; make a new one on a server with \"serai join-token create\"")
	case used != nil && c.Uses > 0 && used.Used >= int(c.Uses):
		return api.Errorf(api.ErrDenied, "the token has been used already; make a new one on a server with \"serai join-token create\"")
	case !agentName.MatchString(body.Name):
		return api.Errorf(api.ErrInvalid, "%.140q cannot be the name of an agent: it has 1 to 128 letters, digits, dots, dashes and underscores; give another one with -name", body.Name)
	case s.alive(c.Role, body.Name):
		return api.Errorf(api.ErrConflict, "a %s named %q runs in this cluster; give this machine another name with -name, or stop that one first", c.Role, body.Name)
	}
	return nil
}

// alive says whether an agent of that role and name runs.
func (s *Service) alive(role tlsx.Role, name string) bool {
	if role == tlsx.RoleServer {
		return s.LiveServer(name)
	}
	for n := range s.Store.View().Nodes() {
		if strings.EqualFold(n.Name, name) && n.Status != api.NodeStatusDown {
			return true
		}
	}
	return false
}

func issued(a *pki.Authority, cert *x509.Certificate, role tlsx.Role, name string, now time.Time) *api.IssuedCertificate {
	return &api.IssuedCertificate{
		Serial: tlsx.SerialOf(cert), Role: string(role), Name: name, Authority: authorityID(a.Cert),
		Expires: cert.NotAfter.UnixNano(), CreateTime: now.UnixNano(),
	}
}

// bundle gives all whom the cluster trusts, the one that signs first.
func (s *Service) bundle() string {
	var first, others []string
	for a := range s.Store.View().Authorities() {
		if a.Active {
			first = append(first, a.Certificate)
		} else {
			others = append(others, a.Certificate)
		}
	}
	return strings.Join(append(first, others...), "")
}

// Trust tells an agent whom to trust, and notes that it uses the certificate
// that it shows.
func (s *Service) Trust(ctx context.Context, leaf *x509.Certificate) (*pki.TrustAnswer, error) {
	view := s.Store.View()
	active, ok := view.ActiveAuthority()
	if !ok {
		return &pki.TrustAnswer{}, nil
	}
	if err := s.confirm(ctx, leaf); err != nil {
		return nil, err // asked again
	}
	out := &pki.TrustAnswer{Authorities: s.bundle(), Active: active.Certificate}
	for serial := range revoked(view) {
		out.Revoked = append(out.Revoked, serial)
	}
	slices.Sort(out.Revoked)
	return out, nil
}

// confirm notes that a certificate is used. One that is not known was made by
// hand, or before the cluster was: it is noted with what it says.
func (s *Service) confirm(ctx context.Context, leaf *x509.Certificate) error {
	p := tlsx.PeerOf(leaf)
	known, ok := s.Store.View().Certificate(p.Serial)
	role := p.RoleIn(s.Region)
	by, ours := s.signedBy(leaf)
	if ok && known.Confirmed || !ok && (p.Node == "" || role == "" || !ours) {
		return nil
	}
	if leader, err := s.Leader(ctx); err != nil || leader != nil {
		if err == nil {
			err = leader.Shown(ctx, leaf.Raw)
		}
		return err
	}
	if ok {
		_, _, err := s.Log.Apply(ctx, &fsm.CertificateConfirm{Serial: p.Serial})
		return err
	}
	c := &api.IssuedCertificate{
		Serial: p.Serial, Role: string(role), Name: p.Node, Authority: by, Confirmed: true,
		Expires: leaf.NotAfter.UnixNano(), CreateTime: leaf.NotBefore.UnixNano(),
	}
	_, _, err := s.Log.Apply(ctx, &fsm.CertificateIssue{Certificate: c, Time: time.Now().UnixNano()})
	return err
}

// Shown notes that a certificate is used: another server has seen it.
func (s *Service) Shown(ctx context.Context, der []byte) error {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return api.Errorf(api.ErrInvalid, "certificate: %v", err)
	}
	return s.confirm(ctx, leaf)
}

// signedBy gives the authority whose key signed a certificate.
func (s *Service) signedBy(leaf *x509.Certificate) (id string, ok bool) {
	for a := range s.Store.View().Authorities() {
		certs, err := tlsx.ParseCertificates([]byte(a.Certificate))
		if err == nil && leaf.CheckSignatureFrom(certs[0]) == nil {
			return a.ID, true
		}
	}
	return "", false
}

// Renew signs a new certificate for an agent, with the names of the one that it
// shows and its new key.
func (s *Service) Renew(ctx context.Context, leaf *x509.Certificate, csr []byte) (*pki.RenewAnswer, error) {
	p := tlsx.PeerOf(leaf)
	role := p.RoleIn(s.Region)
	switch {
	case p.Node == "" || role != tlsx.RoleServer && role != tlsx.RoleClient:
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the certificate of %s names no agent and is not renewed; make a new one with \"serai tls cert create\", or join", p)
	case s.Keys != nil && s.Keys.Revoked(p.Serial):
		return nil, api.Errorf(api.ErrDenied, "Permission denied: the certificate is revoked")
	}
	o := &pki.Order{Role: string(role), Name: p.Node, CSR: csr}
	for _, ip := range leaf.IPAddresses {
		o.Addresses = append(o.Addresses, ip.String())
	}
	answer, err := s.Certify(ctx, o)
	if err == nil {
		s.Logger.Info("a certificate is renewed", "name", p.Node, "role", string(role))
	}
	return answer, err
}

// Secrets gives what another server needs to sign as this one does.
func (s *Service) Secrets() (*pki.Secrets, error) {
	if _, err := s.signer(""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := readKeys(s.KeyFile)
	if err != nil {
		return nil, err
	}
	out := &pki.Secrets{}
	if s.Gossip != nil {
		out.Gossip = s.Gossip()
	}
	for _, key := range keys {
		b, err := pki.KeyPEM(key)
		if err != nil {
			return nil, err
		}
		out.Keys = append(out.Keys, b...)
	}
	return out, nil
}
