package command

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/seraihq/serai/command/agent"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

// machine is what `init` and `join` set up: an agent's keys and configuration.
type machine struct {
	configDir, dataDir string
	bind, name         string
	region, datacenter string
	server, client     bool
	start              bool
	acl                bool // requests need tokens

	servers []string // host:port of those that were there before
	gossip  string   // key; empty: none
	by      string   // command that wrote the configuration
}

func (m *machine) define(f *cli.Flags) {
	m.configDir, m.dataDir = "/etc/serai", "/var/lib/serai"
	f.String(&m.configDir, "config-dir", "<path>", "Folder for the configuration. Default /etc/serai.")
	f.String(&m.dataDir, "data-dir", "<path>", "Folder for the agent's state and its keys. Default /var/lib/serai.")
	f.String(&m.bind, "bind", "<address>", "IP address of this machine by which the others reach it. Default its first private address.")
	f.String(&m.name, "name", "<name>", "Name of this agent. Default the host's name.")
	f.Bool(&m.start, "start", "Run the agent at once, until it is told to stop.")
}

// complete fills in what was not given, and checks the rest.
func (m *machine) complete() error {
	for flag, dir := range map[string]*string{"config-dir": &m.configDir, "data-dir": &m.dataDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("-%s: %w", flag, err)
		}
		*dir = abs
	}
	if m.bind == "" {
		m.bind = config.Default().Reachable(net.IPv4zero)
	}
	if ip := net.ParseIP(m.bind); ip == nil || ip.IsUnspecified() {
		return cli.Usagef("-bind: %q is not an IP address of this machine", m.bind)
	}
	if m.name == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("this machine has no name (%w); give one with -name", err)
		}
		m.name = name
	}
	return nil
}

func (m *machine) tlsDir() string  { return filepath.Join(m.dataDir, "tls") }
func (m *machine) caFile() string  { return filepath.Join(m.tlsDir(), "ca.pem") }
func (m *machine) agent() string   { return filepath.Join(m.tlsDir(), "agent.pem") }
func (m *machine) caKey() string   { return filepath.Join(m.tlsDir(), "ca-key.pem") }
func (m *machine) config() string  { return filepath.Join(m.configDir, "serai.hcl") }
func (m *machine) secrets() string { return filepath.Join(m.configDir, "secrets.hcl") }
func (m *machine) cliPEM() string  { return filepath.Join(m.configDir, "cli.pem") }
func (m *machine) token() string   { return filepath.Join(m.configDir, "management.token") }
func (m *machine) cliEnv() string  { return filepath.Join(m.configDir, "cli.env") }

// fresh refuses a machine that is set up already.
func (m *machine) fresh() error {
	return pki.Fresh(m.tlsDir(), m.config(), m.secrets(), m.token(), m.cliPEM(), m.cliEnv())
}

// keys are an agent's certificate, with its chain, and whom it trusts.
type keys struct {
	chain, authorities string // PEM
	key                crypto.Signer
	caKeys             []byte // PEM, of servers; empty: none
}

// write writes the files of the machine into the set-up.
func (m *machine) write(s *pki.Setup, k keys) error {
	whole, err := pki.Bundle(k.chain, k.key)
	if err != nil {
		return err
	}
	defer clear(whole)
	if err := s.Folder(m.dataDir, 0o711); err != nil { // tasks reach their own folders in it
		return err
	}
	if err := s.Folder(m.tlsDir(), 0o700); err != nil {
		return err
	}
	if err := s.Folder(m.configDir, 0o755); err != nil {
		return err
	}
	if err := s.File(m.caFile(), []byte(k.authorities), 0o644); err != nil {
		return err
	}
	if err := s.File(m.agent(), whole, 0o600); err != nil {
		return err
	}
	if len(k.caKeys) > 0 {
		if err := s.File(m.caKey(), k.caKeys, 0o600); err != nil {
			return err
		}
	}
	if m.gossip != "" {
		if err := s.File(m.secrets(), []byte(m.secretsText()), 0o600); err != nil {
			return err
		}
	}
	text, err := m.text(len(k.caKeys) > 0)
	if err != nil {
		return err
	}
	if err := s.File(m.config(), text, 0o644); err != nil {
		return err
	}
	// What an agent would not start with is not left behind.
	c, err := m.load()
	if err != nil {
		return err
	}
	_, err = tlsx.Open(c.TLS.Options())
	return err
}

func (m *machine) load() (*config.Agent, error) {
	return (&agentFlags{paths: []string{m.configDir}}).build()
}

