package command

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func rootKeyringList() *cli.Command {
	var verbose bool
	var format cli.Format
	return &cli.Command{
		Name: "list", Synopsis: "List the root keys", Usage: "[options]",
		Define: func(f *cli.Flags) {
			f.Bool(&verbose, "verbose", "Show whole IDs.")
			format.Define(f)
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.RootKeysList, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, list)
			}
			writeRootKeys(inv, list, verbose)
			return nil
		},
	}
}

func writeRootKeys(inv *cli.Invocation, list []*api.RootKeyMeta, verbose bool) {
	t := cli.NewTable("Key", "State", "Algorithm", "Create Time", "Publish Time")
	for _, k := range list {
		id := k.KeyID
		if !verbose {
			id = id[:min(8, len(id))]
		}
		publish := "<none>"
		if k.PublishTime != k.CreateTime {
			publish = date(k.PublishTime)
		}
		t.Row(id, k.State, k.Algorithm, date(k.CreateTime), publish)
	}
	t.Write(inv.Stdout, inv.Style)
}

func rootKeyringRotate() *cli.Command {
	var full, now, verbose bool
	var ahead time.Duration
	return &cli.Command{
		Name: "rotate", Synopsis: "Make a new root key", Usage: "[options]",
		Help: "Makes a key that signs the identities of tasks from now on. What the old one has signed stays good until the key is removed; " +
			"tasks get new tokens when theirs are renewed, or when they start again. With -prepublish the key is among those of /.well-known/jwks.json for some time before it signs.",
		Define: func(f *cli.Flags) {
			f.Bool(&full, "full", "Encrypt everything anew. Root keys encrypt nothing yet: there is nothing more to do.")
			f.Bool(&now, "now", "Sign with the key at once; so it is without -prepublish too.")
			f.Duration(&ahead, "prepublish", "<duration>", "How long the key is known before it signs.")
			f.Bool(&verbose, "verbose", "Show whole IDs.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			switch {
			case now && ahead != 0:
				return api.Errorf(api.ErrInvalid, "-now and -prepublish contradict each other")
			case ahead < 0:
				return api.Errorf(api.ErrInvalid, "-prepublish must not be negative")
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			req := api.RootKeyRotateRequest{Full: full}
			if ahead > 0 {
				req.PublishTime = time.Now().Add(ahead).UnixNano()
			}
			resp, err := call(ctx, s, api.RootKeyRotate, req)
			if err != nil {
				return err
			}
			writeRootKeys(inv, []*api.RootKeyMeta{resp.Key}, verbose)
			return nil
		},
	}
}

func rootKeyringRemove() *cli.Command {
	var force bool
	return &cli.Command{
		Name: "remove", Synopsis: "Remove a root key", Usage: "[options] <key>", Min: 1, Max: 1,
		Help: "Removes a key that does not sign. Identities that it has signed are refused from then on.",
		Define: func(f *cli.Flags) {
			f.Bool(&force, "force", "Remove it although tasks that run may have identities that it signed.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			list, err := call(ctx, s, api.RootKeysList, api.ListRequest{})
			if err != nil {
				return err
			}
			id, err := rootKeyBy(list, inv.Args[0])
			if err != nil {
				return err
			}
			if _, err := call(ctx, s, api.RootKeyDelete, api.RootKeyDeleteRequest{ID: id, Force: force}); err != nil {
				return err
			}
			inv.Printf("Removed root key %s", id)
			return nil
		},
	}
}

// rootKeyBy finds the one key whose ID begins with a text.
func rootKeyBy(list []*api.RootKeyMeta, prefix string) (string, error) {
	var found []string
	for _, k := range list {
		if k.KeyID == prefix {
			return prefix, nil
		}
		if len(prefix) >= 2 && len(k.KeyID) > len(prefix) && k.KeyID[:len(prefix)] == prefix {
			found = append(found, k.KeyID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", api.Errorf(api.ErrNotFound, "no root key begins with %.40q; serai operator root keyring list tells which there are", prefix)
	}
	return "", api.Errorf(api.ErrInvalid, "%d root keys begin with %.40q; give more of the ID", len(found), prefix)
}
