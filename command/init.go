package command

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

// firstLife is how long the certificates of `init` are valid: the agent renews
// its own, the command line's is for its owner to renew.
const firstLife = 365 * day

func initCommand() *cli.Command {
	m := machine{server: true, region: "global", datacenter: "dc1", by: "init", acl: true}
	ttl, uses := api.JoinTokenTTL, 1
	var ca, caKey string
	return &cli.Command{
		Name: "init", Synopsis: "Set up the first machine of a cluster", Usage: "[options]", Offline: true,
		Help: `Makes a cluster on this machine: an authority that signs the certificates of its agents, this server's certificate, a certificate and a management token for the command line, and a configuration that a person can read. Prints how to start the server, and the command by which the next machine joins. Nothing is overwritten; when something fails, nothing is left.

  serai init -start                  on the first machine
  serai join 10.0.0.1:4647 TOKEN     on each other one, as init prints it

Keys are readable by their owner alone. Whoever has the key of the authority, which is on servers only, can act as any agent.

(Nomad's "init", which writes an example of a job file, is "serai job init".)`,
		Define: func(f *cli.Flags) {
			m.define(f)
			f.String(&m.region, "region", "<region>", "Region of the cluster. Default global.")
			f.String(&m.datacenter, "dc", "<datacenter>", "Datacenter of this machine. Default dc1.")
			f.Bool(&m.client, "client", "Run allocations on this machine too.")
			f.Duration(&ttl, "token-ttl", "<duration>", "How long the printed token is good. Default 30m.")
			f.Int(&uses, "token-uses", "<n>", "How many machines may join with it. Default 1.")
			f.String(&ca, "ca", "<path>", "Certificate of the authority that the cluster begins with, such as that of a lost cluster whose agents are to come back. Default a new one.")
			f.String(&caKey, "ca-key", "<path>", "Its key.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if ttl < time.Second || ttl > api.MaxJoinTokenTTL || uses < 1 || uses > api.MaxJoinUses {
				return cli.Usagef("-token-ttl must be between 1s and %s, and -token-uses between 1 and %d", api.MaxJoinTokenTTL, api.MaxJoinUses)
			}
			if (ca == "") != (caKey == "") {
				return cli.Usagef("-ca and -ca-key belong together")
			}
			if err := m.complete(); err != nil {
				return err
			}
			if err := m.fresh(); err != nil {
				return err
			}
			a, err := firstAuthority(ca, caKey)
			if err != nil {
				return err
			}
			token, err := m.found(a, ttl, uses)
			if err != nil {
				return err
			}
			m.tell(inv, token)
			if m.start {
				return m.runAgent(ctx, inv)
			}
			return nil
		},
	}
}

// firstAuthority gives the authority that a cluster begins with: a new one, or
// that of files.
func firstAuthority(cert, key string) (*pki.Authority, error) {
	if cert == "" {
		return pki.NewAuthority(pki.AuthorityOptions{})
	}
	return pki.LoadAuthority(cert, key)
}

// found makes this machine's files by the cluster's authority, and a token.
func (m *machine) found(a *pki.Authority, ttl time.Duration, uses int) (token *pki.Token, err error) {
	caKeys, err := pki.KeyPEM(a.Key)
	if err != nil {
		return nil, err
	}
	defer clear(caKeys)
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.ParseIP(m.bind)}
	key, cert, err := issue(a, pki.Request{Role: tlsx.RoleServer, Region: m.region, Node: m.name, IPs: ips, Life: firstLife})
	if err != nil {
		return nil, err
	}
	cliKey, cliCert, err := issue(a, pki.Request{Role: tlsx.RoleCLI, Region: m.region, Life: firstLife})
	if err != nil {
		return nil, err
	}
	if m.gossip, err = newGossipKey(); err != nil {
		return nil, err
	}
	management := uuid.NewString()
	var s pki.Setup
	defer func() {
		if err != nil {
			s.Undo()
		}
	}()
	if err = s.Folder(m.configDir, 0o755); err != nil {
		return nil, err
	}
	if err = s.File(m.token(), []byte(management+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err = m.write(&s, keys{string(pki.CertificatesPEM(cert)), string(pki.CertificatesPEM(a.Cert)), key, caKeys}); err != nil {
		return nil, err
	}
	if err = m.writeCLI(&s, string(pki.CertificatesPEM(cliCert)), cliKey); err != nil {
		return nil, err
	}
	c := pki.Claims{Role: tlsx.RoleClient, Uses: uint16(uses), Expires: time.Now().Add(ttl).Truncate(time.Second)}
	if _, err = rand.Read(c.ID[:]); err != nil {
		return nil, err
	}
	return pki.NewToken(a, c)
}

// newGossipKey makes the key of server { encrypt }: 32 bytes in base64.
func newGossipKey() (string, error) {
	b := make([]byte, 32)
	_, err := rand.Read(b)
	return base64.StdEncoding.EncodeToString(b), err
}

func (m *machine) tell(inv *cli.Invocation, token *pki.Token) {
	inv.Printf("The cluster is set up. This machine is its first server, %q.", m.name)
	inv.Printf("")
	inv.Printf("    Configuration   %s", m.config())
	inv.Printf("    Keys            %s", m.tlsDir())
	inv.Printf("    Token           %s", m.token())
	inv.Printf("    Command line    . %s", m.cliEnv())
	inv.Printf("    Web UI          https://%s/ui/", net.JoinHostPort(m.bind, "4646"))
	inv.Printf("")
	if !m.start {
		inv.Printf("Start the server:")
		inv.Printf("")
		inv.Printf("    serai agent -config %s", m.configDir)
		inv.Printf("")
	}
	who := "One machine can join"
	if token.Uses > 1 {
		who = "Up to " + plural(int(token.Uses), "machine", "machines") + " can join"
	}
	inv.Printf("%s as a client, until %s:", who, token.Expires.UTC().Format("15:04 MST on 2 January 2006"))
	inv.Printf("")
	inv.Printf("    serai join %s %s", net.JoinHostPort(m.bind, "4647"), token.Text())
	inv.Printf("")
	inv.Printf("\"serai join-token create\" makes further tokens, with -server for servers.")
}
