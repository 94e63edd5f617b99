package api

import (
	"fmt"
	"net/netip"
	"strings"
)

const maxPort = 65535

// portSet is what the networks of a group and its tasks ask for together.
type portSet struct {
	labels map[string]bool
	static map[string]string // host network and port → label
}

// networks checks the networks of a group and of its tasks, whose ports share
// one name space, and gives the labels that services may use.
func (v *validator) networks(at spot, g *TaskGroup) *portSet {
	ports := &portSet{labels: map[string]bool{}, static: map[string]string{}}
	cniArgs := map[string]bool{}
	for i, n := range g.Networks {
		p := at.field("Networks", "network").index(i)
		v.network(p, n, ports)
		if n.OwnNamespace() && len(g.Networks) > 1 {
			v.addf(p.field("Mode", "mode"), "%q is a network of the group's own, beside which there is no other: write all ports into one network block", clip(n.Mode))
		}
		v.cni(p.field("CNI", "cni"), n.CNI, cniArgs)
	}
	for i, t := range g.Tasks {
		if t.Resources == nil {
			continue
		}
		p := at.field("Tasks", "").index(i).in("task", t.Name).field("Resources", "resources")
		for k, n := range t.Resources.Networks {
			p := p.field("Networks", "network").index(k)
			v.network(p, n, ports)
			if n.OwnNamespace() {
				v.addf(p.field("Mode", "mode"), "%q is shared by the tasks of a group: write the network block into the group", clip(n.Mode))
			}
		}
	}
	return ports
}

func (v *validator) network(at spot, n *NetworkResource, ports *portSet) {
	switch {
	case n.Mode == "" || n.Mode == "none" || n.Mode == "bridge" || n.Mode == "host":
	case strings.HasPrefix(n.Mode, "cni/") && portLabel.MatchString(strings.TrimPrefix(n.Mode, "cni/")):
	default:
		v.addf(at.field("Mode", "mode"), "must be host, bridge, none or cni/NAME, not %q", clip(n.Mode))
	}
	v.hostname(at.field("Hostname", "hostname"), n.Hostname)
	v.dns(at.field("DNS", "dns"), n.DNS)
	if n.Mode == "none" && len(n.ReservedPorts)+len(n.DynamicPorts) > 0 {
		v.addf(at.field("Mode", "mode"), "\"none\" has its loopback alone: nothing comes to its ports from outside; use \"bridge\", or leave the ports out")
	}
	notNegative(v, at.field("MBits", "mbits"), n.MBits)
	for i, p := range n.ReservedPorts {
		v.port(at.field("ReservedPorts", "port").index(i), p, n, ports, true)
	}
	for i, p := range n.DynamicPorts {
		v.port(at.field("DynamicPorts", "port").index(i), p, n, ports, false)
	}
}

// dns checks what becomes lines of a resolver's configuration.
func (v *validator) dns(at spot, d *DNSConfig) {
	if d == nil {
		return
	}
	for i, s := range d.Servers {
		if _, err := netip.ParseAddr(s); err != nil && !interpolated(s) {
			v.addf(at.field("Servers", "servers").index(i), "%q is not an address", clip(s))
		}
	}
	for i, s := range d.Searches {
		if p := at.field("Searches", "searches").index(i); s != "." {
			v.hostname(p, strings.ReplaceAll(strings.TrimSuffix(s, "."), "_", "-"))
		}
	}
	for i, s := range d.Options {
		if strings.ContainsAny(s, " \t\r\n\x00") {
			v.addf(at.field("Options", "options").index(i), "%q must be one word such as \"ndots:2\"", clip(s))
		}
	}
}

func (v *validator) port(at spot, p Port, n *NetworkResource, ports *portSet, static bool) {
	at.name = fmt.Sprintf("%s %q", at.name, clip(p.Label))
	switch {
	case !portLabel.MatchString(p.Label):
		v.addf(at, "must have a label of letters, digits, dashes and underscores")
	case ports.labels[p.Label]:
		v.addf(at, "appears twice among the networks of the group and its tasks")
	}
	ports.labels[p.Label] = true
	if p.To < -1 || p.To > maxPort {
		v.addf(at.field("To", "to"), "must be from -1 to %d, not %d", maxPort, p.To)
	}
	if p.IgnoreCollision && n.Mode != "host" && n.Mode != "" {
		v.addf(at.field("IgnoreCollision", "ignore_collision"), "works only with network mode host")
	}
	switch {
	case static && p.Value == 0:
		v.addf(at.field("Value", "static"), "must be from 1 to %d", maxPort)
	case p.Value < 0 || p.Value > maxPort:
		v.addf(at.field("Value", "static"), "must be from 1 to %d, not %d", maxPort, p.Value)
	case p.Value > 0 && !p.IgnoreCollision:
		network := p.HostNetwork
		if network == "" {
			network = "default"
		}
		key := fmt.Sprintf("%s:%d", network, p.Value)
		if other, ok := ports.static[key]; ok {
			v.addf(at.field("Value", "static"), "%d is taken by port %q of the same group", p.Value, clip(other))
		}
		ports.static[key] = p.Label
	}
}

func (v *validator) cni(at spot, c *CNIConfig, seen map[string]bool) {
	if c == nil {
		return
	}
	for _, k := range sortedKeys(c.Args) {
		p := at.field("Args", "args").key(k)
		if strings.Contains(k, ";") || strings.Contains(c.Args[k], ";") {
			v.addf(p, "must not hold a semicolon")
		}
		if seen[k] {
			v.addf(p, "appears in two networks of the group")
		}
		seen[k] = true
	}
}
