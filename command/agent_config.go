package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/hclx"
)

// agentFlags are the flags of `serai agent`; what is given goes over the files.
type agentFlags struct {
	paths []string
	dev   bool
	after []func(c *config.Agent) // changes of the flags that were given, in order
	err   error
}

// set declares a flag that changes the configuration.
func (a *agentFlags) set(f *cli.Flags, name, value, help string, change func(c *config.Agent, v string) error) {
	f.Func(name, value, help, func(v string) error {
		if err := change(config.Default(), v); err != nil { // a wrong value is told with the flag
			return err
		}
		a.after = append(a.after, func(c *config.Agent) { a.err = change(c, v) })
		return nil
	})
}

// flip declares a switch that changes the configuration.
func (a *agentFlags) flip(f *cli.Flags, name, help string, change func(c *config.Agent, on bool)) {
	var on *bool
	f.OptionalBool(&on, name, help)
	a.after = append(a.after, func(c *config.Agent) {
		if on != nil {
			change(c, *on)
		}
	})
}

func (a *agentFlags) text(f *cli.Flags, name, value, help string, field func(c *config.Agent) *string) {
	a.set(f, name, value, help, func(c *config.Agent, v string) error { *field(c) = v; return nil })
}

func (a *agentFlags) define(f *cli.Flags) {
	f.Strings(&a.paths, "config", "<path>", "Configuration file or folder, HCL or JSON. May be given many times; later ones win.")
	f.Bool(&a.dev, "dev", "One agent for trying things out: server and client on loopback, state in memory, all drivers on. Files and other flags go on top.")
	a.flip(f, "server", "Run a server.", func(c *config.Agent, on bool) { c.Server.Enabled = on })
	a.flip(f, "client", "Run a client: allocations may be placed on this machine.", func(c *config.Agent, on bool) { c.Client.Enabled = on })
	a.text(f, "data-dir", "<path>", "Folder for the agent's state.", func(c *config.Agent) *string { return &c.DataDir })
	a.text(f, "plugin-dir", "<path>", "Folder of external drivers. Default <data-dir>/plugins.", func(c *config.Agent) *string { return &c.PluginDir })
	a.text(f, "bind", "<address>", "Address to listen on. Default 127.0.0.1.", func(c *config.Agent) *string { return &c.BindAddr })
	a.text(f, "region", "<region>", "Region of the agent. Default global.", func(c *config.Agent) *string { return &c.Region })
	a.text(f, "dc", "<datacenter>", "Datacenter of the agent. Default dc1.", func(c *config.Agent) *string { return &c.Datacenter })
	a.text(f, "node", "<name>", "Name of the agent. Default the host's name.", func(c *config.Agent) *string { return &c.Name })
	a.text(f, "log-level", "<level>", "TRACE, DEBUG, INFO, WARN or ERROR. Default INFO.", func(c *config.Agent) *string { return &c.LogLevel })
	a.flip(f, "log-json", "Log lines in JSON.", func(c *config.Agent, on bool) { c.LogJSON = on })
	a.flip(f, "log-include-location", "Log lines with the place in the source.", func(c *config.Agent, on bool) { c.LogIncludeLocation = on })
	f.Group("Server options")
	a.number(f, "bootstrap-expect", "<n>", "Number of servers that make up a new cluster together.", func(c *config.Agent) *int { return &c.Server.BootstrapExpect })
	a.set(f, "encrypt", "<key>", "Gossip key, of `serai operator gossip keyring generate`.", func(c *config.Agent, v string) error { c.Server.Encrypt = secret(v); return nil })
	a.list(f, "join", "<address>", "Servers to join once; without one the agent ends.", func(c *config.Agent) *[]string { return &c.Server.ServerJoin.StartJoin })
	a.list(f, "retry-join", "<address>", "Servers to join, again and again.", func(c *config.Agent) *[]string { return &c.Server.ServerJoin.RetryJoin })
	a.number(f, "retry-max", "<n>", "How often to try to join.", func(c *config.Agent) *int { return &c.Server.ServerJoin.RetryMax })
	a.set(f, "retry-interval", "<duration>", "How long to wait between tries.", func(c *config.Agent, v string) (err error) {
		c.Server.ServerJoin.RetryInterval, err = time.ParseDuration(v)
		return err
	})
	a.text(f, "redundancy-zone", "<zone>", "Zone of the server: one server of each votes, where zones are enabled.", func(c *config.Agent) *string { return &c.Server.RedundancyZone })
	a.flip(f, "non-voting-server", "A server that replicates the state and never votes.", func(c *config.Agent, on bool) { c.Server.NonVotingServer = on })
	a.flip(f, "rejoin", "A server that left goes back to those that it knew.", func(c *config.Agent, on bool) { c.Server.RejoinAfterLeave = on })
	f.Group("Client options")
	a.text(f, "state-dir", "<path>", "Folder for the client's state.", func(c *config.Agent) *string { return &c.Client.StateDir })
	a.text(f, "alloc-dir", "<path>", "Folder for allocations.", func(c *config.Agent) *string { return &c.Client.AllocDir })
	a.text(f, "alloc-mounts-dir", "<path>", "Folder for what is mounted into allocations.", func(c *config.Agent) *string { return &c.Client.AllocMountsDir })
	a.text(f, "node-class", "<class>", "Class of the node.", func(c *config.Agent) *string { return &c.Client.NodeClass })
	a.text(f, "node-pool", "<pool>", "Pool of the node. Default \"default\".", func(c *config.Agent) *string { return &c.Client.NodePool })
	a.set(f, "meta", "<key=value>", "Meta of the node. May be given many times.", setMeta)
	a.list(f, "servers", "<address>", "Servers to register with.", func(c *config.Agent) *[]string { return &c.Client.Servers })
	a.text(f, "network-interface", "<name>", "Network interface of allocations.", func(c *config.Agent) *string { return &c.Client.NetworkInterface })
	a.text(f, "preferred-address-family", "<family>", "ipv4 or ipv6.", func(c *config.Agent) *string { return &c.Client.PreferredAddressFamily })
	a.number(f, "network-speed", "<Mbit/s>", "Speed of the network.", func(c *config.Agent) *int { return &c.Client.NetworkSpeed })
	a.flip(f, "acl-enabled", "Require tokens of all requests.", func(c *config.Agent, on bool) { c.ACL.Enabled = on })
	a.set(f, "acl-replication-token", "<token>", "Not built: refused.", func(c *config.Agent, v string) error { c.ACL.ReplicationToken = secret(v); return nil })
	a.ignored(f)
}

