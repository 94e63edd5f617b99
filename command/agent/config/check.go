package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/internal/cgroup"
	"github.com/seraihq/serai/internal/hclx"
)

// What an agent without a server does with what it knows of a token when no
// server answers.
const (
	DownExtend = "extend-cache"
	DownDeny   = "deny"
)

const maxACLTTL = 10 * time.Minute

// checker collects the problems of a whole configuration.
type checker struct {
	agent    *Agent
	problems hclx.Problems
}

func (v *checker) add(key, format string, args ...any) {
	v.problems = append(v.problems, v.agent.problemAt(key, fmt.Sprintf(format, args...)))
}

func (v *checker) check() {
	v.checkAgent()
	v.checkRefused()
	v.checkTLS()
	v.checkPorts()
	v.checkServer()
	v.checkMembership()
	v.checkClient()
	v.checkLimits()
	v.checkAudit()
}

// LogLevels are the levels that log_level takes, from the most to the least talkative.
var LogLevels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

func (v *checker) checkAgent() {
	c := v.agent
	if !c.Enabled() {
		v.add("", "neither server nor client is enabled; set server { enabled = true } or client { enabled = true }, or use -dev")
	}
	if c.DataDir == "" && !c.DevMode {
		v.add("", "data_dir is missing; set data_dir or -data-dir, or use -dev to keep everything in memory")
	}
	for key, dir := range map[string]string{
		"data_dir": c.DataDir, "plugin_dir": c.PluginDir, "server.data_dir": c.Server.DataDir, "client.state_dir": c.Client.StateDir,
		"client.alloc_dir": c.Client.AllocDir, "client.alloc_mounts_dir": c.Client.AllocMountsDir,
	} {
		if dir != "" && !filepath.IsAbs(dir) {
			v.add(key, "%s must be an absolute path, not %q", key, dir)
		}
	}
	c.LogLevel = strings.ToUpper(c.LogLevel)
	if c.LogLevel == "ERR" {
		c.LogLevel = "ERROR"
	}
	if !slices.Contains(LogLevels, c.LogLevel) {
		v.add("log_level", "log_level must be one of %s, not %q", strings.Join(LogLevels, ", "), strings.ToLower(c.LogLevel))
	}
	for key, name := range map[string]string{"region": c.Region, "datacenter": c.Datacenter, "name": c.Name, "client.node_pool": c.Client.NodePool} {
		v.name(key, name)
	}
}

// address checks a literal address; names are looked up when listening.
func (v *checker) address(key, text string) {
	switch {
	case text == "" || strings.Contains(text, "{{"): // absent, or already a problem
	case strings.HasPrefix(key, "advertise."):
		if strings.ContainsAny(text, " /") {
			v.add(key, "%s: %q is not a host or host:port", key, text)
		}
	case strings.HasPrefix(text, "unix://"):
		v.add(key, "%s: listening on unix sockets is not built; write an IP address", key)
	default:
		if _, err := netip.ParseAddr(text); err != nil && (strings.ContainsAny(text, " /:") || strings.Trim(text, "0123456789.") == "") {
			v.add(key, "%s: %q is not an IP address or a host name; ports are set in the ports block", key, text)
		}
	}
}

func (v *checker) name(key, name string) {
	switch {
	case name == "":
		v.add(key, "%s must not be empty", key)
	case len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }):
		v.add(key, "%s must have at most 128 characters without spaces and slashes, not %q", key, name)
	}
}

// checkRefused refuses what would promise a protection that does not exist.
func (v *checker) checkRefused() {
	c := v.agent
	if p := c.ACL.DownPolicy; p != DownExtend && p != DownDeny {
		v.add("acl.down_policy", "acl.down_policy is %q; it is %q or %q", p, DownExtend, DownDeny)
	}
	for key, ttl := range map[string]time.Duration{"token_ttl": c.ACL.TokenTTL, "policy_ttl": c.ACL.PolicyTTL, "role_ttl": c.ACL.RoleTTL} {
		if ttl < 0 || ttl > maxACLTTL {
			v.add("acl."+key, "acl.%s is %s; it is 0s to %s, for so long a token that was deleted can still be used on client agents", key, ttl, maxACLTTL)
		}
	}
	if low, high := c.ACL.TokenMinExpirationTTL, c.ACL.TokenMaxExpirationTTL; low < 0 || high < low {
		v.add("acl.token_max_expiration_ttl", "acl: token_min_expiration_ttl is %s and token_max_expiration_ttl is %s; the second must not be shorter", low, high)
	}
	if c.ACL.ReplicationToken != "" {
		v.add("acl.replication_token", "acl: replication is not built yet; remove replication_token")
	}
}

