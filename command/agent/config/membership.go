package config

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/gossip"
)

// ServerJoin says how to find servers.
type ServerJoin struct {
	StartJoin     []string      `hcl:"start_join"` // once, and an agent that finds none ends
	RetryJoin     []string      `hcl:"retry_join"` // again and again
	RetryMax      int           `hcl:"retry_max"`  // 0 = for ever
	RetryInterval time.Duration `hcl:"retry_interval"`
}

// given says whether there is anybody to be joined.
func (j *ServerJoin) given() bool { return len(j.StartJoin)+len(j.RetryJoin) > 0 }

// Autopilot is what a new cluster starts with; later it is changed by
// `serai operator autopilot set-config`.
type Autopilot struct {
	CleanupDeadServers      bool          `hcl:"cleanup_dead_servers"`
	LastContactThreshold    time.Duration `hcl:"last_contact_threshold"`
	MaxTrailingLogs         int           `hcl:"max_trailing_logs"`
	MinQuorum               int           `hcl:"min_quorum"`
	ServerStabilizationTime time.Duration `hcl:"server_stabilization_time"`
	EnableRedundancyZones   bool          `hcl:"enable_redundancy_zones"`
	EnableCustomUpgrades    bool          `hcl:"enable_custom_upgrades" effect:"refused"`
}

func defaultAutopilot() Autopilot {
	d := api.DefaultAutopilotConfiguration()
	return Autopilot{
		CleanupDeadServers: d.CleanupDeadServers, LastContactThreshold: d.LastContactThreshold.Std(),
		MaxTrailingLogs: int(d.MaxTrailingLogs), ServerStabilizationTime: d.ServerStabilizationTime.Std(),
	}
}

// API gives the configuration in the form the servers store.
func (a Autopilot) API() *api.AutopilotConfiguration {
	return &api.AutopilotConfiguration{
		CleanupDeadServers: a.CleanupDeadServers, LastContactThreshold: api.Duration(a.LastContactThreshold),
		MaxTrailingLogs: uint64(max(0, a.MaxTrailingLogs)), MinQuorum: uint(max(0, a.MinQuorum)),
		ServerStabilizationTime: api.Duration(a.ServerStabilizationTime), EnableRedundancyZones: a.EnableRedundancyZones,
		EnableCustomUpgrades: a.EnableCustomUpgrades,
	}
}

// membership fills in where servers find each other.
func (v *checker) membership() {
	c := v.agent
	v.older()
	if !isLoopback(c.BindAddr) && !c.GossipEncrypted() && !c.Server.AllowUnencryptedGossip && !c.wantsOthers() {
		fill(&c.Addresses.Serf, "127.0.0.1") // a server that expects no others is not to be met by strangers
	}
	fill(&c.Addresses.Serf, c.BindAddr)
	if !c.Server.Enabled {
		for _, a := range append(append([]string{}, c.Client.ServerJoin.StartJoin...), c.Client.ServerJoin.RetryJoin...) {
			c.Client.Servers = append(c.Client.Servers, a)
		}
	}
}

// older takes the keys of server that are written in server_join by now.
func (v *checker) older() {
	s := &v.agent.Server
	if len(s.StartJoin)+len(s.RetryJoin) == 0 && s.RetryMax == 0 && s.RetryInterval == 0 {
		return
	}
	if s.ServerJoin.given() {
		v.add("server.retry_join", "server: start_join, retry_join, retry_max and retry_interval stand both in server and in server_join; write them in server_join alone")
		return
	}
	s.ServerJoin.StartJoin, s.ServerJoin.RetryJoin = s.StartJoin, s.RetryJoin
	if s.RetryMax != 0 {
		s.ServerJoin.RetryMax = s.RetryMax
	}
	if s.RetryInterval != 0 {
		s.ServerJoin.RetryInterval = s.RetryInterval
	}
}

// wantsOthers says whether this server is to work with others.
func (c *Agent) wantsOthers() bool {
	return c.Server.Enabled && (c.Server.BootstrapExpect > 1 || c.Server.ServerJoin.given())
}

// GossipEncrypted says whether servers encrypt what they tell each other: by
// the key of the configuration, or by the keyring that the cluster has agreed on.
func (c *Agent) GossipEncrypted() bool {
	if c.Server.Encrypt != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(c.Server.DataDir, "gossip", "keyring"))
	return c.Server.DataDir != "" && err == nil
}

