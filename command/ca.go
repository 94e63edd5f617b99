package command

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pki"
)

func caGroup() *cli.Command {
	return group("ca", "Look at the cluster's authority, change it, revoke certificates", caInfo(), caCLI(), caRotate(), caRetire(), caRevoke())
}

func caInfo() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "info", Synopsis: "Show whom the cluster trusts and what it has signed", Usage: "[options]", Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.CARead, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, resp)
			}
			showCA(inv, resp)
			return nil
		},
	}
}

func showCA(inv *cli.Invocation, resp api.CAResponse) {
	if len(resp.Authorities) == 0 {
		inv.Printf("The servers sign no certificates: tls { ca_key_file } is not set.")
		return
	}
	inv.Printf("Authorities")
	t := cli.NewTable("ID", "Made", "Signs")
	for _, a := range resp.Authorities {
		t.Row(a.ID[:16], date(a.CreateTime), fmt.Sprint(a.Active))
	}
	t.Write(inv.Stdout, inv.Style)
	inv.Printf("")
	inv.Printf("Certificates")
	t = cli.NewTable("Serial", "Role", "Agent", "Authority", "Expires", "State")
	slices.SortFunc(resp.Certificates, func(a, b *api.IssuedCertificate) int { return strings.Compare(a.Name+a.Serial, b.Name+b.Serial) })
	for _, c := range resp.Certificates {
		state := "issued"
		if c.Confirmed {
			state = "used"
		}
		if !slices.ContainsFunc(resp.Authorities, func(a *api.Authority) bool { return a.ID == c.Authority }) {
			state = "retired" // with its authority: nobody takes it any more
		}
		if c.Revoked != 0 {
			state = "revoked"
		}
		t.Row(c.Serial, c.Role, c.Name, c.Authority[:min(16, len(c.Authority))], date(c.Expires), state)
	}
	t.Write(inv.Stdout, inv.Style)
	if len(resp.Pending) > 0 && len(resp.Authorities) > 1 {
		inv.Printf("")
		inv.Printf("Without a certificate of the new authority yet: %s", strings.Join(resp.Pending, ", "))
	}
}

func date(nanoseconds int64) string {
	return time.Unix(0, nanoseconds).UTC().Format("2006-01-02 15:04 MST")
}

// followEvery is how often the change of an authority is looked at.
const followEvery = time.Second

