package config

import (
	"path/filepath"

	"github.com/seraihq/serai/internal/hclx"
)

// Finish fills in what follows from the rest and checks the whole. It is
// called once, after files and flags. The error is hclx.Problems with every
// problem at once; Warnings tells of the harmless ones.
func (c *Agent) Finish() error {
	if c.Name == "" {
		c.Name = hostname()
	}
	if c.DevMode {
		c.Server.Enabled, c.Client.Enabled = true, true // a file cannot switch off what -dev is
	}
	v := &checker{agent: c}
	for _, a := range c.addresses() {
		v.resolve(a.key, a.text)
		v.address(a.key, *a.text)
	}
	fill(&c.Addresses.HTTP, c.BindAddr)
	fill(&c.Addresses.RPC, c.BindAddr)
	fill(&c.Addresses.Serf, c.BindAddr)
	if filepath.IsAbs(c.DataDir) {
		fill(&c.Server.DataDir, filepath.Join(c.DataDir, "server"))
		fill(&c.Client.StateDir, filepath.Join(c.DataDir, "client"))
		fill(&c.Client.AllocDir, filepath.Join(c.DataDir, "alloc"))
		fill(&c.Client.AllocMountsDir, filepath.Join(c.DataDir, "alloc_mounts"))
		fill(&c.PluginDir, filepath.Join(c.DataDir, "plugins"))
	}
	v.check()
	return v.problems.Sort().Err()
}

type address struct {
	key  string
	text *string
}

func (c *Agent) addresses() []address {
	return []address{
		{"bind_addr", &c.BindAddr},
		{"addresses.http", &c.Addresses.HTTP}, {"addresses.rpc", &c.Addresses.RPC}, {"addresses.serf", &c.Addresses.Serf},
		{"advertise.http", &c.Advertise.HTTP}, {"advertise.rpc", &c.Advertise.RPC}, {"advertise.serf", &c.Advertise.Serf},
	}
}

func fill(dst *string, value string) {
	if *dst == "" {
		*dst = value
	}
}

// Warnings lists what is allowed but probably not meant.
func (c *Agent) Warnings() []string {
	var out []string
	if c.Enabled() && !isLoopback(c.Addresses.HTTP) {
		out = append(out, "the HTTP API listens on "+c.Addresses.HTTP+" without TLS and without access control: whoever reaches the port runs programs on this machine")
	}
	return out
}

// Enabled says whether the agent does anything at all.
func (c *Agent) Enabled() bool { return c.Server.Enabled || c.Client.Enabled }

// Reload gives the part of a newly read configuration that a running agent
// takes over on SIGHUP: the log level. The rest needs a restart.
func (c *Agent) Reload(fresh *Agent) *Agent {
	next := *c
	next.LogLevel = fresh.LogLevel
	return &next
}

// problemAt finds where a key was given, for the problems of Finish.
func (c *Agent) problemAt(key, message string) hclx.Problem {
	if at, ok := c.places[key]; ok {
		return at.file.At(at.rng, "%s", message)
	}
	return hclx.Problem{Message: message}
}
