package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func autopilotGroup() *cli.Command {
	return group("autopilot", "How the servers look after themselves", autopilotGetConfig(), autopilotSetConfig(), autopilotHealth())
}

func autopilotGetConfig() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "get-config", Synopsis: "Show autopilot's configuration", Usage: "[options]",
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			c, err := call(ctx, s, api.AutopilotConfigRead, api.ListRequest{})
			if err != nil {
				return err
			}
			if format.Wanted() {
				return format.Write(inv.Stdout, c)
			}
			var p cli.Pairs
			p.Add("CleanupDeadServers", fmt.Sprint(c.CleanupDeadServers))
			p.Add("LastContactThreshold", c.LastContactThreshold.String())
			p.Add("MaxTrailingLogs", fmt.Sprint(c.MaxTrailingLogs))
			p.Add("MinQuorum", fmt.Sprint(c.MinQuorum))
			p.Add("ServerStabilizationTime", c.ServerStabilizationTime.String())
			p.Add("EnableRedundancyZones", fmt.Sprint(c.EnableRedundancyZones))
			p.Add("DisableUpgradeMigration", fmt.Sprint(c.DisableUpgradeMigration))
			p.Add("EnableCustomUpgrades", fmt.Sprint(c.EnableCustomUpgrades))
			p.Write(inv.Stdout, inv.Style)
			return nil
		},
	}
}

// autopilotChange is what `operator autopilot set-config` was told to change.
type autopilotChange struct {
	cleanup, zones, noMigration, custom *bool
	contact, stable                     time.Duration
	trailing, quorum                    int
}

func (c *autopilotChange) define(f *cli.Flags) {
	f.OptionalBool(&c.cleanup, "cleanup-dead-servers", "Remove servers that failed from Raft.")
	f.Duration(&c.contact, "last-contact-threshold", "<duration>", "A server that has not heard from the leader for longer is unhealthy.")
	f.Int(&c.trailing, "max-trailing-logs", "<n>", "A server that is more log entries behind is unhealthy.")
	f.Int(&c.quorum, "min-quorum", "<n>", "Remove no dead server when fewer voters would remain.")
	f.Duration(&c.stable, "server-stabilization-time", "<duration>", "How long a new server is healthy before it gets a vote.")
	f.OptionalBool(&c.zones, "enable-redundancy-zones", "One server of each zone votes, the others stand by.")
	f.OptionalBool(&c.noMigration, "disable-upgrade-migration", "Accepted: servers of a newer build are never waited for.")
	f.OptionalBool(&c.custom, "enable-custom-upgrades", "Not built: refused.")
}

// apply writes what the flags name into a configuration.
func (c *autopilotChange) apply(config *api.AutopilotConfiguration, flags *cli.Flags) error {
	for from, to := range map[**bool]*bool{
		&c.cleanup: &config.CleanupDeadServers, &c.zones: &config.EnableRedundancyZones,
		&c.noMigration: &config.DisableUpgradeMigration, &c.custom: &config.EnableCustomUpgrades,
	} {
		if *from != nil {
			*to = **from
		}
	}
	if flags.Given("last-contact-threshold") {
		config.LastContactThreshold = api.Duration(c.contact)
	}
	if flags.Given("server-stabilization-time") {
		config.ServerStabilizationTime = api.Duration(c.stable)
	}
	if c.trailing < 0 || c.quorum < 0 {
		return cli.Usagef("-max-trailing-logs and -min-quorum count: they are 0 or more")
	}
	if flags.Given("max-trailing-logs") {
		config.MaxTrailingLogs = uint64(c.trailing)
	}
	if flags.Given("min-quorum") {
		config.MinQuorum = uint(c.quorum)
	}
	return nil
}

func autopilotSetConfig() *cli.Command {
	var change autopilotChange
	return &cli.Command{
		Name: "set-config", Synopsis: "Change autopilot's configuration", Usage: "[options]",
		Help:   `Changes what the flags name and leaves the rest as it is.`,
		Define: change.define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			config, err := call(ctx, s, api.AutopilotConfigRead, api.ListRequest{})
			if err != nil {
				return err
			}
			if err := change.apply(config, inv.Flags); err != nil {
				return err
			}
			set, err := call(ctx, s, api.AutopilotConfigWrite, api.AutopilotConfigRequest{CAS: &config.ModifyIndex, Config: config})
			if err != nil {
				return err
			}
			if !set {
				return fmt.Errorf("autopilot's configuration was changed in between; look at it and try again")
			}
			inv.Printf("Configuration updated!")
			return nil
		},
	}
}

func autopilotHealth() *cli.Command {
	var format cli.Format
	return &cli.Command{
		Name: "health", Synopsis: "Show how healthy the servers are", Usage: "[options]",
		Help:   `The exit code is 2 when a server is not healthy.`,
		Define: format.Define,
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			h, err := call(ctx, s, api.AutopilotHealthRead, api.AutopilotHealthRequest{Always: true})
			if err != nil {
				return err
			}
			if format.Wanted() {
				err = format.Write(inv.Stdout, h)
			} else {
				showServerHealth(inv, h)
			}
			if err == nil && !h.Healthy {
				return cli.ExitCode(2)
			}
			return err
		},
	}
}

func showServerHealth(inv *cli.Invocation, h *api.AutopilotHealth) {
	var p cli.Pairs
	p.Add("Healthy", fmt.Sprint(h.Healthy))
	p.Add("FailureTolerance", fmt.Sprint(h.FailureTolerance))
	p.Add("Leader", h.Leader)
	p.Add("Voters", strings.Join(h.Voters, ", "))
	if len(h.ReadReplicas) > 0 {
		p.Add("ReadReplicas", strings.Join(h.ReadReplicas, ", "))
	}
	if len(h.RedundancyZones) > 0 {
		p.Add("OptimisticFailureTolerance", fmt.Sprint(h.OptimisticFailureTolerance))
	}
	p.Write(inv.Stdout, inv.Style)
	inv.Printf("")
	t := cli.NewTable("Name", "ID", "Address", "Serf", "Version", "Leader", "Voter", "Healthy", "Last Contact", "Last Index", "Stable Since")
	for _, x := range h.Servers {
		t.Row(x.Name, x.ID, x.Address, inv.Style.Status(x.SerfStatus), x.Version, fmt.Sprint(x.Leader), fmt.Sprint(x.Voter), fmt.Sprint(x.Healthy),
			x.LastContact.Std().Round(time.Millisecond).String(), fmt.Sprint(x.LastIndex), x.StableSince.Format(time.RFC3339))
	}
	t.Write(inv.Stdout, inv.Style)
	if len(h.RedundancyZones) == 0 {
		return
	}
	inv.Printf("")
	z := cli.NewTable("Zone", "Servers", "Voters", "Failure Tolerance")
	for _, name := range sorted(h.RedundancyZones) {
		x := h.RedundancyZones[name]
		z.Row(name, strings.Join(x.Servers, ", "), strings.Join(x.Voters, ", "), fmt.Sprint(x.FailureTolerance))
	}
	z.Write(inv.Stdout, inv.Style)
}