func caRotate() *cli.Command {
	var detach bool
	var wait time.Duration
	return &cli.Command{
		Name: "rotate", Synopsis: "Change the cluster's authority without stopping anything", Usage: "[options]",
		Help: `Makes a new authority. From then on it signs, and both are trusted; every agent that renews its certificate by itself (tls { renew = true }) gets a new one within a minute. When all have it, the old authority is retired: nothing that it signed is taken any more.

The certificate of this command, where it is in one file with its key as "serai init" and "serai ca cli" write it, is replaced too. Others that were made by hand are not: make new ones with "serai ca cli" or "serai tls cert create" before the old authority is retired. With -detach that is left to "serai ca retire".`,
		Define: func(f *cli.Flags) {
			f.Bool(&detach, "detach", "Return once the new authority signs.")
			f.Duration(&wait, "wait", "<duration>", "How long to wait for all agents before giving up. Default 10m.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.CARotate, api.WriteRequest{})
			if err != nil {
				return err
			}
			inv.Printf("Authority %s signs from now on.", resp.Authorities[0].ID[:16])
			if own := inv.Conn.ClientCert; own != "" && own == inv.Conn.ClientKey {
				if err := s.signCLI(ctx, 0, func(whole []byte) error { return pki.Replace(own, whole) }); err != nil {
					return fmt.Errorf("replace the certificate of this command in %s: %w", own, err)
				}
				inv.Printf("The certificate of this command, in %s, is by it now.", own)
				if s, err = open(inv); err != nil {
					return err
				}
			}
			if detach {
				inv.Printf("The one before stays trusted until \"serai ca retire\".")
				return nil
			}
			if wait == 0 {
				wait = 10 * time.Minute
			}
			return followRotation(ctx, inv, s, wait)
		},
	}
}

// followRotation waits until all agents have followed, and retires the old authority.
func followRotation(ctx context.Context, inv *cli.Invocation, s *session, wait time.Duration) error {
	end := time.Now().Add(wait)
	last := ""
	for {
		resp, err := call(ctx, s, api.CARead, api.ListRequest{})
		if err != nil {
			return err
		}
		if len(resp.Pending) == 0 {
			break
		}
		if now := strings.Join(resp.Pending, ", "); now != last {
			inv.Printf("Waiting for %s: %s", plural(len(resp.Pending), "agent", "agents"), now)
			last = now
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s have not followed within %s: %s. Both authorities stay trusted; start those agents, or \"serai ca revoke -name\" what is gone, then \"serai ca retire\"", plural(len(resp.Pending), "agent", "agents"), wait, last)
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := call(ctx, s, api.CARetire, api.CARetireRequest{}); err != nil {
		return err
	}
	inv.Printf("All agents have followed. The old authority is retired.")
	return nil
}

func caCLI() *cli.Command {
	out, days := "serai-cli.pem", 0
	return &cli.Command{
		Name: "cli", Synopsis: "Make a certificate for the command line", Usage: "[options]",
		Help: `Makes a key here and has the servers sign a certificate for it, both into one file of mode 0600. Use it as -client-cert and -client-key.`,
		Define: func(f *cli.Flags) {
			f.String(&out, "out", "<path>", "File to write, which must not be there yet. Default serai-cli.pem.")
			f.Int(&days, "days", "<n>", "How long it is valid. Default 365.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if err := s.signCLI(ctx, days, func(whole []byte) error { return pki.WriteNew(out, whole) }); err != nil {
				return err
			}
			inv.Printf("Certificate and key are in %s.", out)
			return nil
		},
	}
}

// signCLI has a certificate signed for a new key, and hands both to keep.
func (s *session) signCLI(ctx context.Context, days int, keep func(whole []byte) error) error {
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	csr, err := pki.NewRequest(key)
	if err != nil {
		return err
	}
	resp, err := call(ctx, s, api.CASign, api.CASignRequest{CSR: csr, Days: days})
	if err != nil {
		return err
	}
	whole, err := pki.Bundle(resp.Certificate, key)
	if err != nil {
		return err
	}
	defer clear(whole)
	return keep(whole)
}

func caRetire() *cli.Command {
	var force bool
	return &cli.Command{
		Name: "retire", Synopsis: "End the trust in the authority before a rotation", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.Bool(&force, "force", "Also when agents have no certificate of the new authority: those must join anew.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.CARetire, api.CARetireRequest{Force: force})
			if err != nil {
				return err
			}
			inv.Printf("Only authority %s is trusted.", resp.Authorities[0].ID[:16])
			return nil
		},
	}
}

func caRevoke() *cli.Command {
	var name, serial string
	return &cli.Command{
		Name: "revoke", Synopsis: "End the trust in an agent's certificates", Usage: "-name <agent> | -serial <number>",
		Help: `From then on no agent takes the certificate: servers at once, clients within a minute. The agent can join again with a new token.`,
		Define: func(f *cli.Flags) {
			f.String(&name, "name", "<agent>", "All certificates of the agent with this name.")
			f.String(&serial, "serial", "<number>", "The certificate with this serial number; \"serai ca info\" lists them.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			if (name == "") == (serial == "") {
				return cli.Usagef("give -name or -serial")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			resp, err := call(ctx, s, api.CARevoke, api.CARevokeRequest{Name: name, Serial: serial})
			if err != nil {
				return err
			}
			for _, number := range resp.Revoked {
				inv.Printf("Revoked %s", number)
			}
			for _, node := range resp.Nodes {
				inv.Printf("Node %s is given up: what ran on it is placed elsewhere", node[:min(8, len(node))])
			}
			return nil
		},
	}
}

func joinTokenGroup() *cli.Command {
	return group("join-token", "Let further machines join", joinTokenCreate(), joinTokenList(), joinTokenRevoke())
}

func joinTokenCreate() *cli.Command {
	var server bool
	var req api.JoinTokenRequest
	var ttl time.Duration
	var format cli.Format
	return &cli.Command{
		Name: "create", Synopsis: "Make a token by which a machine can join", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.Bool(&server, "server", "For a server. Default: for a client.")
			f.Duration(&ttl, "ttl", "<duration>", "How long the token is good. Default 30m.")
			f.Int(&req.Uses, "uses", "<n>", "How many machines may join with it. Default 1.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if req.TTL = api.Duration(ttl); server {
				req.Role = "server"
			}
			resp, err := call(ctx, s, api.JoinTokenCreate, req)
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, resp)
			}
			address := net.JoinHostPort("ADDRESS", "4647")
			if len(resp.Servers) > 0 {
				address = resp.Servers[0]
			}
			inv.Printf("%s can join as a %s with it, until %s:", plural(resp.Uses, "machine", "machines"), resp.Role, resp.Expires.Format("15:04 MST on 2 January 2006"))
			inv.Printf("")
			inv.Printf("    serai join %s %s", address, resp.Token)
			inv.Printf("")
			inv.Printf("\"serai join-token revoke %s\" makes it useless.", resp.ID)
			return nil
		},
	}
}

func joinTokenList() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "list", Synopsis: "List the tokens that have not expired", Usage: "[options]", Define: format.Define,
		Help: `Shows no secret. The token that "serai init" printed is listed once it was used or revoked.`,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.JoinTokensList, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			if len(list) == 0 {
				inv.Printf("No join tokens")
				return nil
			}
			t := cli.NewTable("ID", "Role", "Used", "Expires", "State")
			for _, x := range list {
				used, state := fmt.Sprint(x.Used), "good"
				if x.Uses > 0 {
					used = fmt.Sprintf("%d/%d", x.Used, x.Uses)
				}
				switch {
				case x.Revoked:
					state = "revoked"
				case x.Uses > 0 && x.Used >= x.Uses:
					state = "used up"
				}
				t.Row(x.ID, orNone(x.Role), used, date(x.Expires), state)
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func joinTokenRevoke() *cli.Command {
	return &cli.Command{
		Name: "revoke", Synopsis: "Make a token useless", Usage: "<token or its ID>", Min: 1, Max: 1,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			id := inv.Args[0]
			if t, err := pki.ParseToken(id); err == nil { // the secret stays here
				id = t.Name()
			}
			if _, err := call(ctx, s, api.JoinTokenRevoke, api.NameWriteRequest{Name: id}); err != nil {
				return err
			}
			inv.Printf("The token is revoked. Agents that joined with it keep their certificates.")
			return nil
		},
	}
}
