package config

import (
	"maps"
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
	c.chroot()
	v.check()
	return v.problems.Sort().Err()
}

// chroot hands client.chroot_env to the driver that uses it, unless its plugin
// block has its own.
func (c *Agent) chroot() {
	own := c.Plugins["exec"]
	if _, ok := own.Config["chroot_env"]; ok || len(c.Client.ChrootEnv) == 0 {
		return
	}
	env := map[string]any{}
	for host, task := range c.Client.ChrootEnv {
		env[host] = task
	}
	own.Config = maps.Clone(own.Config)
	if own.Config == nil {
		own.Config = map[string]any{}
	}
	own.Config["chroot_env"] = env
	c.Plugins = maps.Clone(c.Plugins)
	if c.Plugins == nil {
		c.Plugins = map[string]Plugin{}
	}
	c.Plugins["exec"] = own
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
