package steps

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/client/taskenv"
	"github.com/seraihq/serai/drivers"
)

// networkDeadline leaves a driver time to fetch the image of what holds the
// namespace.
const networkDeadline = 10 * time.Minute

// Pod is the network that the tasks of an allocation share.
type Pod struct {
	Isolation *drivers.NetworkIsolation
	Status    *api.AllocNetworkStatus
	DNS       *drivers.DNS
}

// Network gives the allocation a network of its own, where its group asks for
// one.
type Network struct {
	Manager *network.Manager
	Driver  func(ctx context.Context, name string) (drivers.Driver, error)
	Region  string

	pod atomic.Pointer[Pod]
	// upAt is when it was last made or looked after, in nanoseconds.
	upAt atomic.Int64
}

// standsFor is how long a network that has just been made is trusted to stand.
const standsFor = time.Second

// NeedsNetwork says whether a group asks for a network of its own.
func NeedsNetwork(g *api.TaskGroup) bool { return ownNetwork(g) != nil }

// ownNetwork gives the network of a group that means a namespace; nil: the host's.
func ownNetwork(g *api.TaskGroup) *api.NetworkResource {
	if g == nil {
		return nil
	}
	for _, n := range g.Networks {
		if network.OwnNamespace(n.Mode) {
			return n
		}
	}
	return nil
}

// Name implements Step.
func (*Network) Name() string { return "network" }

// Up implements Step.
func (n *Network) Up(ctx context.Context, in *In) (Result, error) {
	req, dns, err := n.request(ctx, in)
	if err != nil {
		return nil, err
	}
	pod, err := n.Manager.Up(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, a := range pod.Lost {
		in.note("The allocation is not %s any more, for the node's bridge has another subnet: a task that remembers the address has to be restarted", a)
	}
	n.stands(pod, dns)
	return Result{"namespace": pod.Namespace.Path}, nil
}

// Down implements Step.
func (n *Network) Down(ctx context.Context, in *In, _ Result) error {
	return n.Manager.Down(ctx, in.Alloc.ID)
}

// Stand looks after the network before a task is started in it.
func (n *Network) Stand(ctx context.Context, allocID string) error {
	was := n.pod.Load()
	if was == nil || time.Now().UnixNano()-n.upAt.Load() < int64(standsFor) {
		return nil // the step is to come, or has just come
	}
	pod, err := n.Manager.Stand(ctx, allocID)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	n.stands(pod, was.DNS)
	return nil
}

// Pod gives what stands; nil: nothing, or nothing yet.
func (n *Network) Pod() *Pod {
	if n == nil {
		return nil
	}
	return n.pod.Load()
}

func (n *Network) stands(p network.Pod, dns *drivers.DNS) {
	pod := &Pod{Isolation: p.Namespace, DNS: dns, Status: &api.AllocNetworkStatus{InterfaceName: p.Interface}}
	if dns == nil {
		pod.DNS = p.DNS
	}
	if p.Address.IsValid() {
		pod.Status.Address = p.Address.String()
	}
	if p.AddressIPv6.IsValid() {
		pod.Status.AddressIPv6 = p.AddressIPv6.String()
	}
	if d := pod.DNS; d != nil {
		pod.Status.DNS = &api.DNSConfig{Servers: d.Servers, Searches: d.Searches, Options: d.Options}
	}
	n.pod.Store(pod)
	n.upAt.Store(time.Now().UnixNano())
}

// request is what the job asks for, with all references resolved.
func (n *Network) request(ctx context.Context, in *In) (network.Request, *drivers.DNS, error) {
	group := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup)
	asked := ownNetwork(group)
	if asked == nil {
		return network.Request{}, nil, fmt.Errorf("group %q asks for no network of its own", in.Alloc.TaskGroup)
	}
	env := taskenv.New(taskenv.Input{Region: n.Region, Node: in.Node, Alloc: in.Alloc, Task: &api.Task{}})
	req := network.Request{AllocID: in.Alloc.ID, Mode: asked.Mode, Hostname: env.Replace(asked.Hostname)}
	if req.Hostname == "" {
		req.Hostname = "alloc-" + in.Alloc.ID[:min(8, len(in.Alloc.ID))]
	} else if err := api.CheckHostname(req.Hostname); err != nil {
		return req, nil, err
	}
	var err error
	if req.Ports, err = hostPorts(in.Alloc); err != nil {
		return req, nil, err
	}
	if network.IsCNI(asked.Mode) {
		req.CNIArgs = cniArgs(in, asked, env)
	}
	if req.Driver, err = n.drivers(ctx, group); err != nil {
		return req, nil, err
	}
	dns, err := n.resolver(in, asked, env)
	return req, dns, err
}

