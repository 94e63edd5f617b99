package tlsx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

// authority makes an authority, or ends the test.
func authority(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(pki.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// files writes a certificate by a for r, and whom its holder trusts.
func files(t *testing.T, a *pki.Authority, r pki.Request, trusted ...*x509.Certificate) tlsx.Files {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r.Public = key.Public()
	if r.Life == 0 {
		r.Life = time.Hour
	}
	cert, err := a.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := pki.KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	if trusted == nil {
		trusted = []*x509.Certificate{a.Cert}
	}
	dir := t.TempDir()
	f := tlsx.Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, b := range map[string][]byte{f.CA: pki.CertificatesPEM(trusted...), f.Cert: pki.CertificatesPEM(cert, a.Cross), f.Key: keyPEM} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func open(t *testing.T, f tlsx.Files) *tlsx.Keys {
	t.Helper()
	k, err := tlsx.Open(tlsx.Options{Files: f})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func server(region string) pki.Request { return pki.Request{Role: tlsx.RoleServer, Region: region} }

// echo answers every connection of a listener with one byte, once it is let in.
func echo(t *testing.T, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				s := tls.Server(c, config)
				if s.Handshake() == nil {
					_, _ = s.Write([]byte{'!'})
				}
			}()
		}
	}()
	return l.Addr().String()
}

// reach dials and reads a byte: with TLS 1.3 a refusal comes after the handshake.
func reach(d *tlsx.Dialer, address string) error {
	c, err := d.Dial(context.Background(), address, tlsx.ProtoRaft)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = io.ReadFull(c, make([]byte, 1))
	return err
}

func TestOnlyServersOfTheRegionSpeakRaft(t *testing.T) {
	ours, other := authority(t), authority(t)
	listener := open(t, files(t, ours, server("global")))
	address := echo(t, listener.Listening(tlsx.Known, []string{tlsx.ProtoRaft}, func(_ string, p tlsx.Peer) error {
		return p.Must("global", "Raft", tlsx.RoleServer)
	}))
	both := []*x509.Certificate{ours.Cert, other.Cert}
	for name, c := range map[string]struct {
		by   *pki.Authority
		r    pki.Request
		good bool
	}{
		"server of the region":            {ours, server("global"), true},
		"server of the region with node":  {ours, pki.Request{Role: tlsx.RoleServer, Region: "global", Node: "one"}, true},
		"client":                          {ours, pki.Request{Role: tlsx.RoleClient, Region: "global"}, false},
		"command line":                    {ours, pki.Request{Role: tlsx.RoleCLI, Region: "global"}, false},
		"server of another region":        {ours, server("other"), false},
		"server by another authority":     {other, server("global"), false},
		"client with a server's subject":  {ours, pki.Request{Role: tlsx.RoleClient, Region: "global", CommonName: "server.global.nomad"}, false},
		"a region that looks like a name": {ours, server("global.nomad.evil"), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := &tlsx.Dialer{Keys: open(t, files(t, c.by, c.r, both...)), Region: "global"}
			if err := reach(d, address); (err == nil) != c.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a certificate of another time, or a wrong authority, is told when it is loaded.
func TestKeysThatWouldNotWorkAreRefused(t *testing.T) {
	a, other := authority(t), authority(t)
	expired := server("global")
	expired.From, expired.Life = time.Now().Add(-48*time.Hour), time.Hour
	early := server("global")
	early.From = time.Now().Add(365 * 24 * time.Hour)
	mixed := files(t, a, server("global"))
	mixed.Key = files(t, a, server("global")).Key
	for want, f := range map[string]tlsx.Files{
		"expired":              files(t, a, expired),
		"is the clock right?":  files(t, a, early),
		"is not signed by":     files(t, a, server("global"), other.Cert),
		"do not work together": mixed,
		"ca_file is missing":   {Cert: mixed.Cert, Key: mixed.Key},
		"no certificate in":    {CA: mixed.Key, Cert: mixed.Cert, Key: mixed.Key},
	} {
		if _, err := tlsx.Open(tlsx.Options{Files: f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A caller that does not look at its own certificate is refused by the listener.
func TestCertificatesOfAnotherTimeAreRefused(t *testing.T) {
	a := authority(t)
	k := open(t, files(t, a, server("global")))
	address := echo(t, k.Listening(tlsx.Known, []string{tlsx.ProtoRaft}, nil))
	for name, from := range map[string]time.Time{"now": {}, "expired": time.Now().Add(-48 * time.Hour), "not yet": time.Now().Add(24 * time.Hour)} {
		r := server("global")
		r.From = from
		f := files(t, a, r)
		cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.Dial("tcp", address, &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true, NextProtos: []string{tlsx.ProtoRaft}})
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
			_ = c.Close()
		}
		if (err == nil) != (name == "now") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRevokedAndReloaded(t *testing.T) {
	a := authority(t)
	k := open(t, files(t, a, server("global")))
	address := echo(t, k.Listening(tlsx.Known, []string{tlsx.ProtoRaft}, nil))
	caller := open(t, files(t, a, server("global")))
	d := &tlsx.Dialer{Keys: caller, Region: "global"}
	if err := reach(d, address); err != nil {
		t.Fatal(err)
	}
	k.Revoke(map[string]bool{caller.Own().Serial: true})
	if err := reach(d, address); err == nil {
		t.Error("a revoked certificate is taken")
	}
	if err := caller.Reload(tlsx.Options{Files: files(t, a, server("global"))}); err != nil {
		t.Fatal(err)
	}
	if err := reach(d, address); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	if err := caller.Reload(tlsx.Options{}); err == nil {
		t.Error("nothing was loaded")
	}
	if err := reach(d, address); err != nil {
		t.Errorf("after a reload that failed: %v", err)
	}
}

// An authority that follows another is taken by those who know only the first.
func TestAuthoritiesFollowEachOther(t *testing.T) {
	old := authority(t)
	next, err := old.Follow()
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, old, server("global"))
	after := files(t, next, server("global"), next.Cert, old.Cert)
	for _, pair := range [][2]tlsx.Files{{before, after}, {after, before}, {after, after}} {
		address := echo(t, open(t, pair[0]).Listening(tlsx.Known, []string{tlsx.ProtoRaft}, nil))
		if err := reach(&tlsx.Dialer{Keys: open(t, pair[1]), Region: "global"}, address); err != nil {
			t.Error(err)
		}
	}
	retired := files(t, next, server("global"), next.Cert)
	address := echo(t, open(t, retired).Listening(tlsx.Known, []string{tlsx.ProtoRaft}, nil))
	d := &tlsx.Dialer{Keys: open(t, before), Region: "global"}
	if err := reach(d, address); err == nil {
		t.Error("the old authority is still trusted")
	}
}

func TestNothingIsSentElsewhereInTheClear(t *testing.T) {
	d := &tlsx.Dialer{Region: "global"}
	if _, err := d.Dial(t.Context(), "192.0.2.1:4647", tlsx.ProtoHTTP2); err == nil || !strings.Contains(err.Error(), "serai join") {
		t.Errorf("got %v", err)
	}
}

// Old versions and weak suites are refused whatever the caller offers.
func TestScan(t *testing.T) {
	k := open(t, files(t, authority(t), server("global")))
	address := echo(t, k.Listening(tlsx.Anyone, []string{tlsx.ProtoHTTP1}, nil))
	dial := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", address, c)
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 1))
			_ = conn.Close()
		}
		return err
	}
	for v, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if err := dial(&tls.Config{MinVersion: v, MaxVersion: v}); (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(v), err)
		}
	}
	safe := map[uint16]bool{}
	for _, name := range []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"} {
		ids, err := tlsx.ParseSuites(name)
		if err != nil {
			t.Fatal(err)
		}
		safe[ids[0]] = true // of those with the key of this certificate
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if len(s.SupportedVersions) == 1 && s.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		if err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}}); (err == nil) != safe[s.ID] {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if _, err := tlsx.ParseSuites("TLS_RSA_WITH_AES_128_CBC_SHA"); err == nil {
		t.Error("a weak suite can be chosen")
	}
	if _, err := tlsx.ParseVersion("tls11"); err == nil {
		t.Error("an old version can be chosen")
	}
}

func TestPeers(t *testing.T) {
	p := tlsx.Peer{Names: []string{"localhost", "client.eu.west.nomad"}}
	if r, region := p.RoleAnywhere(); r != tlsx.RoleClient || region != "eu.west" {
		t.Errorf("got %s of %s", r, region)
	}
	if p.RoleIn("eu.west") != tlsx.RoleClient || p.RoleIn("eu") != "" || p.Is(tlsx.RoleServer, "eu.west") {
		t.Error("wrong role")
	}
	if u := tlsx.NodeURI("global", "a b%/"); u.String() == "" {
		t.Error("no name")
	}
}
