package container

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// network sets the container's network, name and resolver.
func (p *plan) network() error {
	if err := p.networkMode(); err != nil {
		return err
	}
	if err := p.ports(); err != nil {
		return err
	}
	s := p.spec
	if !s.Namespaces.HostUTS {
		s.Hostname = p.hostname()
		if !validName(s.Hostname) {
			return fmt.Errorf("hostname %q: it must be at most 64 letters, digits, dots and dashes", s.Hostname)
		}
	}
	hosts, err := p.hosts()
	if err != nil {
		return err
	}
	s.Files = map[string]string{"hosts": hosts, "hostname": s.Hostname + "\n", "resolv.conf": p.resolver()}
	if s.Hostname == "" {
		delete(s.Files, "hostname")
	}
	return nil
}

func (p *plan) networkMode() error {
	n := p.task.Network
	group := n != nil && n.Path != ""
	switch mode := p.opts.NetworkMode; mode {
	case "", "default":
		if group {
			p.spec.Namespaces.Network = n.Path
		}
	case "none":
		p.spec.Namespaces.NoNetwork = true
	case "host":
		if group && !p.settings.modeAllowed("network", "host") {
			return refused("network_mode = \"host\" in a group with a network of its own", "allowed_modes { network = [\"host\"] }")
		}
	default:
		return fmt.Errorf("network_mode is %q: this driver knows \"host\" and \"none\"; for a bridge write network { mode = \"bridge\" } in the group", mode)
	}
	return nil
}

// ports checks that the labels exist and that the ports can be had.
func (p *plan) ports() error {
	inHost := p.spec.Namespaces.Network == "" && !p.spec.Namespaces.NoNetwork
	for _, label := range p.opts.Ports {
		i := -1
		for at, port := range p.task.Resources.Ports {
			if port.Label == label {
				i = at
			}
		}
		if i < 0 {
			return fmt.Errorf("ports: %q is not a port of the group's network", label)
		}
		port := p.task.Resources.Ports[i]
		if inHost && port.To > 0 && port.To != port.Value {
			return fmt.Errorf("ports: %q goes to port %d in the container, which needs network { mode = \"bridge\" } in the group", label, port.To)
		}
		if p.spec.Namespaces.NoNetwork {
			return errors.New("ports do not go with network_mode = \"none\"")
		}
	}
	return nil
}

// hostname is the job's, the network's, or the first part of the allocation's ID.
func (p *plan) hostname() string {
	if p.opts.Hostname != "" {
		return p.opts.Hostname
	}
	if n := p.task.Network; n != nil && n.Hostname != "" {
		return n.Hostname
	}
	short, _, _ := strings.Cut(p.task.AllocID, "-")
	if !validName(short) {
		return "container"
	}
	return short
}

func validName(s string) bool {
	return s != "" && len(s) <= 64 && s[0] != '-' && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}

// hosts is the container's /etc/hosts.
func (p *plan) hosts() (string, error) {
	address := ""
	if n := p.task.Network; n != nil && p.spec.Namespaces.Network != "" {
		address = n.Address
	}
	name := p.spec.Hostname
	if name == "" {
		name = contain.Hostname(&drivers.TaskConfig{})
	}
	text := contain.Hosts(name, address)
	for _, extra := range p.opts.ExtraHosts {
		host, ip, ok := strings.Cut(extra, ":")
		addr, err := netip.ParseAddr(strings.Trim(ip, "[]"))
		if !ok || err != nil || !validName(host) {
			return "", fmt.Errorf("extra_hosts: %q: write \"name:address\"", extra)
		}
		text += addr.String() + " " + host + "\n"
	}
	return text, nil
}

// resolver is the container's /etc/resolv.conf: what the job says, else the group's dns block, else the host's.
func (p *plan) resolver() string {
	d := drivers.DNS{}
	if p.task.DNS != nil {
		d = *p.task.DNS
	}
	for _, set := range []struct {
		from []string
		to   *[]string
	}{{p.opts.DNSServers, &d.Servers}, {p.opts.DNSSearches, &d.Searches}, {p.opts.DNSOptions, &d.Options}} {
		if len(set.from) > 0 {
			*set.to = set.from
		}
	}
	if len(d.Servers) > 0 {
		return contain.ResolvConf(&d)
	}
	own := p.spec.Namespaces.Network != "" || p.spec.Namespaces.NoNetwork
	return hostResolver(own) + contain.ResolvConf(&d)
}

// Where the host's resolver is described; the second is what systemd's local one asks.
var resolvers = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// hostResolver is the host's resolver. In a network of the container's own nobody answers at the host's loopback addresses.
func hostResolver(own bool) string {
	for _, file := range resolvers {
		text, err := os.ReadFile(file)
		if err != nil || len(text) > 64<<10 {
			continue
		}
		if !own {
			return string(text)
		}
		var out strings.Builder
		reachable := false
		for line := range bytes.Lines(text) {
			f := strings.Fields(string(line))
			if len(f) >= 2 && f[0] == "nameserver" {
				if a, err := netip.ParseAddr(f[1]); err != nil || a.IsLoopback() {
					continue
				}
				reachable = true
			}
			out.Write(line)
		}
		if reachable {
			return out.String()
		}
	}
	return ""
}
