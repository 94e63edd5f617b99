package command

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

type allocStatusOptions struct {
	format                cli.Format
	short, stats, verbose bool
}

func allocStatus() *cli.Command {
	var o allocStatusOptions
	return &cli.Command{
		Name: "status", Synopsis: "Show an allocation and its tasks", Usage: "[options] [<allocation>]", Max: 1,
		Help: `Shows an allocation: where it runs, its ports, and for each task its state, resources and last events. Without an argument, lists the allocations.`,
		Define: func(f *cli.Flags) {
			f.Bool(&o.short, "short", "Show only one line for each task.")
			f.Bool(&o.stats, "stats", "Show what the tasks use in detail.")
			f.Bool(&o.verbose, "verbose", "Show IDs and times in full, and how the node was chosen.")
			o.format.Define(f)
			f.Ignore("ui", "")
		},
		Complete: completer(api.ContextAllocs),
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			if len(inv.Args) == 0 {
				return s.listAllocations(ctx, &o)
			}
			a, err := s.allocation(ctx, inv.Args[0])
			if err != nil {
				return err
			}
			return s.showAllocation(ctx, a, &o)
		},
	}
}

func (s *session) listAllocations(ctx context.Context, o *allocStatusOptions) error {
	list, err := call(ctx, s, api.AllocationsList, api.AllocationsListRequest{})
	if err != nil {
		return err
	}
	if o.format.Wanted() {
		return o.format.Write(s.Stdout, list)
	}
	s.showAllocations(list, true, o.verbose)
	return nil
}

func (s *session) showAllocation(ctx context.Context, a *api.Allocation, o *allocStatusOptions) error {
	if o.format.Wanted() {
		return o.format.Write(s.Stdout, a)
	}
	s.showAllocationHead(ctx, a, o.verbose)
	if o.short {
		s.title("Tasks")
		s.showTasksShort(a)
		return nil
	}
	s.showReschedules(a, o.verbose)
	s.showPreempted(ctx, a, o.verbose)
	s.showAddresses(a)
	var usage *api.AllocResourceUsage
	if a.ClientStatus == api.AllocClientRunning {
		usage, _ = call(ctx, s, api.AllocStats, api.AllocStatsRequest{ID: a.ID}) // the status is worth showing without it
	}
	for _, name := range taskOrder(a) {
		s.showTask(a, name, usage, o)
	}
	if o.verbose && a.Metrics != nil {
		s.title("Placement Metrics")
		s.showPlacement(a.Metrics)
	}
	return nil
}

func (s *session) showAllocationHead(ctx context.Context, a *api.Allocation, verbose bool) {
	var p cli.Pairs
	p.Add("ID", a.ID)
	p.Add("Eval ID", id(a.EvalID, verbose))
	p.Add("Name", a.Name)
	p.Add("Node ID", id(a.NodeID, verbose))
	p.Add("Node Name", a.NodeName)
	p.Add("Job ID", a.JobID)
	if a.Job != nil {
		p.Add("Job Version", fmt.Sprint(a.Job.Version))
	}
	p.Add("Client Status", s.Style.Status(a.ClientStatus))
	p.Add("Client Description", a.ClientDescription)
	p.Add("Desired Status", a.DesiredStatus)
	p.Add("Desired Description", a.DesiredDescription)
	p.Add("Created", when(nano(a.CreateTime), verbose))
	p.Add("Modified", when(nano(a.ModifyTime), verbose))
	if n := a.NetworkStatus; n != nil && n.Address+n.AddressIPv6 != "" {
		p.Add("Network Address", strings.TrimSpace(n.Address+" "+n.AddressIPv6)+" ("+n.InterfaceName+")")
	}
	for _, extra := range [][2]string{{"Deployment ID", a.DeploymentID}, {"Replacement Alloc ID", a.NextAllocation}, {"Previous Alloc ID", a.PreviousAllocation}, {"Reschedule Eval ID", a.FollowupEvalID}} {
		if extra[1] != "" {
			p.Add(extra[0], id(extra[1], verbose))
		}
	}
	s.addMoves(ctx, &p, a, verbose)
	if verbose && a.Metrics != nil {
		p.Add("Evaluated Nodes", fmt.Sprint(a.Metrics.NodesEvaluated))
		p.Add("Filtered Nodes", fmt.Sprint(a.Metrics.NodesFiltered))
		p.Add("Exhausted Nodes", fmt.Sprint(a.Metrics.NodesExhausted))
		p.Add("Allocation Time", a.Metrics.AllocationTime.String())
		p.Add("Failures", fmt.Sprint(a.Metrics.CoalescedFailures))
	}
	p.Write(s.Stdout, s.Style)
}