func (v *checker) checkMembership() {
	c := v.agent
	s := &c.Server
	if !s.Enabled {
		return
	}
	v.checkExpect()
	if s.Encrypt != "" {
		if _, err := gossip.ParseKey(s.Encrypt); err != nil {
			v.add("server.encrypt", "server.encrypt: %v", err)
		}
	}
	if !c.DevMode && !strings.Contains(c.Addresses.Serf, "{{") && !isLoopback(c.Addresses.Serf) && !c.GossipEncrypted() && !s.AllowUnencryptedGossip {
		v.add("server.encrypt", "server.encrypt is missing and gossip would be on %s, where strangers could join it: make a key with `serai operator gossip keyring generate` and set server { encrypt = \"…\" } to the same on all servers, or allow_unencrypted_gossip = true for a network that you trust", c.Addresses.Serf)
	}
	v.checkJoin("server.server_join", &s.ServerJoin, gossip.DefaultPort)
	if strings.ContainsAny(s.RedundancyZone, " /") || len(s.RedundancyZone) > 64 {
		v.add("server.redundancy_zone", "server.redundancy_zone must have at most 64 characters without spaces and slashes, not %q", s.RedundancyZone)
	}
	if len(c.Region)+len(c.Datacenter)+len(s.RedundancyZone) > 160 {
		v.add("region", "region, datacenter and redundancy_zone have more than 160 characters together, which do not fit into what servers tell each other")
	}
	v.checkAutopilot()
}

func (v *checker) checkExpect() {
	s := &v.agent.Server
	switch n := s.BootstrapExpect; {
	case n < 0 || n > 99:
		v.add("server.bootstrap_expect", "server.bootstrap_expect = %d: it is the number of servers that make up the new cluster, 1 to 99", n)
	case n > 1 && v.agent.DevMode:
		v.add("server.bootstrap_expect", "server.bootstrap_expect = %d: a server in -dev mode is alone; start agents without -dev to make a cluster", n)
	case n > 0 && s.NonVotingServer:
		v.add("server.non_voting_server", "server.non_voting_server: a server without a vote cannot make a new cluster; leave bootstrap_expect out and set server_join")
	}
	if s.NonVotingServer && !s.ServerJoin.given() && s.BootstrapExpect == 0 {
		v.add("server.non_voting_server", "server.non_voting_server: it needs a cluster to join; set server_join { retry_join = [\"…\"] }")
	}
	if v.agent.DevMode && s.ServerJoin.given() {
		v.add("server.server_join", "server.server_join: a server in -dev mode is alone; start agents without -dev to make a cluster")
	}
}

func (v *checker) checkAutopilot() {
	a := v.agent.Autopilot
	if err := a.API().Validate(); err != nil {
		v.add("autopilot", "autopilot: %v", err)
	}
	v.within("autopilot.max_trailing_logs", a.MaxTrailingLogs, 0, 1<<40)
	v.within("autopilot.min_quorum", a.MinQuorum, 0, 99)
}

// checkJoin checks addresses to join; each may be host or host:port.
func (v *checker) checkJoin(key string, j *ServerJoin, port int) {
	for _, list := range []struct {
		key   string
		addrs []string
	}{{key + ".start_join", j.StartJoin}, {key + ".retry_join", j.RetryJoin}} {
		for _, a := range list.addrs {
			switch {
			case strings.HasPrefix(a, "provider=") || strings.Contains(a, " provider="):
				v.add(list.key, "%s: %q: finding servers by a cloud's interface is not built; write addresses, or a name with an address for each server", list.key, a)
			case !isJoinable(a):
				v.add(list.key, "%s: %q is not host or host:port; write it like 10.0.0.1 or 10.0.0.1:%d", list.key, a, port)
			}
		}
	}
	v.within(key+".retry_max", j.RetryMax, 0, 1<<30)
	if j.RetryInterval < time.Second || j.RetryInterval > 24*time.Hour {
		v.add(key+".retry_interval", "%s.retry_interval must be between 1s and 24h, not %s", key, j.RetryInterval)
	}
}

func isJoinable(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), strconv.Itoa(gossip.DefaultPort)
	}
	return host != "" && isPort(port) && !strings.ContainsAny(host, " /@?#[]") && (net.ParseIP(host) != nil || !strings.Contains(host, ":"))
}

// membershipWarnings are what is allowed and probably not meant.
func (c *Agent) membershipWarnings() []string {
	s := &c.Server
	if !s.Enabled || c.DevMode {
		return nil
	}
	var out []string
	if n := s.BootstrapExpect; n > 1 && n%2 == 0 {
		out = append(out, "bootstrap_expect = "+strconv.Itoa(n)+" is an even number: such a cluster stands the loss of no more servers than one of "+strconv.Itoa(n-1))
	}
	if !isLoopback(c.Addresses.Serf) && !c.GossipEncrypted() {
		out = append(out, "gossip is on "+c.Addresses.Serf+" without encryption: whoever reaches the port can pose as a server there")
	}
	if c.wantsOthers() && isLoopback(c.Addresses.Serf) && !isLoopback(c.BindAddr) {
		out = append(out, "gossip is on "+c.Addresses.Serf+" only: servers on other machines are not met")
	}
	return out
}