// drivers names the driver that makes the namespace for the group, if one does.
func (n *Network) drivers(ctx context.Context, group *api.TaskGroup) (string, error) {
	maker := ""
	for _, t := range group.Tasks {
		d, err := n.Driver(ctx, t.Driver)
		if err != nil {
			return "", fmt.Errorf("task %q: %w", t.Name, err)
		}
		a := d.Info().Abilities
		if !slices.Contains(a.NetworkModes, drivers.NetworkGroup) {
			return "", fmt.Errorf("task %q: driver %q cannot join the network of its group: use network mode \"host\", or another driver", t.Name, t.Driver)
		}
		if _, makes := drivers.NetworkerOf(d); !makes || maker == t.Driver {
			continue
		}
		if maker != "" {
			return "", fmt.Errorf("drivers %q and %q both make the network of a group, which can have one only: put their tasks into groups of their own", maker, t.Driver)
		}
		maker = t.Driver
	}
	return maker, nil
}

func hostPorts(a *api.Allocation) ([]network.Port, error) {
	if a.AllocatedResources == nil {
		return nil, nil
	}
	var out []network.Port
	for _, p := range a.AllocatedResources.Shared.Ports {
		ip, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return nil, fmt.Errorf("port %q: its host network has no address on this node", p.Label)
		}
		inside := p.To
		if inside <= 0 {
			inside = p.Value
		}
		if p.Value < 1 || p.Value > 65535 || inside > 65535 {
			return nil, fmt.Errorf("port %q: %d to %d are no ports", p.Label, p.Value, inside)
		}
		out = append(out, network.Port{Label: p.Label, HostIP: ip.Unmap(), Host: uint16(p.Value), Inside: uint16(inside)})
	}
	return out, nil
}

// cniArgs tells plugins for whom they work, beside what the job tells them.
func cniArgs(in *In, asked *api.NetworkResource, env *taskenv.Env) map[string]string {
	args := map[string]string{
		"NOMAD_REGION": env.Replace("${node.region}"), "NOMAD_NAMESPACE": in.Alloc.Namespace, "NOMAD_JOB_ID": in.Alloc.JobID,
		"NOMAD_GROUP_NAME": in.Alloc.TaskGroup, "NOMAD_ALLOC_ID": in.Alloc.ID,
	}
	if asked.CNI != nil {
		for k, v := range asked.CNI.Args {
			args[k] = env.Replace(v)
		}
	}
	return args
}

// resolver gives the pod's resolver: that of the job, or that of the node where
// it is one that only the node itself reaches and another is known.
func (n *Network) resolver(in *In, asked *api.NetworkResource, env *taskenv.Env) (*drivers.DNS, error) {
	if d := asked.DNS; d != nil && len(d.Servers)+len(d.Searches)+len(d.Options) > 0 {
		return named(d, env)
	}
	dns, reachable := network.Resolver()
	if !reachable && asked.Mode != network.ModeNone {
		in.note("The resolver of this node is on its loopback, which the allocation does not reach: name servers in the network's dns block")
	}
	return dns, nil
}

// named is the resolver that a job names. Each value becomes a word of a line.
func named(d *api.DNSConfig, env *taskenv.Env) (*drivers.DNS, error) {
	out := &drivers.DNS{}
	for _, pair := range []struct {
		from []string
		to   *[]string
	}{{d.Servers, &out.Servers}, {d.Searches, &out.Searches}, {d.Options, &out.Options}} {
		for _, s := range pair.from {
			value := env.Replace(s)
			if value == "" || strings.ContainsAny(value, " \t\r\n\x00") {
				return nil, fmt.Errorf("dns: %q is not one word", value)
			}
			*pair.to = append(*pair.to, value)
		}
	}
	for _, s := range out.Servers {
		if _, err := netip.ParseAddr(s); err != nil {
			return nil, fmt.Errorf("dns: server %q is not an address", s)
		}
	}
	return out, nil
}
