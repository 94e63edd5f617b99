package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client/pkg/versions"

	"github.com/seraihq/serai/drivers"
)

// labelSandbox is the label of a drivers.NetworkIsolation that names the container which holds the network.
const labelSandbox = "docker_sandbox_container_id"

// network sets where the container's network is.
func (p *plan) network() error {
	if p.task.NetworkMode == "" && p.ownNetwork() {
		return p.groupNetwork(p.cfg.Network)
	}
	t := &p.task
	mode := t.NetworkMode
	if mode == "host" && p.ownNetwork() && !p.settings.AllowPrivileged && !slices.Contains(p.settings.AllowedModes["network"], "host") {
		return fmt.Errorf("network_mode = \"host\" leads out of the group's own network and is not allowed on this node: the operator can name it in allowed_modes { network = [\"host\"] }, or set allow_privileged, in the docker plugin's config")
	}
	if mode == "" && p.cfg.Network != nil && p.cfg.Network.Mode == drivers.NetworkHost {
		mode = "host"
	}
	if mode == "" {
		mode = "default"
	}
	if name, ok := strings.CutPrefix(mode, "container:"); ok && !p.settings.AllowPrivileged {
		p.siblings = append(p.siblings, sibling{"network_mode", name})
	}
	p.host.NetworkMode = container.NetworkMode(mode)
	shared := p.host.NetworkMode.IsContainer()
	if err := p.names(shared, mode == "host"); err != nil {
		return err
	}
	if err := p.ports(shared || mode == "host" || mode == "none"); err != nil {
		return err
	}
	return p.endpoint(mode)
}

// ownNetwork is whether the group has a network of its own, which keeps its tasks from the node's loopback.
func (p *plan) ownNetwork() bool {
	n := p.cfg.Network
	return n != nil && n.Mode != drivers.NetworkHost && n.Mode != ""
}

// groupNetwork puts the container into the group's network namespace. The ports are the group's own, mapped by whoever made it.
func (p *plan) groupNetwork(n *drivers.NetworkIsolation) error {
	id := n.Labels[labelSandbox]
	if id == "" {
		return fmt.Errorf("the group's network was not made by the docker driver, and an engine can enter no other: let a docker task be among the first of the group, or set network_mode")
	}
	p.joined = true
	p.host.NetworkMode = container.NetworkMode("container:" + id)
	for _, label := range p.task.Ports {
		if _, ok := p.port(label); !ok {
			return p.noPort(label)
		}
	}
	t := &p.task
	if len(t.Aliases) > 0 || t.IPv4 != "" || t.IPv6 != "" || t.MAC != "" {
		return fmt.Errorf("network_aliases, ipv4_address, ipv6_address and mac_address cannot be set in a group's network")
	}
	return p.names(true, false)
}

// names sets the host's name, those of others, and who is asked for names. In a network that is shared with another container these are files of the
// task's own, for the engine takes none of the options there.
func (p *plan) names(shared, hostNetwork bool) error {
	t := &p.task
	servers, search, options := t.DNSServers, t.DNSSearch, t.DNSOptions
	if d := p.cfg.DNS; d != nil && len(servers)+len(search)+len(options) == 0 {
		servers, search, options = d.Servers, d.Searches, d.Options
	}
	var addrs []netip.Addr
	for _, s := range servers {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("dns server %q is not an address", clip(s))
		}
		addrs = append(addrs, a)
	}
	for _, h := range t.ExtraHosts {
		name, addr, ok := strings.Cut(h, ":")
		if !ok || name == "" || addr == "" || strings.ContainsAny(h, " \t\n") {
			return fmt.Errorf("extra_hosts: %q: write \"name:address\"", clip(h))
		}
	}
	if shared {
		return p.sharedNames(addrs, search, options)
	}
	if !hostNetwork {
		p.container.Hostname = t.Hostname
		if p.container.Hostname == "" && p.cfg.Network != nil {
			p.container.Hostname = p.cfg.Network.Hostname
		}
	} else if t.Hostname != "" {
		p.container.Hostname = t.Hostname
	}
	p.host.DNS, p.host.DNSSearch, p.host.DNSOptions, p.host.ExtraHosts = addrs, search, options, t.ExtraHosts
	return nil
}