// ignored accepts the flags of Nomad's agent that have no effect here.
func (a *agentFlags) ignored(f *cli.Flags) {
	for _, name := range []string{"eventlog", "dev-connect", "dev-consul", "dev-vault", "consul-auto-advertise", "consul-checks-use-advertise", "consul-client-auto-join", "consul-server-auto-join", "consul-share-ssl", "consul-ssl", "consul-verify-ssl", "vault-enabled", "vault-allow-unauthenticated"} {
		f.Ignore(name, "")
	}
	for _, name := range []string{"raft-protocol", "host-volumes-dir", "host-volume-plugin-dir", "client-intro-token", "eventlog-level", "consul-address", "consul-auth", "consul-ca-file", "consul-cert-file", "consul-key-file", "consul-client-http-check-name", "consul-client-service-name", "consul-server-service-name", "consul-token", "vault-address", "vault-ca-file", "vault-ca-path", "vault-cert-file", "vault-key-file", "vault-create-from-role", "vault-tls-server-name", "vault-tls-skip-verify", "vault-token"} {
		f.Ignore(name, "<text>")
	}
}

func (a *agentFlags) number(f *cli.Flags, name, value, help string, field func(c *config.Agent) *int) {
	a.set(f, name, value, help, func(c *config.Agent, v string) error {
		n, err := parseInt(v)
		*field(c) = n
		return err
	})
}

func (a *agentFlags) list(f *cli.Flags, name, value, help string, field func(c *config.Agent) *[]string) {
	a.set(f, name, value, help+" May be given many times.", func(c *config.Agent, v string) error {
		*field(c) = append(*field(c), strings.Split(v, ",")...)
		return nil
	})
}

func setMeta(c *config.Agent, v string) error {
	key, value, ok := strings.Cut(v, "=")
	if !ok || key == "" {
		return fmt.Errorf("write it as key=value")
	}
	if c.Client.Meta == nil {
		c.Client.Meta = map[string]string{}
	}
	c.Client.Meta[key] = value
	return nil
}

// build reads the files, lays the flags over them and checks the whole.
func (a *agentFlags) build() (*config.Agent, error) {
	c := config.Default()
	if a.dev {
		c = config.Dev()
	}
	loading := c.Load(a.paths...)
	for _, change := range a.after {
		if change(c); a.err != nil {
			return nil, a.err
		}
	}
	err := c.Finish()
	if loading != nil {
		err = together(loading, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be used:\n\n%w", err)
	}
	return c, nil
}

// together joins the problems of reading with those of checking, except for
// those that only say that something is missing: it may be what was not read.
func together(loading, finishing error) error {
	problems, ok := hclx.AsProblems(loading)
	if !ok {
		return loading
	}
	more, _ := hclx.AsProblems(finishing)
	for _, p := range more {
		if p.File != "" {
			problems = append(problems, p)
		}
	}
	return problems.Sort()
}

func configValidate() *cli.Command {
	return &cli.Command{
		Name: "validate", Synopsis: "Check the configuration of an agent", Usage: "<path>...", Min: 1, Max: -1, Offline: true,
		Help: `Reads configuration files and folders as "agent -config" does and tells everything that is wrong with them, and which keys are accepted without effect. The exit code is 0 when an agent would start with them and 1 when it would not.`,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			c, err := (&agentFlags{paths: inv.Args}).build()
			if err != nil {
				return err
			}
			for _, w := range c.Warnings() {
				showWarnings(inv.Stderr, inv.Style, w)
			}
			if len(c.Unused) > 0 {
				inv.Printf("Accepted without effect:")
				for _, u := range c.Unused {
					inv.Printf("  %s", u)
				}
				inv.Printf("")
			}
			inv.Printf("Configuration is valid!")
			return nil
		},
	}
}
