package command

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func gossipGroup() *cli.Command {
	return group("gossip", "What the servers tell each other", group("keyring", "The keys that encrypt it",
		gossipGenerate(), gossipList(),
		gossipKey("install", "Give all servers a further key", "The key can be read with from then on, and be used by \"operator gossip keyring use\".", "Installing new gossip encryption key...", api.AgentKeyringInstall),
		gossipKey("use", "Have all servers write with a key", "The key must be installed.", "Changing primary gossip encryption key...", api.AgentKeyringUse),
		gossipKey("remove", "Take a key from all servers", "The key that is in use cannot be removed.", "Removing gossip encryption key...", api.AgentKeyringRemove),
	))
}

func gossipGenerate() *cli.Command {
	return &cli.Command{
		Name: "generate", Synopsis: "Make a key", Usage: "", Offline: true,
		Help: `Prints 32 random bytes in base64, for server { encrypt = "…" }. All servers of a cluster need the same.`,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			b := make([]byte, 32)
			if _, err := rand.Read(b); err != nil {
				return err
			}
			inv.Printf("%s", base64.StdEncoding.EncodeToString(b))
			return nil
		},
	}
}

func gossipList() *cli.Command {
	return &cli.Command{
		Name: "list", Synopsis: "List the keys that the servers have", Usage: "[options]",
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			inv.Printf("Gathering installed encryption keys...")
			r, err := call(ctx, s, api.AgentKeyringList, api.ListRequest{})
			if err != nil {
				return err
			}
			t := cli.NewTable("Key", "Servers", "In Use By")
			for _, key := range sorted(r.Keys) {
				t.Row(key, fmt.Sprintf("%d/%d", r.Keys[key], r.NumNodes), fmt.Sprintf("%d/%d", r.PrimaryKeys[key], r.NumNodes))
			}
			t.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

func gossipKey(name, synopsis, help, doing string, op api.Op[api.KeyringRequest, *api.KeyringResponse]) *cli.Command {
	return &cli.Command{
		Name: name, Synopsis: synopsis, Usage: "<key>", Min: 1, Max: 1, Help: help,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			inv.Printf("%s", doing)
			_, err = call(ctx, s, op, api.KeyringRequest{Key: inv.Args[0]})
			return err
		},
	}
}
