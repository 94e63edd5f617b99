package feasible

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// Reasons for nodes that lack something other than a constraint.
const (
	ReasonDrivers = "missing drivers" // their names follow
	ReasonNetwork = "missing network"
)

// drivers demands that the node has each task's driver, healthy.
func (out *Group) drivers(f *fleet.Fleet, g *api.TaskGroup) {
	var names []string
	for _, t := range g.Tasks {
		if !slices.Contains(names, t.Driver) {
			names = append(names, t.Driver)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	out.add(ReasonDrivers+": "+strings.Join(names, ", "), f.Filter("drivers\x00"+strings.Join(names, "\x00"), func(n *api.Node) bool {
		return !slices.ContainsFunc(names, func(d string) bool { return !hasDriver(n, d) })
	}))
}

// MissingDriver says of a node that lacks a driver of the group what it says about it: "exec: exec needs the agent to run as root". Empty when it has all.
func MissingDriver(n *api.Node, g *api.TaskGroup) string {
	for _, t := range g.Tasks {
		if hasDriver(n, t.Driver) {
			continue
		}
		info := n.Drivers[t.Driver]
		if info == nil || info.HealthDescription == "" {
			return "without " + t.Driver
		}
		if strings.HasPrefix(info.HealthDescription, t.Driver+" ") {
			return info.HealthDescription
		}
		return t.Driver + ": " + info.HealthDescription
	}
	return ""
}

// hasDriver goes by what the client reports of the driver; a node that reports
// nothing of it may still say "driver.NAME" among its attributes.
func hasDriver(n *api.Node, name string) bool {
	if info := n.Drivers[name]; info != nil {
		return info.Detected && info.Healthy
	}
	on, err := strconv.ParseBool(n.Attributes["driver."+name])
	return err == nil && on
}

// networks demands the modes and the host networks that the group's networks name.
func (out *Group) networks(f *fleet.Fleet, g *api.TaskGroup) {
	for _, w := range g.Networks {
		switch mode := w.Mode; {
		case mode == "" || mode == "host" || mode == "none":
		default:
			out.add(ReasonNetwork, f.Filter("network\x00"+mode, func(n *api.Node) bool { return hasMode(n, mode) }))
		}
	}
	for _, name := range hostNetworks(g) {
		reason := `missing host network "` + name + `" for port`
		out.add(reason, f.Filter("host network\x00"+name, func(n *api.Node) bool { return n.HostNetworks[name] != nil }))
	}
}

func hasMode(n *api.Node, mode string) bool {
	if cni, ok := strings.CutPrefix(mode, "cni/"); ok && n.Attributes["plugins.cni.config."+cni] != "" {
		return true
	}
	return n.NodeResources != nil && slices.ContainsFunc(n.NodeResources.Networks, func(w *api.NetworkResource) bool { return w != nil && w.Mode == mode })
}

func hostNetworks(g *api.TaskGroup) []string {
	var names []string
	for _, w := range Networks(g) {
		for _, ports := range [][]api.Port{w.ReservedPorts, w.DynamicPorts} {
			for _, p := range ports {
				if h := p.HostNetwork; h != "" && h != "default" && !slices.Contains(names, h) {
					names = append(names, h)
				}
			}
		}
	}
	return names
}

// Networks gives the networks of a group, and those that old job files have in
// the resources of tasks.
func Networks(g *api.TaskGroup) []*api.NetworkResource {
	all := g.Networks
	for _, t := range g.Tasks {
		if t.Resources != nil && len(t.Resources.Networks) > 0 {
			all = append(all[:len(all):len(all)], t.Resources.Networks...)
		}
	}
	return all
}

// Ports gives the ports on the host that a group asks for.
func Ports(g *api.TaskGroup) []fleet.PortAsk {
	var asks []fleet.PortAsk
	for _, w := range Networks(g) {
		if w.Mode == "none" {
			continue
		}
		for _, p := range w.ReservedPorts {
			asks = append(asks, ask(p))
		}
		for _, p := range w.DynamicPorts {
			p.Value = 0
			asks = append(asks, ask(p))
		}
	}
	return asks
}

func ask(p api.Port) fleet.PortAsk {
	return fleet.PortAsk{Label: p.Label, Static: p.Value, To: p.To, HostNetwork: p.HostNetwork, IgnoreCollision: p.IgnoreCollision}
}
