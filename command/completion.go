package command

import (
	"context"
	"fmt"

	"github.com/seraihq/serai/command/cli"
)

func completion() *cli.Command {
	return &cli.Command{
		Name: "completion", Synopsis: "Write a shell's completion script", Usage: "bash|zsh|fish", Min: 1, Max: 1, Offline: true,
		Help: `Writes the script that makes a shell complete commands, flags, and the IDs of jobs, allocations, nodes and evaluations.

  source <(serai completion bash)         # in ~/.bashrc
  source <(serai completion zsh)          # in ~/.zshrc
  serai completion fish | source          # in ~/.config/fish/config.fish

"serai -autocomplete-install" adds the line to the start-up files that exist.`,
		Complete: func(context.Context, *cli.Invocation, []string) []string { return cli.Shells },
		Run: func(_ context.Context, inv *cli.Invocation) error {
			script, err := cli.CompletionScript(inv.Args[0], Name)
			if err != nil {
				return err
			}
			fmt.Fprint(inv.Stdout, script)
			return nil
		},
	}
}
