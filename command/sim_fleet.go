package command

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/seraihq/serai/scheduler/feasible"
)

// maxSimNodes bounds the nodes of a described fleet.
const maxSimNodes = 1_000_000

// simDrivers are what a described node has that does not say.
var simDrivers = []string{"docker", "exec", "java", "mock_driver", "podman", "qemu", "raw_exec"}

// readFleet reads a described fleet: `node "class" { … }` blocks.
func readFleet(ctx context.Context, inv *cli.Invocation, name string) ([]*api.Node, error) {
	file, tree, err := readPlain(ctx, inv, name)
	if err != nil {
		return nil, err
	}
	d := &fleetDecoder{file: file}
	for _, e := range tree.Entries {
		if e.Name != "node" || len(e.Labels) != 1 || e.Value.Kind != hclx.Object {
			d.problem(e.Range, "expected: node \"<class>\" { … }")
			continue
		}
		d.node(e.Labels[0], e.Value)
	}
	if len(tree.Entries) == 0 {
		return nil, fmt.Errorf("%s: there is no node block in it", name)
	}
	if err := d.problems.Sort().Err(); err != nil {
		return nil, err
	}
	return d.nodes, nil
}

type fleetDecoder struct {
	file     *hclx.File
	problems hclx.Problems
	nodes    []*api.Node
	made     map[string]int // nodes of a class, which may have several blocks
}

func (d *fleetDecoder) problem(at hclx.Range, format string, args ...any) {
	d.problems = append(d.problems, d.file.At(at, format, args...))
}

// nodeClass is a node block.
type nodeClass struct {
	class       string
	count       int64
	datacenters []string
	pool        string
	drivers     []string
	node        api.Node // what all of them have
}

func (d *fleetDecoder) node(class string, v hclx.Value) {
	c := &nodeClass{class: class, count: 1, pool: api.NodePoolDefault, drivers: simDrivers}
	c.node.NodeResources, c.node.ReservedResources = &api.NodeResources{}, &api.NodeReservedResources{}
	c.node.Attributes = map[string]string{"kernel.name": "linux", "cpu.arch": "amd64"}
	c.node.Meta = map[string]string{}
	given := map[string]bool{}
	for _, e := range v.Entries {
		given[e.Name] = true
		d.entry(c, &e)
	}
	for _, name := range []string{"cpu", "memory"} {
		if !given[name] {
			d.problem(v.Range, "node %q: %s is missing", class, name)
		}
	}
	if !given["disk"] {
		c.node.NodeResources.Disk.DiskMB = 1 << 20
	}
	if len(c.datacenters) == 0 {
		c.datacenters = []string{"dc1"}
	}
	if int64(len(d.nodes))+c.count > maxSimNodes {
		d.problem(v.Range, "more than %d nodes", maxSimNodes)
		return
	}
	if d.made == nil {
		d.made = map[string]int{}
	}
	for i := range int(c.count) {
		d.nodes = append(d.nodes, c.make(i, d.made[class]))
		d.made[class]++
	}
}

// nodeKeys are the names in a node block, for suggestions.
var nodeKeys = []string{
	"count", "datacenter", "datacenters", "pool", "cpu", "cores", "memory", "disk", "max_allocs", "drivers", "host_volumes",
	"reserved_cpu", "reserved_memory", "reserved_disk", "reserved_ports", "attributes", "meta", "device",
}

func (d *fleetDecoder) entry(c *nodeClass, e *hclx.Entry) {
	r, kept := c.node.NodeResources, c.node.ReservedResources
	switch e.Name {
	case "count":
		c.count = d.number(e, 0, maxSimNodes)
	case "datacenter":
		c.datacenters = []string{d.text(e)}
	case "datacenters":
		c.datacenters = d.texts(e)
	case "pool":
		c.pool = d.text(e)
	case "cpu":
		r.Cpu.CpuShares = d.number(e, 1, 1<<40)
	case "cores":
		for i := range d.number(e, 0, 65535) {
			r.Cpu.ReservableCpuCores = append(r.Cpu.ReservableCpuCores, uint16(i))
		}
		r.Cpu.TotalCpuCores = uint16(len(r.Cpu.ReservableCpuCores))
	case "memory":
		r.Memory.MemoryMB = d.number(e, 1, 1<<40)
	case "disk":
		r.Disk.DiskMB = d.number(e, 0, 1<<40)
	case "max_allocs":
		c.node.NodeMaxAllocs = int(d.number(e, 0, 1<<30))
	case "drivers":
		c.drivers = d.texts(e)
	case "host_volumes":
		c.node.HostVolumes = map[string]*api.HostVolumeInfo{}
		for _, name := range d.texts(e) {
			c.node.HostVolumes[name] = &api.HostVolumeInfo{Path: path.Join("/", name)}
		}
	case "reserved_cpu":
		kept.Cpu.CpuShares = uint64(d.number(e, 0, 1<<40))
	case "reserved_memory":
		kept.Memory.MemoryMB = uint64(d.number(e, 0, 1<<40))
	case "reserved_disk":
		kept.Disk.DiskMB = uint64(d.number(e, 0, 1<<40))
	case "reserved_ports":
		kept.Networks.ReservedHostPorts = d.text(e)
	case "attributes":
		d.table(e, c.node.Attributes)
	case "meta":
		d.table(e, c.node.Meta)
	case "device":
		d.device(c, e)
	default:
		p := d.file.At(e.Range, "node %q: unknown key %q", c.class, e.Name)
		p.Suggest = hclx.Nearest(e.Name, nodeKeys)
		d.problems = append(d.problems, p)
	}
}