func (m *machine) secretsText() string {
	return "# The secrets of this machine's serai agent, written by \"serai " + m.by + "\". All servers have the same.\nserver {\n  encrypt = " + strconv.Quote(m.gossip) + "\n}\n"
}

var configText = template.Must(template.New("").Funcs(template.FuncMap{"quote": strconv.Quote, "list": quotedList}).Parse(`# The configuration of this machine's serai agent, written by "serai {{.By}}".
# "serai config validate {{.Dir}}" checks it after a change; a SIGHUP has the
# agent read it again.

name       = {{quote .Name}}
region     = {{quote .Region}}
datacenter = {{quote .Datacenter}}

# State, keys and allocations.
data_dir = {{quote .Data}}

# The address by which the other agents reach this one.
bind_addr = {{quote .Bind}}
{{if .Server}}
server {
  enabled = true
{{- if .Servers}}

  server_join {
    retry_join = {{list .Hosts}}
  }
{{- else}}
  bootstrap_expect = 1
{{- end}}
}
{{end}}{{if .Client}}
client {
  enabled = true
{{- if not .Server}}
  servers = {{list .Servers}}
{{- end}}
}
{{end}}{{if .ACL}}
# Requests need a token: "serai acl -h" tells how to make them.
acl {
  enabled = true
{{- if .Token}}

  # The secret of the first management token, for as long as there is none.
  initial_token_file = {{quote .Token}}
{{- end}}
}
{{end}}
# Every connection is encrypted, and both ends show certificates.
tls {
  http = true
  rpc  = true

  ca_file   = {{quote .CA}}
  cert_file = {{quote .Agent}}
  key_file  = {{quote .Agent}}
{{- if .CAKey}}

  # Servers sign the certificates of those that join, and renew all.
  ca_key_file = {{quote .CAKey}}
{{- end}}

  # The certificate renews itself, and follows a new authority.
  renew = true
{{- if .ACL}}

  # Callers of the HTTP API show a token, and may be browsers.
  verify_https_client = false
{{- else}}

  # The HTTP API wants a certificate too, such as that of "serai init".
  verify_https_client = true
{{- end}}
}
`))

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// text gives the configuration file.
func (m *machine) text(signs bool) ([]byte, error) {
	var hosts []string
	for _, s := range m.servers {
		host, _, err := net.SplitHostPort(s)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	key := ""
	if signs {
		key = m.caKey()
	}
	var b bytes.Buffer
	err := configText.Execute(&b, map[string]any{
		"By": m.by, "Dir": m.configDir, "Name": m.name, "Region": m.region, "Datacenter": m.datacenter, "Data": m.dataDir, "Bind": m.bind,
		"Server": m.server, "Client": m.client, "Servers": m.servers, "Hosts": hosts,
		"CA": m.caFile(), "Agent": m.agent(), "CAKey": key,
		"ACL": m.acl, "Token": m.initial(),
	})
	return b.Bytes(), err
}

// initial gives the file with the first management token, on the machine that made the cluster.
func (m *machine) initial() string {
	if m.by != "init" {
		return ""
	}
	return m.token()
}

// writeCLI writes a certificate for the command line and what makes it use it.
func (m *machine) writeCLI(s *pki.Setup, chain string, key crypto.Signer) error {
	whole, err := pki.Bundle(chain, key)
	if err != nil {
		return err
	}
	defer clear(whole)
	if err := s.File(m.cliPEM(), whole, 0o600); err != nil {
		return err
	}
	env := fmt.Sprintf("# For the command line: . %s\nexport SERAI_ADDR=https://%s\nexport SERAI_CACERT=%s\nexport SERAI_CLIENT_CERT=%s\nexport SERAI_CLIENT_KEY=%s\nexport SERAI_TOKEN=$(cat %s)\n",
		m.cliEnv(), net.JoinHostPort(m.bind, "4646"), m.caFile(), m.cliPEM(), m.cliPEM(), m.token())
	return s.File(m.cliEnv(), []byte(env), 0o644)
}

// runAgent runs the agent that was set up.
func (m *machine) runAgent(ctx context.Context, inv *cli.Invocation) error {
	c, err := m.load()
	if err != nil {
		return err
	}
	inv.Printf("")
	return agent.Run(ctx, c, agent.Options{Stdout: inv.Stdout, Stderr: inv.Stderr, Reload: m.load})
}

// issue makes a key and a certificate for it.
func issue(a *pki.Authority, r pki.Request) (crypto.Signer, *x509.Certificate, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, nil, err
	}
	r.Public = key.Public()
	cert, err := a.Issue(r)
	return key, cert, err
}