func (v *checker) checkPorts() {
	p := v.agent.Ports
	used := map[int]string{}
	for _, port := range []struct {
		name   string
		number int
	}{{"http", p.HTTP}, {"rpc", p.RPC}, {"serf", p.Serf}} {
		key := "ports." + port.name
		if port.number < 0 || port.number > 65535 {
			v.add(key, "%s must be between 0 and 65535, not %d", key, port.number)
			continue
		}
		if other := used[port.number]; other != "" && port.number != 0 {
			v.add(key, "%s and %s are both %d", other, key, port.number)
		}
		used[port.number] = key
	}
	c := v.agent.Client
	if u := c.Users; u.DynamicUserMin < 1000 || u.DynamicUserMax >= 1<<30 || u.DynamicUserMin > u.DynamicUserMax {
		v.add("client.users.dynamic_user_min", "client: users %d to %d are not a range within 1000 to 1073741823", u.DynamicUserMin, u.DynamicUserMax)
	}
	if c.MinDynamicPort < 1 || c.MaxDynamicPort > 65535 || c.MinDynamicPort > c.MaxDynamicPort {
		key := "client.min_dynamic_port"
		if _, ok := v.agent.places[key]; !ok {
			key = "client.max_dynamic_port"
		}
		v.add(key, "client: dynamic ports %d to %d are not a range within 1 to 65535", c.MinDynamicPort, c.MaxDynamicPort)
	}
}

func (v *checker) checkServer() {
	s := v.agent.Server
	if !s.Enabled {
		return
	}
	if !isLoopback(v.agent.Addresses.RPC) && !v.agent.TLS.RPC {
		v.add("addresses.rpc", "addresses.rpc = %q: connections between agents are not encrypted without tls { rpc = true }, so the RPC port would listen on loopback only; \"serai init\" sets TLS up, or set addresses { rpc = \"127.0.0.1\" }", v.agent.Addresses.RPC)
	}
	v.within("server.job_max_priority", s.JobMaxPriority, 1, 32766)
	v.within("server.job_default_priority", s.JobDefaultPriority, 1, max(1, s.JobMaxPriority))
	v.within("server.job_max_count", s.JobMaxCount, 1, 10_000_000)
	v.within("server.job_children_max", s.JobChildrenMax, 0, 10_000_000)
	if s.JobChildrenTTL < 0 {
		v.add("server.job_children_ttl", "server.job_children_ttl must not be negative, but is %s; 0 stands for job_gc_threshold", s.JobChildrenTTL)
	}
	v.within("server.job_tracked_versions", s.JobTrackedVersions, 1, 1000)
	v.within("server.event_buffer_size", s.EventBufferSize, 0, 1_000_000)
	v.checkSnapshot()
	v.within("server.node_down_brake.percent", s.NodeDownBrake.Percent, 0, 100)
	v.within("server.node_down_brake.min_nodes", s.NodeDownBrake.MinNodes, 1, 1_000_000)
	if s.NodeDownBrake.Window < time.Second {
		v.add("server.node_down_brake.window", "server.node_down_brake.window must be at least 1s, but is %s; percent = 0 switches the brake off", s.NodeDownBrake.Window)
	}
	v.within("server.raft_multiplier", s.RaftMultiplier, 1, 10)
	v.within("server.protocol_version", s.ProtocolVersion, 0, 1<<16)
	v.within("server.raft_snapshot_threshold", s.RaftSnapshotThreshold, 1, 1<<40)
	v.within("server.raft_trailing_logs", s.RaftTrailingLogs, 1, 1<<40)
	v.within("server.num_schedulers", s.NumSchedulers, 0, 1<<16)
	for _, name := range s.EnabledSchedulers {
		if !slices.Contains([]string{"service", "batch", "system", "sysbatch"}, name) {
			v.add("server.enabled_schedulers", "server.enabled_schedulers: unknown scheduler %q; there are service, batch, system and sysbatch", name)
		}
	}
	if a := s.DefaultSchedulerConfig.SchedulerAlgorithm; a != "binpack" && a != "spread" {
		v.add("server.default_scheduler_config.scheduler_algorithm", "scheduler_algorithm must be binpack or spread, not %q", a)
	}
}

func (v *checker) within(key string, n, low, high int) {
	if n < low || n > high {
		v.add(key, "%s must be between %d and %d, not %d", key, low, high, n)
	}
}

