package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// roleFlags are what a role is made of on the command line.
type roleFlags struct {
	name, description string
	policies          []string
}

func (r *roleFlags) define(f *cli.Flags) {
	f.String(&r.name, "name", "<name>", "Name of the role.")
	f.String(&r.description, "description", "<text>", "What the role is for.")
	f.Strings(&r.policies, "policy", "<name>", "A policy of the role; may be given several times.")
}

func (r *roleFlags) links() []*api.ACLRolePolicyLink {
	links := make([]*api.ACLRolePolicyLink, len(r.policies))
	for i, name := range r.policies {
		links[i] = &api.ACLRolePolicyLink{Name: name}
	}
	return links
}

func aclRoleCreate() *cli.Command {
	var format cli.Format
	var flags roleFlags
	return &cli.Command{
		Name: "create", Synopsis: "Create a role", Usage: "[options]",
		Define: func(f *cli.Flags) { flags.define(f); format.Define(f) },
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if flags.name == "" || len(flags.policies) == 0 {
				return cli.Usagef("give the role a -name and at least one -policy")
			}
			role := &api.ACLRole{Name: flags.name, Description: flags.description, Policies: flags.links()}
			if role, err = call(ctx, s, api.ACLRoleCreate, api.ACLRoleCreateRequest{Role: role}); err != nil {
				return err
			}
			return s.showRole(&format, role)
		},
	}
}

func aclRoleUpdate() *cli.Command {
	var format cli.Format
	var flags roleFlags
	var noMerge bool
	return &cli.Command{
		Name: "update", Synopsis: "Change a role", Usage: "[options] <role ID>", Min: 1, Max: 1,
		Help: "Changes what is given; policies are added to those that the role has. With -no-merge the role is written anew.",
		Define: func(f *cli.Flags) {
			flags.define(f)
			f.Bool(&noMerge, "no-merge", "Write the role anew: what is not given is dropped.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			old, err := call(ctx, s, api.ACLRoleRead, api.IDRequest{ID: inv.Args[0]})
			if err != nil {
				return err
			}
			role := &api.ACLRole{ID: old.ID, Name: flags.name, Description: flags.description, Policies: flags.links()}
			switch {
			case noMerge && (flags.name == "" || len(flags.policies) == 0):
				return cli.Usagef("with -no-merge give the role a -name and at least one -policy")
			case !noMerge && flags.name == "" && flags.description == "" && len(flags.policies) == 0:
				return cli.Usagef("say what to change: -name, -description or -policy")
			case !noMerge:
				merge(role, old)
			}
			if role, err = call(ctx, s, api.ACLRoleUpdate, api.ACLRoleUpdateRequest{ID: old.ID, Role: role}); err != nil {
				return err
			}
			return s.showRole(&format, role)
		},
	}
}

// merge takes over from the old role what was not given for the new one.
func merge(role, old *api.ACLRole) {
	if role.Name == "" {
		role.Name = old.Name
	}
	if role.Description == "" {
		role.Description = old.Description
	}
	for _, p := range old.Policies {
		if !slices.ContainsFunc(role.Policies, func(l *api.ACLRolePolicyLink) bool { return l.Name == p.Name }) {
			role.Policies = append(role.Policies, p)
		}
	}
}

func aclRoleDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Synopsis: "Delete a role", Usage: "[options] <role ID>", Min: 1, Max: 1,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.ACLRoleDelete, api.IDWriteRequest{ID: inv.Args[0]}); err != nil {
				return err
			}
			inv.Printf("ACL role %s successfully deleted", inv.Args[0])
			return nil
		},
	}
}

func aclRoleInfo() *cli.Command {
	var format cli.Format
	var byName bool
	return &cli.Command{
		Name: "info", Synopsis: "Show a role", Usage: "[options] <role ID>", Min: 1, Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&byName, "by-name", "The argument is the role's name.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			var role *api.ACLRole
			if byName {
				role, err = call(ctx, s, api.ACLRoleReadByName, api.NameRequest{Name: inv.Args[0]})
			} else if role, err = call(ctx, s, api.ACLRoleRead, api.IDRequest{ID: inv.Args[0]}); errors.Is(err, api.ErrNotFound) {
				err = fmt.Errorf("%w; with -by-name the argument is the role's name", err)
			}
			if err != nil {
				return err
			}
			return s.showRole(&format, role)
		},
	}
}

func aclRoleList() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "list", Synopsis: "List roles", Usage: "[options]", Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.ACLRolesList, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			if len(list) == 0 {
				inv.Printf("No ACL roles found")
				return nil
			}
			t := cli.NewTable("ID", "Name", "Description", "Policies")
			for _, r := range list {
				t.Row(r.ID, r.Name, orNone(r.Description), rolePolicies(r))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func rolePolicies(r *api.ACLRole) string {
	names := make([]string, len(r.Policies))
	for i, p := range r.Policies {
		names[i] = p.Name
	}
	return strings.Join(names, ",")
}

func (s *session) showRole(format *cli.Format, r *api.ACLRole) error {
	if format.Wanted() {
		return format.Write(s.Stdout, r)
	}
	var p cli.Pairs
	p.Add("ID", r.ID)
	p.Add("Name", r.Name)
	p.Add("Description", orNone(r.Description))
	p.Add("Policies", rolePolicies(r))
	p.Add("Create Index", fmt.Sprint(r.CreateIndex))
	p.Add("Modify Index", fmt.Sprint(r.ModifyIndex))
	p.Write(s.Stdout, s.Style)
	return nil
}
