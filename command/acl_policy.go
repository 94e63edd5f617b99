package command

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func aclPolicyApply() *cli.Command {
	var description string
	var job api.JobACL
	return &cli.Command{
		Name: "apply", Synopsis: "Create or change a policy", Usage: "[options] <name> <file>", Min: 2, Max: 2,
		Help: "Writes a policy whose rules are in a file; - is standard input.",
		Define: func(f *cli.Flags) {
			f.String(&description, "description", "<text>", "What the policy is for.")
			f.String(&job.JobID, "job", "<id>", "Attach the policy to the identities of a job's tasks.")
			f.String(&job.Group, "group", "<name>", "Attach the policy to those of a group of the job.")
			f.String(&job.Task, "task", "<name>", "Attach the policy to that of a task of the group.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			rules, err := readSource(ctx, inv.Stdin, "policy", inv.Args[1])
			if err != nil {
				return err
			}
			p := &api.ACLPolicy{Name: inv.Args[0], Description: description, Rules: string(rules)}
			if job != (api.JobACL{}) {
				job.Namespace = cmp.Or(inv.Conn.Namespace, api.DefaultNamespace)
				p.JobACL = &job
			}
			if _, err := call(ctx, s, api.ACLPolicyWrite, api.ACLPolicyWriteRequest{Name: p.Name, Policy: p}); err != nil {
				return err
			}
			inv.Printf("Successfully wrote %q ACL policy!", p.Name)
			return nil
		},
	}
}

func aclPolicyDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Synopsis: "Delete a policy", Usage: "[options] <name>", Min: 1, Max: 1, Complete: completePolicies,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.ACLPolicyDelete, api.NameWriteRequest{Name: inv.Args[0]}); err != nil {
				return err
			}
			inv.Printf("Successfully deleted %s policy!", inv.Args[0])
			return nil
		},
	}
}

func aclPolicyInfo() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "info", Synopsis: "Show a policy with its rules", Usage: "[options] <name>", Min: 1, Max: 1, Complete: completePolicies,
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			p, err := call(ctx, s, api.ACLPolicyRead, api.NameRequest{Name: inv.Args[0]})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, p)
			}
			var pairs cli.Pairs
			pairs.Add("Name", p.Name)
			pairs.Add("Description", orNone(p.Description))
			if j := p.JobACL; j != nil {
				pairs.Add("Namespace", j.Namespace)
				pairs.Add("JobID", j.JobID)
				pairs.Add("Group", orNone(j.Group))
				pairs.Add("Task", orNone(j.Task))
			}
			pairs.Add("CreateIndex", fmt.Sprint(p.CreateIndex))
			pairs.Add("ModifyIndex", fmt.Sprint(p.ModifyIndex))
			pairs.Write(inv.Stdout, inv.Style)
			inv.Printf("\nRules\n")
			for line := range strings.SplitSeq(strings.TrimRight(p.Rules, "\n"), "\n") {
				inv.Printf("%s", cli.Clean(line))
			}
			return nil
		},
	}
}

// aclPolicyList makes `acl policy list`, and `acl policy self` for the policies
// of the token itself.
func aclPolicyList(self bool) *cli.Command {
	var format cli.Format
	name, synopsis, op := "list", "List policies", api.ACLPoliciesList
	if self {
		name, synopsis, op = "self", "List the policies of the token", api.ACLPolicySelf
	}
	return &cli.Command{
		Name: name, Synopsis: synopsis, Usage: "[options]", Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, op, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			if len(list) == 0 {
				inv.Printf("No policies found")
				return nil
			}
			t := cli.NewTable("Name", "Description")
			for _, p := range list {
				t.Row(p.Name, orNone(p.Description))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func completePolicies(ctx context.Context, inv *cli.Invocation, _ []string) []string {
	s, err := open(inv)
	if err != nil {
		return nil
	}
	list, err := call(ctx, s, api.ACLPoliciesList, api.ListRequest{})
	if err != nil {
		return nil
	}
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return names
}