func (v *checker) checkClient() {
	c := v.agent.Client
	if !c.Enabled {
		return
	}
	v.checkTemplate()
	if v.agent.Server.Enabled {
		if c.ServerJoin.given() {
			v.add("client.server_join", "client.server_join: the client of an agent with a server uses that one; remove it, or write server { server_join { … } } to have the server join others")
		}
	} else {
		v.checkJoin("client.server_join", &c.ServerJoin, defaultRPC)
	}
	if c.NodePool == "all" {
		v.add("client.node_pool", "client.node_pool must not be \"all\", which stands for every pool")
	}
	if !v.agent.Server.Enabled && len(c.Servers) == 0 {
		v.add("client.enabled", "a client without a server in the same agent needs to know its servers; set client { servers = [\"127.0.0.1:4647\"] }, client { server_join { retry_join = [\"…\"] } } or -servers, or enable the server too")
	}
	for _, s := range c.Servers {
		if host, port, err := net.SplitHostPort(s); err != nil || !isPort(port) {
			v.add("client.servers", "client.servers: %q is not host:port; write it like 127.0.0.1:4647", s)
		} else if !isLoopback(host) && !v.agent.TLS.RPC {
			v.add("client.servers", "client.servers: %q: connections between agents are not encrypted without tls { rpc = true }, so servers are reached on loopback only; \"serai join\" sets TLS up, or write 127.0.0.1 with the server's RPC port", s)
		}
	}
	for key, ports := range map[string]string{"client.reserved.reserved_ports": c.Reserved.ReservedPorts} {
		if _, err := ParsePorts(ports); err != nil {
			v.add(key, "%s: %v", key, err)
		}
	}
	for key, n := range map[string]int{
		"client.reserved.cpu": c.Reserved.CPU, "client.reserved.memory": c.Reserved.Memory, "client.reserved.disk": c.Reserved.Disk,
		"client.cpu_total_compute": c.CPUTotalCompute, "client.memory_total_mb": c.MemoryTotalMB, "client.disk_total_mb": c.DiskTotalMB,
		"client.disk_free_mb": c.DiskFreeMB, "client.node_max_allocs": c.NodeMaxAllocs, "client.gc_max_allocs": c.GCMaxAllocs,
	} {
		v.within(key, n, 0, 1<<50)
	}
	for key, percent := range map[string]float64{"client.gc_disk_usage_threshold": c.GCDiskUsageThreshold, "client.gc_inode_usage_threshold": c.GCInodeUsageThreshold} {
		if percent < 0 || percent > 100 {
			v.add(key, "%s must be between 0 and 100, not %g", key, percent)
		}
	}
	if f := c.PreferredAddressFamily; f != "" && f != "ipv4" && f != "ipv6" {
		v.add("client.preferred_address_family", "client.preferred_address_family must be ipv4 or ipv6, not %q", f)
	}
	for name, n := range c.HostNetworks {
		key := "client.host_network." + name
		if n.CIDR != "" {
			if _, err := netip.ParsePrefix(n.CIDR); err != nil {
				v.add(key, "%s: cidr %q is not a network such as 10.0.0.0/8", key, n.CIDR)
			}
		}
		if _, err := ParsePorts(n.ReservedPorts); err != nil {
			v.add(key, "%s: reserved_ports: %v", key, err)
		}
	}
	if err := c.Network().Check(); err != nil {
		key, _, _ := strings.Cut(err.Error(), " ") // each begins with its key
		v.add("client."+strings.TrimSuffix(key, ":"), "client.%v", err)
	}
	for name, vol := range c.HostVolumes {
		if !filepath.IsAbs(vol.Path) {
			v.add("client.host_volume."+name, "client.host_volume.%s: path must be an absolute path, not %q", name, vol.Path)
		}
	}
	v.checkArtifact()
	for _, d := range c.DeviceConfigs() {
		if _, err := device.NewSet([]device.Config{d}); err != nil {
			v.add("client.device."+d.Name, "%v", err)
		}
	}
	for key, cores := range map[string]string{"client.reservable_cores": c.ReservableCores, "client.reserved.cores": c.Reserved.Cores} {
		if _, err := cgroup.ParseCores(cores); err != nil {
			v.add(key, "%s: %v", key, err)
		}
	}
}

func (v *checker) checkLimits() {
	l := v.agent.Limits
	v.within("limits.http_max_conns_per_client", l.HTTPMaxConnsPerClient, 0, 1<<20)
	v.within("limits.rpc_max_conns_per_client", l.RPCMaxConnsPerClient, 0, 1<<20)
	if l.HTTPMaxBodyBytes < 64<<10 {
		v.add("limits.http_max_body_size", "limits.http_max_body_size must be at least 64K")
	}
	if l.HTTPMaxHeaderBytes < 4<<10 {
		v.add("limits.http_max_header_size", "limits.http_max_header_size must be at least 4K")
	}
}

// ParsePorts reads a list of ports and ranges such as "22,80,8000-8100", sorted and without repetition.
func ParsePorts(spec string) ([]int, error) {
	seen := map[int]bool{}
	for _, part := range strings.Split(spec, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		low, high, isRange := strings.Cut(part, "-")
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := from, err1
		if isRange {
			to, err2 = strconv.Atoi(strings.TrimSpace(high))
		}
		if err1 != nil || err2 != nil || from < 1 || to > 65535 || from > to {
			return nil, fmt.Errorf("%q is not a port or a range of ports such as 8000-8100", part)
		}
		for p := from; p <= to; p++ {
			seen[p] = true
		}
	}
	ports := make([]int, 0, len(seen))
	for p := range seen {
		ports = append(ports, p)
	}
	slices.Sort(ports)
	return ports, nil
}

// isPort says whether a text is the number of a port. What is more ("1@host")
// could lead a URL elsewhere.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// isLoopback says whether only this machine reaches an address. "host" and "host:port" both work.
func isLoopback(addr string) bool {
	if strings.HasPrefix(addr, "unix://") {
		return true
	}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	if addr == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.IsLoopback()
}
