package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func aclGroup() *cli.Command {
	return group("acl", "Say who may do what", append([]*cli.Command{
		aclBootstrap(),
		group("policy", "Sets of rules", aclPolicyApply(), aclPolicyDelete(), aclPolicyInfo(), aclPolicyList(false), aclPolicyList(true)),
		group("role", "Named sets of policies", aclRoleCreate(), aclRoleUpdate(), aclRoleDelete(), aclRoleInfo(), aclRoleList()),
		group("token", "Tokens, which have policies and roles", aclTokenCreate(), aclTokenUpdate(), aclTokenDelete(), aclTokenInfo(), aclTokenSelf(), aclTokenList()),
	}, refused("auth-method", "binding-rule")...)...)
}

func aclBootstrap() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "bootstrap", Synopsis: "Make the first management token", Usage: "[options] [<file>]", Max: 1,
		Help: "Makes the first management token of a cluster with acl { enabled = true }. This works once; how to do it again is in docs/operate/acl.md. " +
			"With a file (- is standard input) the secret is the UUID in it; otherwise it is made.",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.ACLBootstrapRequest{}
			if len(inv.Args) == 1 {
				if req.BootstrapSecret, err = readSecret(inv.Stdin, inv.Args[0]); err != nil {
					return err
				}
			}
			t, err := call(ctx, s, api.ACLBootstrap, req)
			if err != nil {
				return err
			}
			return s.showToken(&format, t.ACLToken)
		},
	}
}

// readSecret reads a secret from a file.
func readSecret(stdin io.Reader, path string) (api.Sensitive, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 1024))
	if err != nil {
		return "", fmt.Errorf("read the secret from %s: %w", path, err)
	}
	return api.Sensitive(strings.TrimSpace(string(text))), nil
}

// shownToken is a token with its secret, as its owner asked to see it.
type shownToken struct {
	AccessorID     string
	SecretID       string
	Name           string
	Type           string
	Policies       []string
	Roles          []*api.ACLTokenRoleLink
	Global         bool
	CreateTime     time.Time
	ExpirationTime *time.Time `json:",omitempty"`
	CreateIndex    uint64
	ModifyIndex    uint64
}

// showToken prints a token with its secret.
func (s *session) showToken(format *cli.Format, t *api.ACLToken) error {
	shown := shownToken{
		AccessorID: t.AccessorID, SecretID: t.SecretID.Reveal(), Name: t.Name, Type: t.Type, Policies: t.Policies, Roles: t.Roles,
		Global: t.Global, CreateTime: t.CreateTime, ExpirationTime: t.ExpirationTime, CreateIndex: t.CreateIndex, ModifyIndex: t.ModifyIndex,
	}
	if format.Wanted() {
		return format.Write(s.Stdout, shown)
	}
	expires := "<none>"
	if t.ExpirationTime != nil {
		expires = t.ExpirationTime.String()
	}
	policies := fmt.Sprint(t.Policies)
	if t.Management() {
		policies = "n/a"
	}
	var p cli.Pairs
	p.Add("Accessor ID", shown.AccessorID)
	p.Add("Secret ID", shown.SecretID)
	p.Add("Name", shown.Name)
	p.Add("Type", shown.Type)
	p.Add("Global", fmt.Sprint(shown.Global))
	p.Add("Create Time", shown.CreateTime.String())
	p.Add("Expiry Time", expires)
	p.Add("Create Index", fmt.Sprint(shown.CreateIndex))
	p.Add("Modify Index", fmt.Sprint(shown.ModifyIndex))
	p.Add("Policies", policies)
	p.Write(s.Stdout, s.Style)
	s.Printf("\nRoles")
	if len(t.Roles) == 0 {
		s.Printf("<none>")
		return nil
	}
	table := cli.NewTable("ID", "Name")
	for _, r := range t.Roles {
		table.Row(r.ID, r.Name)
	}
	table.Write(s.Stdout, s.Style)
	return nil
}
