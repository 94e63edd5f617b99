package doctor

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/seraihq/serai/api"
)

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// exposure looks at who can reach the agent, and what they may do.
func (x *examination) exposure() {
	c := x.Config
	open := !loopback(c.Addresses.HTTP)
	switch {
	case open && !c.TLS.HTTP:
		x.report.fail("tls.enabled", "set tls { http = true }, or addresses { http = \"127.0.0.1\" }", "the HTTP API listens on %s without TLS: tokens and secrets can be read on the way", c.Addresses.HTTP)
	case c.TLS.HTTP:
		x.report.ok("tls.enabled", "the HTTP API is encrypted")
	default:
		x.report.ok("tls.enabled", "the HTTP API listens on this machine alone")
	}
	switch {
	case c.ACL.Enabled:
		x.report.ok("acl.enabled", "access control is on")
	case open:
		x.report.fail("acl.enabled", "set acl { enabled = true } on all agents and make the first token, \"serai acl bootstrap\"", "access control is off and the HTTP API listens on %s: whoever reaches it runs programs here", c.Addresses.HTTP)
	case !c.DevMode:
		x.report.warn("acl.enabled", "set acl { enabled = true } on all agents and make the first token, \"serai acl bootstrap\"", "access control is off: every user of this machine, tasks included, may do everything")
	}
	if c.EnableDebug && open {
		x.report.warn("http.debug", "set enable_debug = false", "profiles of the agent are served on %s", c.Addresses.HTTP)
	}
	if c.Server.Enabled && !loopback(c.BindAddr) && !c.TLS.RPC && !loopback(c.Addresses.RPC) {
		x.report.fail("tls.rpc", "set tls { rpc = true } on all agents", "agents talk to each other on %s without TLS", c.Addresses.RPC)
	}
}

// ports looks whether the agent could listen, while none runs.
func (x *examination) ports() {
	c := x.Config
	if errors.Is(x.Refused, api.ErrDenied) {
		return // the agent runs and wants a token: agent.answers says so
	}
	type port struct {
		name, host string
		number     int
	}
	list := []port{{"http", c.Addresses.HTTP, c.Ports.HTTP}}
	if c.Server.Enabled {
		list = append(list, port{"rpc", c.Addresses.RPC, c.Ports.RPC}, port{"serf", c.Addresses.Serf, c.Ports.Serf})
	}
	for _, p := range list {
		if p.number == 0 {
			continue
		}
		address := net.JoinHostPort(p.host, strconv.Itoa(p.number))
		err := x.Host.Listen(address)
		switch {
		case err == nil:
			x.report.ok("ports.free", "port %s (%s) is free", address, p.name)
		case errors.Is(err, syscall.EADDRINUSE) && p.name == "http" && x.Refused != nil:
			x.report.fail("ports.free", "if it is the agent, name its address and keys (-address, -client-cert, -client-key, -token); else stop it (ss -ltnp), or set other numbers in ports", "port %s (http) is taken, and what listens there does not answer us as this agent: %v", address, x.Refused)
			return // the others are taken by the same
		case errors.Is(err, syscall.EADDRINUSE):
			x.report.fail("ports.free", "stop what listens there (ss -ltnp), or set another number in ports", "port %s (%s) is taken by another program, and no agent answers", address, p.name)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			x.report.fail("ports.free", "set bind_addr or addresses to an address of this machine", "%s (%s) is no address of this machine", address, p.name)
		default:
			x.report.fail("ports.free", "set another address or number", "port %s (%s) cannot be listened on: %v", address, p.name, err)
		}
	}
}

// backups looks whether snapshots are saved, and whether they come.
func (x *examination) backups() {
	c := x.Config
	s := c.Server.Snapshot
	if !c.Server.Enabled || c.DevMode {
		return
	}
	if s.Interval == 0 {
		x.report.warn("backup.scheduled", "set server { snapshot { interval = \"1h\" path = … } }, or run \"serai operator snapshot agent\"", "no snapshots are saved by the clock")
		return
	}
	if s.Path == "" {
		x.report.ok("backup.scheduled", "snapshots are saved every %s to bucket %s", s.Interval, s.S3.Bucket)
		return
	}
	files, err := filepath.Glob(filepath.Join(s.Path, "serai-*.snap"))
	if err != nil || len(files) == 0 {
		x.report.warn("backup.fresh", "look for \"snapshot\" in the leader's log", "there is no snapshot in %s yet; on servers that do not lead that is as it should be", s.Path)
		return
	}
	slices.Sort(files)
	newest := x.age(files)
	if newest > 2*s.Interval+time.Minute {
		x.report.warn("backup.fresh", "look for \"snapshot\" in the leader's log", "the newest snapshot in %s is %s old and one is due every %s; on servers that do not lead that is as it should be", s.Path, newest.Round(time.Minute), s.Interval)
		return
	}
	x.report.ok("backup.fresh", "the newest snapshot in %s is younger than two intervals", s.Path)
}
