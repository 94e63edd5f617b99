package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// tokenFlags are what a token is made of on the command line.
type tokenFlags struct {
	name, kind         string
	policies           []string
	roleIDs, roleNames []string
}

func (t *tokenFlags) define(f *cli.Flags) {
	f.String(&t.name, "name", "<name>", "What the token is for.")
	f.String(&t.kind, "type", "<type>", "client or management.")
	f.Strings(&t.policies, "policy", "<name>", "A policy of the token; may be given several times.")
	f.Strings(&t.roleIDs, "role-id", "<id>", "A role of the token by its ID; may be given several times.")
	f.Strings(&t.roleNames, "role-name", "<name>", "A role of the token by its name; may be given several times.")
}

func (t *tokenFlags) roles() []*api.ACLTokenRoleLink {
	var links []*api.ACLTokenRoleLink
	for _, id := range t.roleIDs {
		links = append(links, &api.ACLTokenRoleLink{ID: id})
	}
	for _, name := range t.roleNames {
		links = append(links, &api.ACLTokenRoleLink{Name: name})
	}
	return links
}

func aclTokenCreate() *cli.Command {
	var format cli.Format
	var flags tokenFlags
	var accessor string
	var global bool
	var ttl time.Duration
	return &cli.Command{
		Name: "create", Synopsis: "Create a token", Usage: "[options]",
		Define: func(f *cli.Flags) {
			flags.define(f)
			f.Bool(&global, "global", "The token is for all regions.")
			f.Duration(&ttl, "ttl", "<time>", "How long the token is good, for example 8h; for ever when absent.")
			f.String(&accessor, "accessor", "<id>", "Accessor of the token; it is made when absent.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			kind := flags.kind
			if kind == "" {
				kind = api.TokenClient
			}
			t := &api.ACLToken{
				AccessorID: accessor, Name: flags.name, Type: kind, Policies: flags.policies, Roles: flags.roles(),
				Global: global, ExpirationTTL: api.Duration(ttl),
			}
			made, err := call(ctx, s, api.ACLTokenCreate, api.ACLTokenCreateRequest{Token: &api.ACLTokenSecret{ACLToken: t}})
			if err != nil {
				return err
			}
			s.warnOfPolicies(ctx, made.ACLToken)
			return s.showToken(&format, made.ACLToken)
		},
	}
}

// warnOfPolicies tells which policies of a token are not there. They may be made
// later, so that is no error; most often it is a slip.
func (s *session) warnOfPolicies(ctx context.Context, t *api.ACLToken) {
	if len(t.Policies) == 0 {
		return
	}
	list, err := call(ctx, s, api.ACLPoliciesList, api.ListRequest{})
	if err != nil {
		return // who may not see policies is not told of them
	}
	for _, name := range t.Policies {
		if !slices.ContainsFunc(list, func(p *api.ACLPolicyListStub) bool { return p.Name == name }) {
			showWarnings(s.Stderr, s.Style, fmt.Sprintf("there is no policy %q: the token has nothing of it until \"serai acl policy apply %s FILE\" makes it", name, name))
		}
	}
}

func aclTokenUpdate() *cli.Command {
	var format cli.Format
	var flags tokenFlags
	return &cli.Command{
		Name: "update", Synopsis: "Change a token", Usage: "[options] <accessor ID>", Min: 1, Max: 1,
		Help:   "Changes what is given; policies and roles that are given take the place of those that the token has.",
		Define: func(f *cli.Flags) { flags.define(f); format.Define(f) },
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			old, err := call(ctx, s, api.ACLTokenRead, api.IDRequest{ID: inv.Args[0]})
			if err != nil {
				return err
			}
			t := *old.ACLToken
			t.ExpirationTTL, t.ExpirationTime = 0, nil
			if flags.name != "" {
				t.Name = flags.name
			}
			if flags.kind != "" {
				t.Type = flags.kind
			}
			if len(flags.policies) > 0 {
				t.Policies = flags.policies
			}
			if roles := flags.roles(); len(roles) > 0 {
				t.Roles = roles
			}
			if t.Management() {
				t.Policies, t.Roles = flags.policies, flags.roles()
			}
			done, err := call(ctx, s, api.ACLTokenUpdate, api.ACLTokenUpdateRequest{ID: t.AccessorID, Token: &api.ACLTokenSecret{ACLToken: &t}})
			if err != nil {
				return err
			}
			s.warnOfPolicies(ctx, done.ACLToken)
			return s.showToken(&format, done.ACLToken)
		},
	}
}

func aclTokenDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Synopsis: "Delete a token", Usage: "[options] <accessor ID>", Min: 1, Max: 1,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.ACLTokenDelete, api.IDWriteRequest{ID: inv.Args[0]}); err != nil {
				return err
			}
			inv.Printf("Token %s successfully deleted", inv.Args[0])
			return nil
		},
	}
}

func aclTokenInfo() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "info", Synopsis: "Show a token with its secret", Usage: "[options] <accessor ID>", Min: 1, Max: 1,
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			t, err := call(ctx, s, api.ACLTokenRead, api.IDRequest{ID: inv.Args[0]})
			if err != nil {
				return err
			}
			return s.showToken(&format, t.ACLToken)
		},
	}
}

func aclTokenSelf() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "self", Synopsis: "Show the token that is in use", Usage: "[options]",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			t, err := call(ctx, s, api.ACLTokenSelf, api.ListRequest{})
			if err != nil {
				return err
			}
			return s.showToken(&format, t.ACLToken)
		},
	}
}

func aclTokenList() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "list", Synopsis: "List tokens, without their secrets", Usage: "[options]", Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.ACLTokensList, api.ACLTokensListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			if len(list) == 0 {
				inv.Printf("No tokens found")
				return nil
			}
			t := cli.NewTable("Name", "Type", "Global", "Accessor ID", "Expired")
			for _, x := range list {
				expired := x.ExpirationTime != nil && time.Now().After(*x.ExpirationTime)
				t.Row(orNone(x.Name), x.Type, fmt.Sprint(x.Global), x.AccessorID, fmt.Sprint(expired))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}
