package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// joinTimeout is how long joining may take.
const joinTimeout = 30 * time.Second

func joinCommand() *cli.Command {
	m := machine{by: "join"}
	var server, client bool
	return &cli.Command{
		Name: "join", Synopsis: "Join this machine to a cluster", Usage: "[options] <address> <token>", Min: 2, Max: 2, Offline: true,
		Help: `Joins this machine to the cluster of the server at the address (its RPC port, 4647), with a token of "serai init" or "serai join-token create". The token says whether the machine becomes a client or a server.

The server's authority is checked against the hash in the token before anything is believed, and the token itself is never sent. The machine gets a certificate for its name, its address and its role, and a configuration that a person can read. When something fails, nothing is left.`,
		Define: func(f *cli.Flags) {
			m.define(f)
			f.Bool(&server, "server", "Join only as a server: refuse a token for clients.")
			f.Bool(&client, "client", "Join as a client; with -server, or a token for servers, run allocations too.")
			f.String(&m.datacenter, "dc", "<datacenter>", "Datacenter of this machine. Default that of the server.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			token, err := pki.ParseToken(inv.Args[1])
			if err != nil {
				return err
			}
			m.server = token.Role == tlsx.RoleServer
			m.client = client || !m.server
			switch {
			case server && !m.server:
				return fmt.Errorf("the token is for clients; make one for servers with \"serai join-token create -server\"")
			case time.Now().After(token.Expires):
				return fmt.Errorf("the token expired at %s by this machine's clock, which says %s; set the clock if it is wrong, or make a new token on a server with \"serai join-token create\"",
					token.Expires.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
			}
			bound := m.bind != ""
			if err := m.complete(); err != nil {
				return err
			}
			if err := m.fresh(); err != nil {
				return err
			}
			address := inv.Args[0]
			if _, _, err := net.SplitHostPort(address); err != nil {
				address = net.JoinHostPort(strings.Trim(address, "[]"), "4647")
			}
			if err := m.join(ctx, address, token, bound); err != nil {
				return err
			}
			return m.joined(ctx, inv, address)
		},
	}
}

// joined tells what was done, and starts the agent where that is wanted.
func (m *machine) joined(ctx context.Context, inv *cli.Invocation, address string) error {
	what := "a client"
	if m.server {
		what = "a server"
	}
	inv.Printf("This machine has joined the cluster of %s as %s, %q.", address, what, m.name)
	inv.Printf("")
	inv.Printf("    Configuration   %s", m.config())
	inv.Printf("    Keys            %s", m.tlsDir())
	if m.start {
		return m.runAgent(ctx, inv)
	}
	inv.Printf("")
	inv.Printf("Start the agent:")
	inv.Printf("")
	inv.Printf("    serai agent -config %s", m.configDir)
	return nil
}

// join gets the machine its certificate and writes its files.
func (m *machine) join(ctx context.Context, address string, token *pki.Token, bound bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	csr, err := pki.NewRequest(key)
	if err != nil {
		return err
	}
	var local net.IP
	if bound {
		local = net.ParseIP(m.bind)
	}
	conn, err := dialJoin(ctx, address, token, local)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !bound { // the address by which this machine reaches the cluster
		if host, _, err := net.SplitHostPort(conn.LocalAddr().String()); err == nil {
			m.bind = host
		}
	}
	answer, err := askJoin(conn, token, &pki.JoinBody{Name: m.name, CSR: csr, Time: time.Now().Unix()})
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if err := m.check(answer, token, key.Public()); err != nil {
		return fmt.Errorf("the answer of %s cannot be used: %w", address, err)
	}
	m.region, m.acl = answer.Region, answer.AccessControl
	if m.datacenter == "" {
		m.datacenter = answer.Datacenter
	}
	m.servers = append([]string{address}, slices.DeleteFunc(answer.Servers, func(s string) bool { return s == address })...)
	var s pki.Setup
	defer func() {
		if err != nil {
			s.Undo()
		}
	}()
	k := keys{chain: answer.Certificate, authorities: answer.Authorities, key: key}
	if m.server {
		if k.caKeys, m.gossip, err = fetchSecrets(ctx, address, m.region, k); err != nil {
			return fmt.Errorf("fetch what servers share from %s: %w", address, err)
		}
		defer clear(k.caKeys)
	}
	return m.write(&s, k)
}

// dialJoin connects to a server of whom nothing is known but the hash of its
// authority, and gives the connection when it has shown a certificate of that.
func dialJoin(ctx context.Context, address string, token *pki.Token, local net.IP) (*tls.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if local != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: local}
	}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; is the server running, and is this the address of its RPC port (4647)?", err)
	}
	c := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{tlsx.ProtoJoin},
		InsecureSkipVerify: true, // there is no authority to verify with but that of the token, below
		VerifyConnection:   func(cs tls.ConnectionState) error { return verifyServer(cs.PeerCertificates, token, time.Now()) },
	})
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline)
	}
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("%s: %w%s", address, err, whyNoHandshake(err))
	}
	return c, nil
}