func (d *fleetDecoder) number(e *hclx.Entry, low, high int64) int64 {
	n, err := strconv.ParseInt(e.Value.Text, 10, 64)
	if e.Value.Kind != hclx.Number || err != nil || n < low || n > high {
		d.problem(e.Range, "%s must be a whole number from %d to %d", e.Name, low, high)
		return low
	}
	return n
}

func (d *fleetDecoder) text(e *hclx.Entry) string {
	if e.Value.Kind != hclx.String || e.Value.Text == "" {
		d.problem(e.Range, "%s must be a text, not %s", e.Name, e.Value.Kind)
	}
	return e.Value.Text
}

func (d *fleetDecoder) texts(e *hclx.Entry) []string {
	var out []string
	for _, item := range e.Value.Items {
		if item.Kind == hclx.String {
			out = append(out, item.Text)
		}
	}
	if e.Value.Kind != hclx.List || len(out) != len(e.Value.Items) {
		d.problem(e.Range, "%s must be a list of texts", e.Name)
	}
	return out
}

func (d *fleetDecoder) table(e *hclx.Entry, to map[string]string) {
	if e.Value.Kind != hclx.Object {
		d.problem(e.Range, "%s must be a block or map, not %s", e.Name, e.Value.Kind)
	}
	for _, x := range e.Value.Entries {
		switch x.Value.Kind {
		case hclx.String, hclx.Number:
			to[x.Name] = x.Value.Text
		case hclx.Bool:
			to[x.Name] = strconv.FormatBool(x.Value.Bool)
		default:
			d.problem(x.Range, "%s must be a text, not %s", x.Name, x.Value.Kind)
		}
	}
}

// device reads `device "vendor/type/name" { count = 4 }`.
func (d *fleetDecoder) device(c *nodeClass, e *hclx.Entry) {
	var parts []string
	if len(e.Labels) == 1 {
		parts = strings.Split(e.Labels[0], "/")
	}
	if len(parts) != 3 || slices.Contains(parts, "") {
		d.problem(e.Range, "expected: device \"<vendor>/<type>/<name>\" { count = … }")
		return
	}
	g := &api.NodeDeviceResource{Vendor: parts[0], Type: parts[1], Name: parts[2], Attributes: map[string]*api.Attribute{}}
	count := int64(1)
	for _, x := range e.Value.Entries {
		switch x.Name {
		case "count":
			count = d.number(&x, 1, 1024)
		case "attributes":
			texts := map[string]string{}
			d.table(&x, texts)
			for k, v := range texts {
				g.Attributes[k] = attribute(v)
			}
		default:
			d.problem(x.Range, "device %q: unknown key %q; there are count and attributes", e.Labels[0], x.Name)
		}
	}
	for i := range count {
		g.Instances = append(g.Instances, &api.NodeDevice{ID: fmt.Sprint(i), Healthy: true})
	}
	c.node.NodeResources.Devices = append(c.node.NodeResources.Devices, g)
}

// attribute reads a value of a device such as "80 GiB" or "8.0".
func attribute(text string) *api.Attribute {
	number, unit, _ := strings.Cut(text, " ")
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return &api.Attribute{IntVal: &n, Unit: unit}
	}
	if f, err := strconv.ParseFloat(number, 64); err == nil {
		return &api.Attribute{FloatVal: &f, Unit: unit}
	}
	return &api.Attribute{StringVal: &text}
}

// make makes node i of the block, after others of its class; the datacenters
// take turns.
func (c *nodeClass) make(i, others int) *api.Node {
	n := c.node
	n.Name = fmt.Sprintf("%s-%d", c.class, others+1)
	n.ID, n.NodeClass, n.NodePool = n.Name, c.class, c.pool
	n.Datacenter = c.datacenters[i%len(c.datacenters)]
	n.Status, n.SchedulingEligibility = api.NodeStatusReady, api.NodeEligible
	resources := *c.node.NodeResources
	resources.Networks = []*api.NetworkResource{
		{Mode: "host", Device: "eth0", IP: fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)}, {Mode: "bridge"},
	}
	n.NodeResources = &resources
	n.Drivers = map[string]*api.DriverInfo{}
	for _, driver := range c.drivers {
		n.Drivers[driver] = &api.DriverInfo{Detected: true, Healthy: true}
	}
	n.ComputedClass = feasible.ComputedClass(&n)
	return &n
}