// taskOrder lists the tasks of an allocation: prestart, main, poststart, poststop, each by name.
func taskOrder(a *api.Allocation) []string {
	ranks := map[string]int{api.HookPrestart: 0, "": 1, api.HookPoststart: 2, api.HookPoststop: 3}
	byRank := make([][]string, 4)
	hooks := map[string]string{}
	if a.Job != nil {
		if g := a.Job.LookupTaskGroup(a.TaskGroup); g != nil {
			for _, t := range g.Tasks {
				if t.Lifecycle != nil {
					hooks[t.Name] = t.Lifecycle.Hook
				}
			}
		}
	}
	for _, name := range sorted(a.TaskStates) {
		r := ranks[hooks[name]]
		byRank[r] = append(byRank[r], name)
	}
	var out []string
	for _, names := range byRank {
		out = append(out, names...)
	}
	return out
}

func (s *session) showTasksShort(a *api.Allocation) {
	t := cli.NewTable("Name", "State", "Last Event", "Time", "Lifecycle")
	for _, name := range taskOrder(a) {
		state := a.TaskStates[name]
		last, at := "<none>", "<none>"
		if n := len(state.Events); n > 0 {
			last, at = state.Events[n-1].Type, timestamp(nano(state.Events[n-1].Time))
		}
		t.Row(name, s.Style.Status(state.State), last, at, lifecycle(a, name))
	}
	t.Write(s.Stdout, s.Style)
}

func lifecycle(a *api.Allocation, task string) string {
	if a.Job == nil {
		return ""
	}
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil || g.LookupTask(task) == nil {
		return ""
	}
	l := g.LookupTask(task).Lifecycle
	switch {
	case l == nil || l.Hook == "":
		return "main"
	case l.Sidecar:
		return l.Hook + " sidecar"
	}
	return l.Hook
}

func (s *session) showAddresses(a *api.Allocation) {
	if a.AllocatedResources == nil || len(a.AllocatedResources.Shared.Ports) == 0 {
		return
	}
	dynamic := map[string]bool{}
	mode := ""
	for _, n := range a.AllocatedResources.Shared.Networks {
		mode = n.Mode
		for _, p := range n.DynamicPorts {
			dynamic[p.Label] = true
		}
	}
	title := "Allocation Addresses:"
	if mode != "" && mode != "host" {
		title = fmt.Sprintf("Allocation Addresses (mode = %q):", mode)
	}
	s.title(title)
	t := cli.NewTable("Label", "Dynamic", "Address")
	for _, p := range a.AllocatedResources.Shared.Ports {
		address := net.JoinHostPort(p.HostIP, strconv.Itoa(p.Value))
		if p.To > 0 {
			address += fmt.Sprintf(" -> %d", p.To)
		}
		t.Row("*"+p.Label, yesNo(dynamic[p.Label]), address)
	}
	t.Write(s.Stdout, s.Style)
}

func (s *session) showTask(a *api.Allocation, name string, usage *api.AllocResourceUsage, o *allocStatusOptions) {
	state := a.TaskStates[name]
	kind := ""
	if l := lifecycle(a, name); l != "main" && l != "" {
		kind = " (" + l + ")"
	}
	if state.Suspended {
		kind += " (suspended)"
	}
	s.Printf("\n%s", s.Style.Bold(fmt.Sprintf("Task %q%s is %q", name, kind, state.State)))
	s.showTaskResources(a, name, usage)
	if u := taskUsage(usage, name); u != nil && o.stats {
		s.showTaskStats(u)
	}
	s.Printf("Task Events:")
	var p cli.Pairs
	p.Add("Started At", timestamp(state.StartedAt))
	p.Add("Finished At", timestamp(state.FinishedAt))
	p.Add("Total Restarts", fmt.Sprint(state.Restarts))
	p.Add("Last Restart", timestamp(state.LastRestart))
	p.Write(s.Stdout, s.Style)
	s.Printf("\nRecent Events:")
	t := cli.NewTable("Time", "Type", "Description")
	for i := len(state.Events) - 1; i >= 0; i-- {
		e := state.Events[i]
		t.Row(nano(e.Time).Format(time.RFC3339), e.Type, e.DisplayMessage)
	}
	t.Write(s.Stdout, s.Style)
}

func taskUsage(usage *api.AllocResourceUsage, name string) *api.ResourceUsage {
	if usage == nil || usage.Tasks[name] == nil {
		return nil
	}
	return usage.Tasks[name].ResourceUsage
}

