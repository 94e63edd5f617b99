package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
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

// certificate writes a certificate and its key, and whom its holder trusts.
func certificate(t *testing.T, by *pki.Authority, r pki.Request, trusted ...*x509.Certificate) tlsx.Files {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r.Public = key.Public()
	if r.Life == 0 {
		r.Life = time.Hour
	}
	r.IPs = []net.IP{net.IPv4(127, 0, 0, 1)}
	cert, err := by.Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := pki.KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := tlsx.Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, b := range map[string][]byte{f.CA: pki.CertificatesPEM(append(trusted, by.Cert)...), f.Cert: pki.CertificatesPEM(cert), f.Key: keyPEM} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func tlsBlock(f tlsx.Files) string {
	return "tls {\n http = true\n rpc = true\n verify_https_client = true\n ca_file = \"" + f.CA + "\"\n cert_file = \"" + f.Cert + "\"\n key_file = \"" + f.Key + "\"\n}\n"
}

// runTLS runs an agent until the test ends and gives the host:port of its API.
func runTLS(t *testing.T, cfg *config.Agent, reload func() (*config.Agent, error)) (address string, running *Agent) {
	t.Helper()
	started := make(chan *Agent, 1)
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{more: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, cfg, Options{Stdout: out, Stderr: io.Discard, Reload: reload, started: func(a *Agent) { started <- a }})
	}()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	deadline := time.After(40 * time.Second)
	for {
		if _, rest, ok := strings.Cut(out.String(), "https://"); ok && strings.Contains(rest, "\n") {
			at, _, _ := strings.Cut(rest, "\n")
			return at, <-started
		}
		select {
		case <-out.more:
		case err := <-done:
			done <- err
			t.Fatalf("the agent ended: %v", err)
		case <-deadline:
			t.Fatal("the agent is not ready after 40 s")
		}
	}
}

// tool is an HTTP client with a certificate.
func tool(t *testing.T, f tlsx.Files) (*http.Client, *tls.Config) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	authorities, err := tlsx.ReadCertificates(f.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a)
	}
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	tr := &http.Transport{TLSClientConfig: config}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, config
}

func fetch(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return resp.StatusCode, string(b)
}

// aloneTLS gives a client without a server, with TLS.
func aloneTLS(t *testing.T, name, server string, f tlsx.Files) *config.Agent {
	t.Helper()
	c := config.Default()
	if err := c.Parse("client.hcl", []byte(`
name = "`+name+`"
data_dir = "`+t.TempDir()+`"
bind_addr = "127.0.0.2"
ports {
  http = 0
}
client {
  enabled           = true
  servers           = ["`+server+`"]
  network_interface = "lo"
}
`+tlsBlock(f))); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	return c
}

func serverTLS(t *testing.T, f tlsx.Files) *config.Agent {
	t.Helper()
	cfg := dev(t, "name = \"first\"\n"+tlsBlock(f))
	cfg.Client.Enabled = false
	return cfg
}

// A server, a client and a tool, all over TLS: people's requests pass from the
// server to the node and from the node to the server, and a reload of all
// keys drops no connection.
func TestAgentsOverTLS(t *testing.T) {
	ca := authority(t)
	serverFiles := certificate(t, ca, pki.Request{Role: tlsx.RoleServer, Region: "global", Node: "first"})
	cfg := serverTLS(t, serverFiles)
	server, running := runTLS(t, cfg, func() (*config.Agent, error) { return cfg, nil })
	people, _ := tool(t, certificate(t, ca, pki.Request{Role: tlsx.RoleCLI, Region: "global"}))
	_, leader := fetch(t, people, "https://"+server+"/v1/status/leader")
	node, _ := runTLS(t, aloneTLS(t, "one", strings.Trim(leader, `"`), certificate(t, ca, pki.Request{Role: tlsx.RoleClient, Region: "global", Node: "one"})), nil)

	var nodes []*api.NodeListStub
	if _, body := fetch(t, people, "https://"+server+"/v1/nodes"); json.Unmarshal([]byte(body), &nodes) != nil || len(nodes) != 1 {
		t.Fatalf("nodes: %s", body)
	}
	stats := "/v1/client/stats?node_id=" + nodes[0].ID
	if status, body := fetch(t, people, "https://"+server+stats); status != 200 || !strings.Contains(body, "Memory") {
		t.Errorf("the server reaches the node: %d %s", status, body)
	}
	if _, err := people.Get("https://" + node + "/v1/nodes"); err == nil {
		t.Error("the node's certificate is not for its address, but the tool takes it")
	}
	named, config := tool(t, certificate(t, ca, pki.Request{Role: tlsx.RoleCLI, Region: "global"}))
	config.ServerName = "client.global.nomad"
	if status, body := fetch(t, named, "https://"+node+"/v1/nodes"); status != 200 || !strings.Contains(body, nodes[0].ID) {
		t.Errorf("the node passes on to the server: %d %s", status, body)
	}
	nobody := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if resp, err := nobody.Get("https://" + server + "/v1/nodes"); err == nil {
		t.Errorf("without a certificate: status %d", resp.StatusCode)
	}

	before := running.keys.Own().Serial
	again := certificate(t, ca, pki.Request{Role: tlsx.RoleServer, Region: "global", Node: "first"})
	for from, to := range map[string]string{again.CA: serverFiles.CA, again.Cert: serverFiles.Cert, again.Key: serverFiles.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := people.Get("https://" + server + "/v1/event/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := running.Reload(); err != nil {
		t.Fatal(err)
	}
	if running.keys.Own().Serial == before {
		t.Error("the old certificate is still used")
	}
	if status, _ := fetch(t, people, "https://"+server+stats); status != 200 {
		t.Errorf("after the reload: %d", status)
	}
	if _, err := stream.Body.Read(make([]byte, 1)); err != nil {
		t.Errorf("the reload dropped a stream: %v", err)
	}
}

// A certificate that the other agents would refuse is refused at the start.
func TestWrongCertificatesAreToldAtTheStart(t *testing.T) {
	ca := authority(t)
	for want, r := range map[string]pki.Request{
		"needs one for server.global.nomad": {Role: tlsx.RoleClient, Region: "global"},
		"is for the agent \"other\"":        {Role: tlsx.RoleServer, Region: "global", Node: "other"},
	} {
		err := Run(t.Context(), serverTLS(t, certificate(t, ca, r)), Options{Stdout: io.Discard, Stderr: io.Discard})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