// whyNoHandshake says what may be wrong when the other side ends a handshake or
// speaks something else; what this side refuses says so itself.
func whyNoHandshake(err error) string {
	var alert *net.OpError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &plain):
		return "; is this the address of the server's RPC port (4647), and is it encrypted (tls { rpc = true })?"
	case errors.As(err, &alert) && alert.Op == "remote error":
		return "; is this the address of the server's RPC port (4647), and does that server sign certificates (tls { ca_key_file })?"
	}
	return ""
}

// verifyServer looks at what a server shows: its certificate must be for a
// server, by the authority that the token names.
func verifyServer(chain []*x509.Certificate, token *pki.Token, now time.Time) error {
	i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return c.IsCA && pki.Hash(c) == token.Authority })
	if i < 1 {
		return errors.New("the server is not of the cluster that the token is for: its authority is another one. Is the address right? If the cluster has changed its authority since, make a new token. Nothing was sent")
	}
	leaf, roots, between := chain[0], x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[i])
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	for _, c := range []*x509.Certificate{leaf, chain[i]} {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return fmt.Errorf("the clock of this machine says %s, and the certificate of the server is valid from %s to %s: set the clock, then join again. Nothing was sent",
				now.UTC().Format(time.RFC3339), c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return fmt.Errorf("the certificate of the server is not good: %w", err)
	}
	if role, _ := tlsx.PeerOf(leaf).RoleAnywhere(); role != tlsx.RoleServer {
		return fmt.Errorf("what answers has a certificate of the cluster, but is no server: %s", tlsx.PeerOf(leaf))
	}
	return nil
}

// askJoin makes the request, with the proof that the token is known.
func askJoin(conn *tls.Conn, token *pki.Token, body *pki.JoinBody) (*pki.JoinAnswer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	state := conn.ConnectionState()
	binding, err := state.ExportKeyingMaterial(pki.Binding, nil, pki.BindingSize)
	if err != nil {
		return nil, err
	}
	whole, err := json.Marshal(pki.JoinRequest{Claims: token.Encode(), Body: text, Proof: token.Prove(binding, text)})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, "https://server"+pki.JoinPath, bytes.NewReader(whole))
	if err != nil {
		return nil, err
	}
	r.Close = true
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 2*pki.MaxJoin)), r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, pki.MaxJoin))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(strings.TrimSpace(string(b)))
	}
	answer := new(pki.JoinAnswer)
	if err := json.Unmarshal(b, answer); err != nil {
		return nil, fmt.Errorf("the answer is none: %w", err)
	}
	return answer, nil
}

// check refuses an answer that is not what was asked for.
func (m *machine) check(a *pki.JoinAnswer, token *pki.Token, public crypto.PublicKey) error {
	authorities, err := tlsx.ParseCertificates([]byte(a.Authorities))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(authorities, func(c *x509.Certificate) bool { return pki.Hash(c) == token.Authority }) {
		return errors.New("the authority of the token is not among those it names")
	}
	chain, err := tlsx.ParseCertificates([]byte(a.Certificate))
	if err != nil {
		return err
	}
	own, ok := chain[0].PublicKey.(interface{ Equal(x crypto.PublicKey) bool })
	p := tlsx.PeerOf(chain[0])
	switch {
	case !ok || !own.Equal(public):
		return errors.New("the certificate is for another key")
	case !p.Is(token.Role, a.Region) || p.Node != m.name:
		return fmt.Errorf("the certificate is for %s, not for the %s %q", p, token.Role, m.name)
	}
	return nil
}

// fetchSecrets gets what servers share, as the server that this machine is now.
func fetchSecrets(ctx context.Context, address, region string, k keys) (caKeys []byte, gossip string, err error) {
	dir, err := os.MkdirTemp("", "serai-join-") // mode 0700, gone before this returns
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	whole, err := pki.Bundle(k.chain, k.key)
	if err != nil {
		return nil, "", err
	}
	defer clear(whole)
	f := tlsx.Files{CA: dir + "/ca.pem", Cert: dir + "/agent.pem", Key: dir + "/agent.pem"}
	if err := errors.Join(pki.WriteNew(f.CA, []byte(k.authorities)), pki.WriteNew(f.Cert, whole)); err != nil {
		return nil, "", err
	}
	own, err := tlsx.Open(tlsx.Options{Files: f})
	if err != nil {
		return nil, "", err
	}
	c := rpc.NewClient([]string{address}, &tlsx.Dialer{Keys: own, Region: region})
	defer c.Close()
	secrets, err := c.Secrets(ctx)
	if err != nil {
		return nil, "", err
	}
	return secrets.Keys, secrets.Gossip, nil
}