func (s *session) showTaskResources(a *api.Allocation, name string, usage *api.AllocResourceUsage) {
	if a.AllocatedResources == nil || a.AllocatedResources.Tasks[name] == nil {
		return
	}
	r := a.AllocatedResources.Tasks[name]
	cpu := fmt.Sprintf("%d MHz", r.Cpu.CpuShares)
	memory := size(uint64(max(0, r.Memory.MemoryMB)) * mebibyte)
	if u := taskUsage(usage, name); u != nil {
		if u.CpuStats != nil {
			cpu = fmt.Sprintf("%.0f/%s", u.CpuStats.TotalTicks, cpu)
		}
		if u.MemoryStats != nil {
			memory = size(memoryInUse(u.MemoryStats)) + "/" + memory
		}
	}
	if r.Memory.MemoryMaxMB > r.Memory.MemoryMB {
		memory += fmt.Sprintf(" Max: %s", size(uint64(r.Memory.MemoryMaxMB)*mebibyte))
	}
	var addresses []string
	for _, n := range r.Networks {
		for _, p := range append(append([]api.Port{}, n.ReservedPorts...), n.DynamicPorts...) {
			addresses = append(addresses, fmt.Sprintf("%s: %s:%d", p.Label, n.IP, p.Value))
		}
	}
	s.Printf("Task Resources:")
	t := cli.NewTable("CPU", "Memory", "Disk", "Addresses")
	t.Row(cpu, memory, size(uint64(max(0, a.AllocatedResources.Shared.DiskMB))*mebibyte), strings.Join(addresses, ", "))
	t.Write(s.Stdout, s.Style)
	s.Printf("")
	s.showGrants(r)
}

// showGrants shows the cores and devices that a task was given.
func (s *session) showGrants(r *api.AllocatedTaskResources) {
	if len(r.Cpu.ReservedCores) > 0 {
		cores := make([]string, len(r.Cpu.ReservedCores))
		for i, c := range r.Cpu.ReservedCores {
			cores[i] = fmt.Sprint(c)
		}
		s.Printf("Reserved Cores: %s\n", strings.Join(cores, ", "))
	}
	if len(r.Devices) == 0 {
		return
	}
	t := cli.NewTable("Device", "IDs", "Share")
	for _, d := range r.Devices {
		share := "all"
		if d.Share > 0 {
			share = fmt.Sprint(d.Share)
		}
		t.Row(d.Vendor+"/"+d.Type+"/"+d.Name, strings.Join(d.DeviceIDs, ", "), share)
	}
	s.Printf("Devices:")
	t.Write(s.Stdout, s.Style)
	s.Printf("")
}

func memoryInUse(m *api.MemoryStats) uint64 {
	if m.RSS > 0 {
		return m.RSS
	}
	return m.Usage
}

func (s *session) showTaskStats(u *api.ResourceUsage) {
	if m := u.MemoryStats; m != nil {
		s.Printf("Memory Stats")
		values := map[string]uint64{"RSS": m.RSS, "Cache": m.Cache, "Swap": m.Swap, "Mapped File": m.MappedFile, "Usage": m.Usage, "Max Usage": m.MaxUsage, "Kernel Usage": m.KernelUsage, "Kernel Max Usage": m.KernelMaxUsage}
		row := make([]string, len(m.Measured))
		for i, name := range m.Measured {
			row[i] = size(values[name])
		}
		if len(row) > 0 {
			t := cli.NewTable(m.Measured...)
			t.Row(row...)
			t.Write(s.Stdout, s.Style)
		}
	}
	if c := u.CpuStats; c != nil {
		s.Printf("CPU Stats")
		values := map[string]string{"Percent": fmt.Sprintf("%.2f%%", c.Percent), "Throttled Periods": fmt.Sprint(c.ThrottledPeriods), "Throttled Time": time.Duration(c.ThrottledTime).String(), "User Mode": fmt.Sprintf("%.2f%%", c.UserMode), "System Mode": fmt.Sprintf("%.2f%%", c.SystemMode), "Total Ticks": fmt.Sprintf("%.0f", c.TotalTicks)}
		row := make([]string, len(c.Measured))
		for i, name := range c.Measured {
			row[i] = values[name]
		}
		if len(row) > 0 {
			t := cli.NewTable(c.Measured...)
			t.Row(row...)
			t.Write(s.Stdout, s.Style)
		}
	}
	s.Printf("")
}

// showPlacement shows how the best nodes were scored.
func (s *session) showPlacement(m *api.AllocationMetric) {
	for _, line := range placementReasons(m) {
		s.Printf("  * %s", line)
	}
	names := map[string]bool{}
	for _, n := range m.ScoreMetaData {
		for name := range n.Scores {
			names[name] = true
		}
	}
	columns := append([]string{"Node"}, sorted(names)...)
	t := cli.NewTable(append(columns, "final score")...)
	for _, n := range m.ScoreMetaData {
		row := []string{id(n.NodeID, false)}
		for _, name := range columns[1:] {
			row = append(row, fmt.Sprintf("%.3g", n.Scores[name]))
		}
		t.Row(append(row, fmt.Sprintf("%.3g", n.NormScore))...)
	}
	if t.Len() > 0 {
		t.Write(s.Stdout, s.Style)
	}
}
