package config

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	if filepath.IsAbs(c.DataDir) {
		fill(&c.Server.DataDir, filepath.Join(c.DataDir, "server"))
		fill(&c.Client.StateDir, filepath.Join(c.DataDir, "client"))
		fill(&c.Client.AllocDir, filepath.Join(c.DataDir, "alloc"))
		fill(&c.Client.AllocMountsDir, filepath.Join(c.DataDir, "alloc_mounts"))
		fill(&c.PluginDir, filepath.Join(c.DataDir, "plugins"))
		c.pluginDefault("container", "image_dir", filepath.Join(c.DataDir, "images"))
		c.pluginDefault("docker", "image_list", filepath.Join(c.DataDir, "client", "docker-images.json"))
	}
	c.audit()
	v.membership()
	c.rpc()
	c.chroot()
	if own := c.Plugins["container"].Config; own != nil {
		// docker runs tasks on the container driver where there is no engine, and then by that driver's rules.
		c.pluginDefault("docker", "container", own)
	}
	v.check()
	return v.problems.Sort().Err()
}

// defaultRPC is the port of servers for other agents.
const defaultRPC = 4647

// rpc fills in where servers are. What listens for agents keeps to loopback
// without TLS, wherever the rest listens.
func (c *Agent) rpc() {
	if !isLoopback(c.BindAddr) && !c.TLS.RPC {
		fill(&c.Addresses.RPC, "127.0.0.1")
	}
	fill(&c.Addresses.RPC, c.BindAddr)
	servers := make([]string, len(c.Client.Servers))
	for i, s := range c.Client.Servers {
		if _, _, err := net.SplitHostPort(s); err != nil && s != "" {
			s = net.JoinHostPort(strings.Trim(s, "[]"), strconv.Itoa(defaultRPC))
		}
		servers[i] = s
	}
	c.Client.Servers = servers
}

// chroot hands client.chroot_env to the drivers that use it, unless their plugin
// block has its own.
func (c *Agent) chroot() {
	if len(c.Client.ChrootEnv) == 0 {
		return
	}
	env := map[string]any{}
	for host, task := range c.Client.ChrootEnv {
		env[host] = task
	}
	for _, driver := range []string{"exec", "java"} {
		c.pluginDefault(driver, "chroot_env", env)
	}
}

// pluginDefault sets an option of a plugin that its block does not set.
func (c *Agent) pluginDefault(plugin, option string, value any) {
	own := c.Plugins[plugin]
	if _, ok := own.Config[option]; ok {
		return
	}
	own.Config = maps.Clone(own.Config)
	if own.Config == nil {
		own.Config = map[string]any{}
	}
	own.Config[option] = value
	c.Plugins = maps.Clone(c.Plugins)
	if c.Plugins == nil {
		c.Plugins = map[string]Plugin{}
	}
	c.Plugins[plugin] = own
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
		switch {
		case !c.TLS.HTTP && c.ACL.Enabled:
			out = append(out, "the HTTP API listens on "+c.Addresses.HTTP+" without TLS: tokens can be read on their way; set tls { http = true }")
		case !c.TLS.HTTP:
			out = append(out, "the HTTP API listens on "+c.Addresses.HTTP+" without TLS and without access control: whoever reaches the port runs programs on this machine")
		case !c.TLS.VerifyHTTPSClient && !c.ACL.Enabled:
			out = append(out, "the HTTP API listens on "+c.Addresses.HTTP+" without access control: whoever reaches the port runs programs on this machine; set acl { enabled = true } or tls { verify_https_client = true }")
		}
	}
	if c.Server.Enabled && !isLoopback(c.BindAddr) && isLoopback(c.Addresses.RPC) && !c.TLS.RPC {
		out = append(out, "the RPC port listens on "+c.Addresses.RPC+" only: agents on other machines join once connections are encrypted, by tls { rpc = true }")
	}
	return append(out, c.membershipWarnings()...)
}

// Enabled says whether the agent does anything at all.
func (c *Agent) Enabled() bool { return c.Server.Enabled || c.Client.Enabled }

// Reload gives the part of a newly read configuration that a running agent
// takes over on SIGHUP: the log level and the files and limits of TLS, but not
// whether there is TLS. The rest needs a restart.
func (c *Agent) Reload(fresh *Agent) *Agent {
	next := *c
	next.LogLevel = fresh.LogLevel
	next.TLS = fresh.TLS
	next.TLS.HTTP, next.TLS.RPC, next.TLS.VerifyHTTPSClient = c.TLS.HTTP, c.TLS.RPC, c.TLS.VerifyHTTPSClient
	return &next
}

// secretKeys are the keys whose values nobody is shown.
var secretKeys = []string{"server.encrypt", "acl.replication_token"}

// problemAt finds where a key was given, for the problems of Finish.
func (c *Agent) problemAt(key, message string) hclx.Problem {
	if at, ok := c.places[key]; ok {
		p := at.file.At(at.rng, "%s", message)
		if slices.Contains(secretKeys, key) {
			p.Source = "" // the line holds the secret, and errors end up in logs
		}
		return p
	}
	return hclx.Problem{Message: message}
}
