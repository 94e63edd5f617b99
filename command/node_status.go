package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

type nodeStatusOptions struct {
	format                                     cli.Format
	pages                                      paging
	self, short, stats, verbose, quiet, allocs bool
	system                                     bool
}

func nodeStatus() *cli.Command {
	var o nodeStatusOptions
	return &cli.Command{
		Name: "status", Synopsis: "List nodes, or show one with what runs on it", Usage: "[options] [<node>]", Max: 1,
		Define: func(f *cli.Flags) {
			f.Bool(&o.self, "self", "Show the node of the agent that is asked.")
			f.Bool(&o.short, "short", "Show the node itself only.")
			f.Bool(&o.stats, "stats", "Show what the node uses in detail.")
			f.Bool(&o.allocs, "allocs", "In the list: count what runs on each node.")
			f.Bool(&o.system, "os", "In the list: show the operating system.")
			f.Bool(&o.quiet, "quiet", "In the list: show IDs only.")
			f.Bool(&o.verbose, "verbose", "Show IDs and times in full, and attributes and meta.")
			o.pages.define(f)
			o.format.Define(f)
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextNodes),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if len(inv.Args) == 0 && !o.self {
				return s.listNodes(ctx, &o)
			}
			node, err := s.nodeArgument(ctx, inv.Args, o.self)
			if err != nil {
				return err
			}
			return s.showNode(ctx, node, &o)
		},
	}
}

// nodeArgument gives the node that is named, or with -self the agent's own.
func (s *session) nodeArgument(ctx context.Context, args []string, self bool) (*api.Node, error) {
	switch {
	case self && len(args) > 0:
		return nil, cli.Usagef("name a node or give -self, not both")
	case self:
		return s.self(ctx)
	case len(args) == 0:
		return nil, cli.Usagef("name a node or give -self")
	}
	return s.node(ctx, args[0])
}

func (s *session) listNodes(ctx context.Context, o *nodeStatusOptions) error {
	req := api.NodesListRequest{QueryOptions: o.pages.options(), OS: o.system}
	nodes, meta, err := api.Call(ctx, s.client, api.NodesList, &req)
	if err != nil {
		return err
	}
	if o.format.Wanted() {
		return o.format.Write(s.Stdout, nodes)
	}
	if o.quiet {
		for _, n := range nodes {
			s.Printf("%s", id(n.ID, o.verbose))
		}
		return nil
	}
	if err := s.nodeTable(ctx, nodes, o); err != nil {
		return err
	}
	s.more(meta)
	return nil
}

