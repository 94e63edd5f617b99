package command

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

// TestWhoIsJoinedIsVerified: nothing but a server under the token's authority,
// valid now, is spoken to.
func TestWhoIsJoinedIsVerified(t *testing.T) {
	ours, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	strange, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := pki.NewToken(ours, pki.Claims{Role: tlsx.RoleClient, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	chain := func(by *pki.Authority, role tlsx.Role, shown ...*x509.Certificate) []*x509.Certificate {
		_, cert, err := issue(by, pki.Request{Role: role, Region: "global", Life: 30 * day})
		if err != nil {
			t.Fatal(err)
		}
		return append([]*x509.Certificate{cert}, shown...)
	}
	now, year := time.Now(), 365*day
	good := chain(ours, tlsx.RoleServer, ours.Cert)
	for _, c := range []struct {
		name, want string
		chain      []*x509.Certificate
		now        time.Time
	}{
		{"good", "", good, now},
		{"with the authority of others beside", "", chain(ours, tlsx.RoleServer, strange.Cert, ours.Cert), now},
		{"another cluster", "its authority is another one", chain(strange, tlsx.RoleServer, strange.Cert), now},
		{"our authority shown, by another", "not good", chain(strange, tlsx.RoleServer, ours.Cert), now},
		{"no authority shown", "its authority is another one", chain(ours, tlsx.RoleServer), now},
		{"the authority alone", "its authority is another one", []*x509.Certificate{ours.Cert}, now},
		{"nothing", "its authority is another one", nil, now},
		{"a client", "is no server", chain(ours, tlsx.RoleClient, ours.Cert), now},
		{"a clock a year behind", "set the clock", good, now.Add(-year)},
		{"a clock a year ahead", "set the clock", good, now.Add(year)},
	} {
		err := verifyServer(c.chain, token, c.now)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestJoinAtAnotherPort: who answers there is no server that takes agents in, and
// the error says where to look.
func TestJoinAtAnotherPort(t *testing.T) {
	authority, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := pki.NewToken(authority, pki.Claims{Role: tlsx.RoleClient, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	encrypted, plain := httptest.NewUnstartedServer(nil), httptest.NewServer(http.NotFoundHandler())
	encrypted.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	encrypted.StartTLS()
	defer encrypted.Close()
	defer plain.Close()
	for want, address := range map[string]string{"does that server sign": encrypted.Listener.Addr().String(), "is it encrypted": plain.Listener.Addr().String()} {
		if _, err := dialJoin(t.Context(), address, token, nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "4647") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
