package agent

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// caller is a kind of certificate that somebody comes with, and what its holder
// may do.
type certified struct {
	name  string
	cert  *tls.Certificate // nil: none
	agent bool             // reaches the RPC port
	raft  bool
	https bool // reaches an HTTP API that wants certificates
}

// loaded reads what certificate wrote.
func loaded(t *testing.T, f tlsx.Files) *tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// forged makes a certificate that pki would not make: for a template, signed by a
// certificate and its key, or by itself.
func forged(t *testing.T, template *x509.Certificate, by *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, any(key)
	if by != nil {
		if parent, err = x509.ParseCertificate(by.Certificate[0]); err != nil {
			t.Fatal(err)
		}
		signer = by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	out := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if by != nil {
		out.Certificate = append(out.Certificate, by.Certificate...)
	}
	return out
}

// everybody lists who may come. The serial is of a certificate that is to be revoked.
func everybody(t *testing.T, ca *pki.Authority) (all []certified, revoked string) {
	by := func(a *pki.Authority, r pki.Request) *tls.Certificate {
		return loaded(t, certificate(t, a, r))
	}
	const day = 24 * time.Hour
	server := pki.Request{Role: tlsx.RoleServer, Region: "global"}
	client := pki.Request{Role: tlsx.RoleClient, Region: "global"}
	old, early := server, server
	old.From, old.Life, early.From = time.Now().Add(-2*day), day, time.Now().Add(day)
	gone := by(ca, server)
	whole := &tls.Certificate{Certificate: [][]byte{ca.Cert.Raw}, PrivateKey: ca.Key}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	roles := tlsx.RoleNames(tlsx.RoleServer, "global")
	leaf, err := x509.ParseCertificate(gone.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return []certified{
		{"server.global", by(ca, server), true, true, true},
		{"client.global", by(ca, client), true, false, true},
		{"cli.global", by(ca, pki.Request{Role: tlsx.RoleCLI, Region: "global"}), false, false, true},
		{"server.other", by(ca, pki.Request{Role: tlsx.RoleServer, Region: "other"}), false, false, true},
		{"client.other", by(ca, pki.Request{Role: tlsx.RoleClient, Region: "other"}), false, false, true},
		{"a region that holds ours", by(ca, pki.Request{Role: tlsx.RoleServer, Region: "global.nomad.evil"}), false, false, true},
		{"client that is called server", by(ca, pki.Request{Role: tlsx.RoleClient, Region: "global", CommonName: "server.global.nomad"}), true, false, true},
		{"expired", by(ca, old), false, false, false},
		{"not yet valid", by(ca, early), false, false, false},
		{"revoked", gone, false, false, false},
		{"by another authority", by(authority(t), server), false, false, false},
		{"self-signed", forged(t, &x509.Certificate{DNSNames: roles, ExtKeyUsage: both}, nil), false, false, false},
		{"self-signed authority", forged(t, &x509.Certificate{DNSNames: roles, ExtKeyUsage: both, IsCA: true, BasicConstraintsValid: true, Subject: ca.Cert.Subject}, nil), false, false, false},
		{"signed by a client's certificate", forged(t, &x509.Certificate{DNSNames: roles, ExtKeyUsage: both}, by(ca, client)), false, false, false},
		{"for servers of web pages alone", forged(t, &x509.Certificate{DNSNames: roles, ExtKeyUsage: both[:1]}, whole), false, false, false},
		{"any name of the region", forged(t, &x509.Certificate{DNSNames: []string{"*.global.nomad"}, ExtKeyUsage: both}, whole), false, false, true},
		{"the role in the subject alone", forged(t, &x509.Certificate{Subject: pkix.Name{CommonName: "server.global.nomad"}, ExtKeyUsage: both}, whole), false, false, true},
		{"the role as an address of the web", forged(t, &x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "server.global.nomad"}}, ExtKeyUsage: both}, whole), false, false, true},
		{"none", nil, false, false, false},
	}, tlsx.SerialOf(leaf)
}

