package why

import (
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
)

// unbounded is the missing amount of what no amount would give.
const unbounded = 1 << 20

// shortfalls says what a row lacks. reason is what the selector said: it is
// told even where there are no numbers for it.
func (q *asker) shortfalls(row int32, g *api.TaskGroup, ask *fit.Usage, reason string) []*api.Shortfall {
	n := q.Fleet.Node(row)
	has, used := fit.Capacity(n), q.Fleet.Used(row)
	var out []*api.Shortfall
	add := func(dimension, unit string, has, used, asked int64) {
		if free := has - used; asked > free {
			out = append(out, &api.Shortfall{Dimension: dimension, Unit: unit, Has: has, Free: free, Asked: asked, Missing: asked - free})
		}
	}
	cores, cpu := fit.CoresOf(g), ask.CPU
	if len(cores.Tasks) > 0 {
		cpu = cores.CPU(fit.PerCore(n))
	}
	add(fit.DimensionCPU, "MHz", has.CPU, used.CPU, cpu)
	add(fit.DimensionMemory, "MB", has.Memory, used.Memory, ask.Memory)
	add(fit.DimensionDisk, "MB", has.Disk, used.Disk, ask.Disk)
	if has.Allocs > 0 {
		add(fit.DimensionMaxAllocs, "", int64(has.Allocs), int64(used.Allocs), int64(ask.Allocs))
	}
	if asked := total(&cores); asked > 0 {
		free := 0
		for _, c := range has.Cores {
			if !slices.Contains(used.Cores, c) {
				free++
			}
		}
		add(fit.DimensionCores, "", int64(len(has.Cores)), int64(len(has.Cores)-free), int64(asked))
	}
	for _, d := range feasible.Devices(q.Fleet, g) {
		n, free := q.devices(row, &d)
		add(fit.DimensionDevices+" "+d.Of.Name, "", int64(n), int64(n-free), int64(d.Ask.Count))
	}
	if strings.HasPrefix(reason, "network:") {
		out = append(out, q.ports(row, g, reason))
	}
	if len(out) == 0 {
		out = append(out, &api.Shortfall{Dimension: reason, Asked: 1, Missing: unbounded})
	}
	return out
}

func total(a *fit.CoreAsk) int {
	n := 0
	for _, t := range a.Tasks {
		n += t.Count
	}
	return n
}

// devices counts the devices of a row that suit an ask: of one group, as an ask
// is met from one. free are those that have as much left as is asked of each.
func (q *asker) devices(row int32, d *feasible.TaskDevices) (all, free int) {
	groups := q.Fleet.Devices(row)
	for i := range groups {
		if _, ok := d.Ask.Match.Suits(&groups[i]); !ok {
			continue
		}
		able := 0
		for _, left := range groups[i].Free {
			if int(left) >= d.Ask.Each {
				able++
			}
		}
		if n := len(groups[i].Free); able > free || all == 0 {
			all, free = n, able
		}
	}
	return all, free
}

// ports says who holds the static ports that the group asks for.
func (q *asker) ports(row int32, g *api.TaskGroup, reason string) *api.Shortfall {
	s := &api.Shortfall{Dimension: reason, Asked: 1, Missing: unbounded}
	held := 0
	for _, a := range q.holders(row, g) {
		held++
		if name := a.JobID; !slices.Contains(s.HeldBy, name) {
			s.HeldBy = append(s.HeldBy, name)
		}
	}
	if held > 0 {
		s.Missing = int64(held)
	}
	return s
}

// holders are the allocations on a row that hold a static port that the group
// asks for.
func (q *asker) holders(row int32, g *api.TaskGroup) []*api.Allocation {
	var static []int
	for _, p := range feasible.Ports(g) {
		if p.Static != 0 && !p.IgnoreCollision {
			static = append(static, p.Static)
		}
	}
	if len(static) == 0 {
		return nil
	}
	var out []*api.Allocation
	for _, a := range q.Fleet.Tenants(row, 1<<30) {
		if slices.ContainsFunc(q.Fleet.Usage(a).Ports, func(p fit.Port) bool { return slices.Contains(static, int(p.Number)) }) {
			out = append(out, a)
		}
	}
	return out
}