func (s *session) nodeTable(ctx context.Context, nodes []*api.NodeListStub, o *nodeStatusOptions) error {
	if len(nodes) == 0 {
		s.Printf("No nodes registered")
		return nil
	}
	columns := []string{"ID", "Node Pool", "DC", "Name", "Class"}
	if o.system {
		columns = append(columns, "OS")
	}
	if o.verbose {
		columns = append(columns, "Address", "Version")
	}
	columns = append(columns, "Drain", "Eligibility", "Status")
	var running map[string]int
	if o.allocs {
		columns = append(columns, "Running Allocs")
		var err error
		if running, err = s.runningByNode(ctx); err != nil {
			return err
		}
	}
	t := cli.NewTable(columns...)
	for _, n := range nodes {
		row := []string{id(n.ID, o.verbose), n.NodePool, n.Datacenter, n.Name, orNone(n.NodeClass)}
		if o.system {
			row = append(row, n.Attributes["os.name"])
		}
		if o.verbose {
			row = append(row, n.Address, n.Version)
		}
		row = append(row, fmt.Sprint(n.Drain), s.Style.Status(n.SchedulingEligibility), s.Style.Status(n.Status))
		if o.allocs {
			row = append(row, fmt.Sprint(running[n.ID]))
		}
		t.Row(row...)
	}
	t.Write(s.Stdout, s.Style)
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func (s *session) runningByNode(ctx context.Context) (map[string]int, error) {
	no := false
	list, err := call(ctx, s, api.AllocationsList, api.AllocationsListRequest{QueryOptions: api.QueryOptions{Namespace: api.AllNamespaces}, TaskStates: &no})
	if err != nil {
		return nil, err
	}
	running := map[string]int{}
	for _, a := range list {
		if a.ClientStatus == api.AllocClientRunning {
			running[a.NodeID]++
		}
	}
	return running, nil
}

func (s *session) showNode(ctx context.Context, n *api.Node, o *nodeStatusOptions) error {
	if o.format.Wanted() {
		return o.format.Write(s.Stdout, n)
	}
	var stats *api.HostStats
	if n.Status == api.NodeStatusReady && !o.short {
		stats, _ = call(ctx, s, api.ClientStats, api.NodeIDRequest{NodeID: n.ID}) // the status is worth showing without it
	}
	s.showNodeHead(n, stats, o.verbose)
	if o.short {
		return nil
	}
	s.showNodeEvents(n)
	allocs, err := call(ctx, s, api.NodeAllocations, api.IDRequest{ID: n.ID})
	if err != nil {
		return err
	}
	s.showNodeResources(n, allocs)
	if stats != nil {
		s.showHostUse(n, stats, o.stats)
	}
	s.title("Allocations")
	stubs := make([]*api.AllocationListStub, len(allocs))
	for i, a := range allocs {
		stubs[i] = a.Stub(false, true)
	}
	s.showAllocations(stubs, false, o.verbose)
	if o.verbose {
		s.showMap("Attributes", n.Attributes)
		s.showMap("Meta", n.Meta)
	}
	return nil
}

func (s *session) showNodeHead(n *api.Node, stats *api.HostStats, verbose bool) {
	var p cli.Pairs
	p.Add("ID", n.ID)
	p.Add("Name", n.Name)
	p.Add("Node Pool", n.NodePool)
	p.Add("Class", n.NodeClass)
	p.Add("DC", n.Datacenter)
	p.Add("Drain", drainStatus(n))
	p.Add("Eligibility", s.Style.Status(n.SchedulingEligibility))
	p.Add("Status", s.Style.Status(n.Status))
	if n.StatusDescription != "" {
		p.Add("Status Description", n.StatusDescription)
	}
	if n.Status != api.NodeStatusReady && n.StatusUpdatedAt > 0 {
		p.Add("Status Since", when(time.Unix(n.StatusUpdatedAt, 0), verbose))
	}
	if text := lastDrain(n, verbose); text != "" {
		p.Add("Last Drain", text)
	}
	p.Add("Host Volumes", strings.Join(sorted(n.HostVolumes), ","))
	p.Add("Host Networks", strings.Join(sorted(n.HostNetworks), ","))
	if verbose {
		p.Add("Address", n.HTTPAddr)
		p.Add("Computed Class", n.ComputedClass)
	}
	if stats != nil {
		p.Add("Uptime", span(time.Duration(stats.Uptime)*time.Second))
	}
	if !verbose {
		p.Add("Driver Status", driverStatus(n))
	}
	p.Write(s.Stdout, s.Style)
	if verbose {
		s.title("Drivers")
		t := cli.NewTable("Driver", "Detected", "Healthy", "Message", "Time")
		for _, name := range sorted(n.Drivers) {
			d := n.Drivers[name]
			t.Row(name, fmt.Sprint(d.Detected), fmt.Sprint(d.Healthy), d.HealthDescription, timestamp(d.UpdateTime))
		}
		t.Write(s.Stdout, s.Style)
	}
}

// drainStatus says whether a node is being drained, and how.
func drainStatus(n *api.Node) string {
	if n.DrainStrategy == nil {
		return fmt.Sprint(n.Drain)
	}
	return "true; " + drainWords(n)
}

// lastDrain words how a node's last drain ended, or how it goes.
func lastDrain(n *api.Node, verbose bool) string {
	d := n.LastDrain
	if d == nil {
		return ""
	}
	text := d.Status + ", started " + when(d.StartedAt, verbose)
	if message := d.Meta["message"]; message != "" {
		text += ": " + message
	}
	return text
}

func driverStatus(n *api.Node) string {
	var names []string
	for _, name := range sorted(n.Drivers) {
		switch d := n.Drivers[name]; {
		case !d.Detected:
		case d.Healthy:
			names = append(names, name)
		default:
			names = append(names, name+" (unhealthy)")
		}
	}
	return strings.Join(names, ",")
}

func (s *session) showNodeEvents(n *api.Node) {
	s.title("Node Events")
	t := cli.NewTable("Time", "Subsystem", "Message")
	for i := len(n.Events) - 1; i >= 0; i-- {
		e := n.Events[i]
		t.Row(timestamp(e.Timestamp), e.Subsystem, e.Message)
	}
	t.Write(s.Stdout, s.Style)
}

// showNodeResources shows what is given to allocations of what there is.
func (s *session) showNodeResources(n *api.Node, allocs []*api.Allocation) {
	if n.NodeResources == nil {
		return
	}
	var cpu, memory, disk int64
	for _, a := range allocs {
		if a.Terminal() || a.AllocatedResources == nil {
			continue
		}
		disk += a.AllocatedResources.Shared.DiskMB
		for _, t := range a.AllocatedResources.Tasks {
			cpu += t.Cpu.CpuShares
			memory += t.Memory.MemoryMB
		}
	}
	r := n.NodeResources
	totalCPU, totalMemory, totalDisk := r.Cpu.CpuShares, r.Memory.MemoryMB, r.Disk.DiskMB
	if k := n.ReservedResources; k != nil {
		totalCPU -= int64(k.Cpu.CpuShares)
		totalMemory -= int64(k.Memory.MemoryMB)
		totalDisk -= int64(k.Disk.DiskMB)
	}
	s.title("Allocated Resources")
	t := cli.NewTable("CPU", "Memory", "Disk")
	mb := func(n int64) string { return size(uint64(max(0, n)) * mebibyte) }
	t.Row(fmt.Sprintf("%d/%d MHz", cpu, totalCPU), mb(memory)+"/"+mb(totalMemory), mb(disk)+"/"+mb(totalDisk))
	t.Write(s.Stdout, s.Style)
}

func (s *session) showHostUse(n *api.Node, stats *api.HostStats, detail bool) {
	s.title("Host Resource Utilization")
	t := cli.NewTable("CPU", "Memory", "Disk (alloc dir)")
	total := int64(0)
	if n.NodeResources != nil {
		total = n.NodeResources.Cpu.CpuShares
	}
	memory, disk := "N/A", "N/A"
	if m := stats.Memory; m != nil {
		memory = size(m.Used) + "/" + size(m.Total)
	}
	if d := stats.AllocDirStats; d != nil {
		disk = size(d.Used) + "/" + size(d.Size)
	}
	t.Row(fmt.Sprintf("%.0f/%d MHz", stats.CPUTicksConsumed, total), memory, disk)
	t.Write(s.Stdout, s.Style)
	if !detail {
		return
	}
	s.title("CPU Stats")
	t = cli.NewTable("CPU", "User", "System", "Idle")
	for _, c := range stats.CPU {
		t.Row(c.CPU, fmt.Sprintf("%.1f%%", c.User), fmt.Sprintf("%.1f%%", c.System), fmt.Sprintf("%.1f%%", c.Idle))
	}
	t.Write(s.Stdout, s.Style)
	s.title("Disk Stats")
	t = cli.NewTable("Device", "MountPoint", "Size", "Used", "Available", "Used Percent", "Inodes Percent")
	for _, d := range stats.DiskStats {
		t.Row(d.Device, d.Mountpoint, size(d.Size), size(d.Used), size(d.Available), fmt.Sprintf("%.1f%%", d.UsedPercent), fmt.Sprintf("%.1f%%", d.InodesUsedPercent))
	}
	t.Write(s.Stdout, s.Style)
}

func (s *session) showMap(title string, m map[string]string) {
	s.title(title)
	var p cli.Pairs
	for _, k := range sorted(m) {
		p.Add(k, m[k])
	}
	p.Write(s.Stdout, s.Style)
}