// visited starts servers for everybody, and revokes what is to be revoked.
func visited(t *testing.T) (servers []*serverAgent, all []certified) {
	t.Helper()
	w, ca := &world{t: t}, authority(t)
	w.secured(ca)
	servers = w.startServers(ca)
	all, revoked := everybody(t, ca)
	w.bootstrap()
	w.must("PUT", "/v1/operator/ca/revoke", map[string]any{"Serial": revoked}, nil)
	for _, s := range servers {
		eventually(t, "the revocation at "+s.cfg.Name, func() bool { return s.keys.Revoked(revoked) })
	}
	return servers, all
}

// offers are the protocols that a caller names in its handshake.
var offers = [][]string{
	nil, {"h2"}, {"http/1.1"}, {"h2", "http/1.1"}, {tlsx.ProtoRaft}, {tlsx.ProtoJoin}, {tlsx.ProtoJoin, tlsx.ProtoRaft}, {"h2", tlsx.ProtoRaft},
	{tlsx.ProtoRaft, "http/1.1"}, {"h3"}, {"serai-raft "}, {"SERAI-RAFT"},
}

// spoken is what a connection lets its caller do.
func spoken(t *testing.T, address string, who *certified, protos []string) string {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: protos}
	if who.cert != nil {
		config.Certificates = []tls.Certificate{*who.cert}
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, config)
	if err != nil {
		return "refused"
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	switch c.ConnectionState().NegotiatedProtocol {
	case tlsx.ProtoRaft:
		return spokenRaft(t, c, who)
	case "h2":
		return answered(t, c, []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), "http")
	case tlsx.ProtoJoin:
		return spokenJoin(t, c)
	}
	return answered(t, c, []byte("GET /v1/status/leader HTTP/1.1\r\nHost: localhost\r\n\r\n"), "http")
}

// spokenJoin asks for what joining is not for, on a connection of that protocol.
func spokenJoin(t *testing.T, c net.Conn) string {
	t.Helper()
	for _, path := range append(rpc.Calls(), "/v1/jobs", "/v1/status/leader", "/", "/ui/") {
		r, err := http.NewRequest(http.MethodPost, "https://server"+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/vnd.serai.v1")
		if r.Write(c) != nil {
			return "refused"
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), r)
		if err != nil {
			return "refused"
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode < 400 {
			t.Errorf("who joins is answered for %s: %d", path, resp.StatusCode)
		}
		if resp.Close {
			break
		}
	}
	return "join"
}

// answered says whether anything comes back for what is sent.
func answered(t *testing.T, c net.Conn, send []byte, what string) string {
	if _, err := c.Write(send); err != nil {
		return "refused"
	}
	n, err := c.Read(make([]byte, 64))
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("%s: the connection is kept and says nothing", what)
	}
	if n == 0 {
		return "refused"
	}
	return what
}

// spokenRaft sends requests in Raft's encoding: to a server a vote in term 0, which
// it answers and which changes nothing, and as anybody else one of each kind,
// with a term of the future.
func spokenRaft(t *testing.T, c net.Conn, who *certified) string {
	t.Helper()
	if who.raft {
		return answered(t, c, []byte{1, 0x81, 0xa4, 'T', 'e', 'r', 'm', 0}, "raft")
	}
	for kind := range byte(5) { // append, vote, snapshot, timeout now, pre-vote
		if got := answered(t, c, []byte{kind, 0x81, 0xa4, 'T', 'e', 'r', 'm', 0xce, 0, 1, 0, 0}, "raft"); got != "refused" {
			return got
		}
	}
	return "refused"
}

