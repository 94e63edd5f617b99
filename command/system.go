package command

import (
	"context"
	"errors"
	"io"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func systemGC() *cli.Command {
	return &cli.Command{
		Name: "gc", Synopsis: "Forget what is over: jobs, evaluations, allocations, nodes", Usage: "[options]",
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, api.SystemGC, api.WriteRequest{})
			return err
		},
	}
}

func systemReconcileSummaries() *cli.Command {
	return &cli.Command{
		Name: "summaries", Synopsis: "Count the allocations of all jobs again", Usage: "[options]",
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			_, err = call(ctx, s, api.SystemReconcileSummaries, api.WriteRequest{})
			return err
		},
	}
}

func monitor() *cli.Command {
	req := api.AgentMonitorRequest{Plain: true, LogLevel: "INFO"}
	return &cli.Command{
		Name: "monitor", Synopsis: "Show the log of an agent as it is written", Usage: "[options]",
		Help: `Shows what an agent logs from now on, until Ctrl-C. The level may be lower than the agent's own.`,
		Define: func(f *cli.Flags) {
			f.String(&req.LogLevel, "log-level", "<level>", "Least level that is shown: TRACE, DEBUG, INFO, WARN or ERROR. Default INFO.")
			f.Bool(&req.LogJSON, "json", "Show log lines as JSON.")
			f.String(&req.NodeID, "node-id", "<node>", "The client agent of this node.")
			f.String(&req.ServerID, "server-id", "<server>", "The agent of this server, or \"leader\".")
			f.Ignore("log-include-location", "")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			body, _, err := api.Open(ctx, s.client, api.AgentMonitor, &req)
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(inv.Stdout, body)
			if ctx.Err() != nil || errors.Is(err, io.EOF) {
				return nil
			}
			return err
		},
	}
}

func agentInfo() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "agent-info", Synopsis: "Show what an agent says of itself", Usage: "[options]",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			info, err := call(ctx, s, api.AgentSelf, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, info)
			}
			for _, part := range sorted(info.Stats) {
				inv.Printf("%s", inv.Style.Bold(part))
				for _, k := range sorted(info.Stats[part]) {
					inv.Printf("  %s = %s", k, cli.Clean(info.Stats[part][k]))
				}
			}
			return nil
		},
	}
}

func ui() *cli.Command {
	return &cli.Command{
		Name: "ui", Synopsis: "Show the address of the web UI", Usage: "[options] [<ID>]", Max: 1,
		Define: func(f *cli.Flags) {
			f.Ignore("authenticate", "")
			f.Ignore("show-url", "")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			address := inv.Conn.Address
			if address == "" {
				address = api.DefaultAddress
			}
			inv.Printf("URL for web UI: %s/ui/", address)
			return nil
		},
	}
}