func (p *plan) sharedNames(servers []netip.Addr, search, options []string) error {
	if p.task.Hostname != "" {
		return fmt.Errorf("hostname cannot be set in a network that is shared: set it in the group's network block")
	}
	if len(servers)+len(search)+len(options) > 0 {
		var b strings.Builder
		for _, a := range servers {
			fmt.Fprintf(&b, "nameserver %s\n", a)
		}
		if len(search) > 0 {
			fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
		}
		if len(options) > 0 {
			fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
		}
		p.stageText("/etc/resolv.conf", b.String())
	}
	n := p.cfg.Network
	named := p.joined && n.Address != "" && n.Hostname != ""
	if len(p.task.ExtraHosts) > 0 || named {
		var b strings.Builder
		b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
		if named {
			fmt.Fprintf(&b, "%s %s\n", n.Address, n.Hostname)
		}
		for _, h := range p.task.ExtraHosts {
			name, addr, _ := strings.Cut(h, ":")
			fmt.Fprintf(&b, "%s %s\n", addr, name)
		}
		p.stageText("/etc/hosts", b.String())
	}
	return nil
}

// port finds one of the task's or group's ports.
func (p *plan) port(label string) (drivers.Port, bool) {
	for _, one := range p.cfg.Resources.Ports {
		if one.Label == label {
			return one, true
		}
	}
	return drivers.Port{}, false
}

func (p *plan) noPort(label string) error {
	var have []string
	for _, one := range p.cfg.Resources.Ports {
		have = append(have, one.Label)
	}
	return fmt.Errorf("port %q is not one of the group's ports (%s): add it to the network block", clip(label), strings.Join(have, ", "))
}

// ports publishes the ports that the job names on the allocation's addresses. A container without a network of its own has nothing to publish.
func (p *plan) ports(unpublished bool) error {
	inside := map[string]int64{}
	for label, text := range p.task.PortMap {
		n, err := number("port_map "+label, text)
		if err != nil {
			return err
		}
		inside[label] = n
	}
	for _, label := range p.task.Ports {
		if _, ok := inside[label]; !ok {
			inside[label] = 0
		}
	}
	for label, to := range inside {
		port, ok := p.port(label)
		if !ok {
			return p.noPort(label)
		}
		if to == 0 {
			to = int64(port.To)
		}
		if to <= 0 {
			to = int64(port.Value)
		}
		if to > 65535 {
			return fmt.Errorf("port %q: %d is not a port", label, to)
		}
		if !unpublished {
			p.publish(port, uint16(to))
		}
	}
	return nil
}

func (p *plan) publish(port drivers.Port, to uint16) {
	if p.container.ExposedPorts == nil {
		p.container.ExposedPorts, p.host.PortBindings = network.PortSet{}, network.PortMap{}
	}
	addr, _ := netip.ParseAddr(port.HostIP) // none, or a name of none, is all addresses
	for _, proto := range []network.IPProtocol{network.TCP, network.UDP} {
		if in, ok := network.PortFrom(to, proto); ok {
			p.container.ExposedPorts[in] = struct{}{}
			p.host.PortBindings[in] = append(p.host.PortBindings[in], network.PortBinding{HostIP: addr, HostPort: strconv.Itoa(port.Value)})
		}
	}
}

// endpoint sets the container's own addresses and names in a network that the operator made.
func (p *plan) endpoint(mode string) error {
	t := &p.task
	if len(t.Aliases) == 0 && t.IPv4 == "" && t.IPv6 == "" && t.MAC == "" {
		return nil
	}
	if m := p.host.NetworkMode; !m.IsUserDefined() && (len(t.Aliases) > 0 || t.IPv4 != "" || t.IPv6 != "" || !m.IsPrivate()) {
		return fmt.Errorf("network_aliases, ipv4_address and ipv6_address need network_mode to be the name of a network that the operator made, not %q", mode)
	}
	e := &network.EndpointSettings{Aliases: t.Aliases}
	if t.IPv4 != "" || t.IPv6 != "" {
		e.IPAMConfig = &network.EndpointIPAMConfig{}
		var err error
		if e.IPAMConfig.IPv4Address, err = address("ipv4_address", t.IPv4, netip.Addr.Is4); err != nil {
			return err
		}
		if e.IPAMConfig.IPv6Address, err = address("ipv6_address", t.IPv6, netip.Addr.Is6); err != nil {
			return err
		}
	}
	if t.MAC != "" {
		if versions.LessThan(p.version, "1.44") {
			return fmt.Errorf("mac_address needs an engine with API 1.44 or newer, and this one has %s", p.version)
		}
		if err := e.MacAddress.UnmarshalText([]byte(t.MAC)); err != nil {
			return fmt.Errorf("mac_address %q: %w", clip(t.MAC), err)
		}
	}
	p.endpoints[mode] = e
	return nil
}

func address(option, text string, kind func(netip.Addr) bool) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !kind(a) {
		return netip.Addr{}, fmt.Errorf("%s: %q is not such an address", option, clip(text))
	}
	return a, nil
}