// TestWhoSpeaksWhat comes to the ports of a server with every kind of certificate
// and every choice of protocols.
func TestWhoSpeaksWhat(t *testing.T) {
	servers, all := visited(t)
	leader, _ := leaderAgent(t, servers)
	var page bytes.Buffer
	page.WriteString("# What a server answers, by who comes and the protocols that the handshake offers. Written by\n# go test -run TestWhoSpeaksWhat -update; the test also holds it to what is said of each certificate in its table.\n")
	for i := range all {
		who := &all[i]
		fmt.Fprintf(&page, "\n%s\n", who.name)
		for _, protos := range offers {
			rpc := spoken(t, leader.rpc.Address().String(), who, protos)
			https := spoken(t, leader.http.Address().String(), who, protos)
			fmt.Fprintf(&page, "  %-24q RPC %-8s HTTPS %s\n", strings.Join(protos, ", "), rpc, https)
			onlyJoin := slices.Equal(protos, []string{tlsx.ProtoJoin})
			switch {
			case rpc == "raft" && !who.raft, rpc == "http" && !who.agent, rpc == "join" && !onlyJoin:
				t.Errorf("%s with %q: the RPC port speaks %s", who.name, protos, rpc)
			case https != "refused" && (https != "http" || !who.https):
				t.Errorf("%s with %q: the HTTPS port speaks %s", who.name, protos, https)
			case rpc == "refused" && who.raft && slices.Contains(protos, tlsx.ProtoRaft), https == "refused" && who.https && (protos == nil || slices.Contains(protos, "http/1.1")):
				t.Errorf("%s with %q: RPC %s, HTTPS %s", who.name, protos, rpc, https)
			}
		}
	}
	golden(t, "testdata/protocols.txt", page.String())
}

// ofClients are the calls that agents without a server make: every other one is
// for servers alone. Written by hand, not read from package rpc.
var ofClients = []string{"/rpc/node/register", "/rpc/node/heartbeat", "/rpc/node/update", "/rpc/node/sync", "/rpc/acl/resolve", "/rpc/trust/sync", "/rpc/trust/renew", "/rpc/identity/sign"}

// TestCallsByRole makes every call between agents with every kind of certificate,
// on both ports.
func TestCallsByRole(t *testing.T) {
	servers, all := visited(t)
	leader, followers := leaderAgent(t, servers)
	tried := 0
	for _, at := range []*serverAgent{leader, followers[0]} {
		for i := range all {
			who := &all[i]
			config := &tls.Config{InsecureSkipVerify: true}
			if who.cert != nil {
				config.Certificates = []tls.Certificate{*who.cert}
			}
			tr := &http.Transport{TLSClientConfig: config}
			send := func(address, method, path string) (int, error) {
				r, err := http.NewRequest(method, "https://"+address+path, strings.NewReader("x"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/vnd.serai.v1")
				resp, err := tr.RoundTrip(r)
				if err != nil {
					return 0, err
				}
				return resp.StatusCode, resp.Body.Close()
			}
			for _, path := range append(rpc.Calls(), "/rpc/server/anything", "/rpc/", "/rpc/../rpc/trust/secrets", "/rpc//trust/secrets", "/RPC/trust/secrets") {
				tried++
				status, err := send(at.rpc.Address().String(), http.MethodPost, path)
				allowed := who.raft || slices.Contains(ofClients, path)
				switch {
				case !who.agent && err == nil:
					t.Errorf("%s by %s is answered with %d", path, who.name, status)
				case who.agent && err != nil:
					t.Errorf("%s by %s: %v", path, who.name, err)
				case who.agent && !allowed && status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusMovedPermanently:
					t.Errorf("%s by %s: %d", path, who.name, status)
				case who.agent && allowed && status == http.StatusForbidden:
					t.Errorf("%s by %s is refused", path, who.name)
				}
				if status, err := send(at.http.Address().String(), http.MethodPost, path); err == nil && status < 300 {
					t.Errorf("%s by %s is answered on the HTTPS port: %d", path, who.name, status)
				}
			}
			// People's requests, passed on by agents.
			if status, err := send(at.rpc.Address().String(), http.MethodGet, "/v1/status/leader"); (status == http.StatusOK) != who.agent {
				t.Errorf("a request of the API by %s: %d, %v", who.name, status, err)
			}
			tr.CloseIdleConnections()
		}
	}
	t.Logf("%d calls", tried)
}

func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != text {
		t.Errorf("%s says otherwise: %v; write it anew with -update, and read the difference. It would be:\n%s", file, err, text)
	}
}
