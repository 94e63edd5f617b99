package command

import (
	"context"

	"github.com/seraihq/serai/command/agent"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/cli"
)

func agentCommand() *cli.Command {
	var flags agentFlags
	return &cli.Command{
		Name: "agent", Synopsis: "Run an agent: server, client or both", Usage: "[options]", Offline: true,
		Help: `Runs an agent until it is told to stop: by Ctrl-C, SIGINT or SIGTERM. SIGHUP makes it read its configuration again and take over the log level.

"serai agent -dev" is a whole cluster to try things out, with its state in memory. An agent that lasts has a folder for its state:

  serai agent -server -client -bootstrap-expect 1 -data-dir /var/lib/serai

The HTTP API listens on http://127.0.0.1:4646 unless the configuration says otherwise.`,
		Define: flags.define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			c, err := flags.build()
			if err != nil {
				return err
			}
			showWarnings(inv.Stderr, inv.Style, c.Warnings()...)
			return agent.Run(ctx, c, agent.Options{
				Stdout: inv.Stdout, Stderr: inv.Stderr,
				Reload: func() (*config.Agent, error) { return flags.build() },
			})
		},
	}
}
