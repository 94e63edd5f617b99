package taskenv

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// ports sets the variables of the group's ports. IP and ADDR are the host's;
// PORT is what the task should bind.
func (e *Env) ports(in Input) {
	if in.Alloc.AllocatedResources == nil {
		return
	}
	for _, p := range in.Alloc.AllocatedResources.Shared.Ports {
		label, host := Name(p.Label), strconv.Itoa(p.Value)
		inside := host
		if p.To > 0 {
			inside = strconv.Itoa(p.To)
		}
		addr := net.JoinHostPort(p.HostIP, host)
		e.set("IP_"+label, p.HostIP)
		e.set("PORT_"+label, inside)
		e.set("ADDR_"+label, addr)
		e.set("HOST_IP_"+label, p.HostIP)
		e.set("HOST_PORT_"+label, host)
		e.set("HOST_ADDR_"+label, addr)
		if in.Network != nil && in.Network.Address != "" {
			e.set("ALLOC_INTERFACE_"+label, in.Network.InterfaceName)
			e.set("ALLOC_IP_"+label, in.Network.Address)
			e.set("ALLOC_PORT_"+label, inside)
			e.set("ALLOC_ADDR_"+label, net.JoinHostPort(in.Network.Address, inside))
		}
	}
}

// legacyPorts sets those of networks that belong to a task: plain for its own,
// with the task's name for all.
func (e *Env) legacyPorts(in Input) {
	if in.Alloc.AllocatedResources == nil {
		return
	}
	for task, r := range in.Alloc.AllocatedResources.Tasks {
		for _, n := range r.Networks {
			for _, p := range slices.Concat(n.ReservedPorts, n.DynamicPorts) {
				e.legacyPort(task, task == in.Task.Name, n.IP, p)
			}
		}
	}
}

func (e *Env) legacyPort(task string, own bool, ip string, p api.Port) {
	label, port := Name(p.Label), strconv.Itoa(p.Value)
	addr := net.JoinHostPort(ip, port)
	suffix := Name(task) + "_" + label
	e.set("IP_"+suffix, ip)
	e.set("PORT_"+suffix, port)
	e.set("ADDR_"+suffix, addr)
	if !own {
		return
	}
	inside := port
	if p.To > 0 {
		inside = strconv.Itoa(p.To)
	}
	e.set("IP_"+label, ip)
	e.set("PORT_"+label, inside)
	e.set("ADDR_"+label, addr)
	e.set("HOST_IP_"+label, ip)
	e.set("HOST_PORT_"+label, port)
	e.set("HOST_ADDR_"+label, addr)
}

// Cores writes core numbers as a list of ranges: "0-3,7".
func Cores(cores []uint16) string {
	cores = slices.Clone(cores)
	slices.Sort(cores)
	var out []string
	for i := 0; i < len(cores); {
		j := i
		for j+1 < len(cores) && cores[j+1] <= cores[j]+1 {
			j++
		}
		text := strconv.Itoa(int(cores[i]))
		if cores[j] > cores[i] {
			text += "-" + strconv.Itoa(int(cores[j]))
		}
		out = append(out, text)
		i = j + 1
	}
	return strings.Join(out, ",")
}
