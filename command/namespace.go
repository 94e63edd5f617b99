package command

import (
	"context"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func namespaceList() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "list", Synopsis: "List namespaces", Usage: "[options]",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.NamespacesList, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			t := cli.NewTable("Name", "Description")
			for _, n := range list {
				t.Row(n.Name, orNone(n.Description))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

// namespaceRead makes `namespace status` and `namespace inspect`, which differ
// in what they show without a format.
func namespaceRead(name, synopsis string, asJSON bool) *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: name, Synopsis: synopsis, Usage: "[options] <namespace>", Min: 1, Max: 1,
		Define:   format.Define,
		Complete: completer(api.ContextNamespaces),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			n, err := call(ctx, s, api.NamespaceRead, api.NameRequest{Name: inv.Args[0]})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, n)
			}
			if asJSON {
				return cli.WriteJSON(inv.Stdout, n)
			}
			s.showNamespace(n)
			return nil
		},
	}
}

func (s *session) showNamespace(n *api.Namespace) {
	var p cli.Pairs
	p.Add("Name", n.Name)
	p.Add("Description", n.Description)
	p.Add("Quota", n.Quota)
	if c := n.Capabilities; c != nil {
		p.Add("EnabledDrivers", strings.Join(c.EnabledTaskDrivers, ","))
		p.Add("DisabledDrivers", strings.Join(c.DisabledTaskDrivers, ","))
		p.Add("EnabledNetworkModes", strings.Join(c.EnabledNetworkModes, ","))
		p.Add("DisabledNetworkModes", strings.Join(c.DisabledNetworkModes, ","))
	}
	p.Write(s.Stdout, s.Style)
	if len(n.Meta) > 0 {
		s.showMap("Metadata", n.Meta)
	}
}

func namespaceDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Synopsis: "Delete a namespace", Usage: "[options] <namespace>", Min: 1, Max: 1,
		Complete: completer(api.ContextNamespaces),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.NamespaceDelete, api.NameWriteRequest{Name: inv.Args[0]}); err != nil {
				return err
			}
			inv.Printf("Successfully deleted namespace %q!", inv.Args[0])
			return nil
		},
	}
}
