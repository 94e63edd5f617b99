package fit

import "github.com/seraihq/serai/api"

// CoreAsk is the CPU that the tasks of a group take on a node where a whole core
// stands for so many MHz. The zero value asks for nothing.
type CoreAsk struct {
	Tasks []CoreTask // those that ask for whole cores, in the group's order
	phase [4]struct{ cpu, cores int64 }
}

// CoreTask is a task that asks for whole cores.
type CoreTask struct {
	Name     string
	Count    int
	Affinity string // of NUMA: none, prefer or require
}

// CoresOf gives what a group asks of cores.
func CoresOf(g *api.TaskGroup) CoreAsk {
	var a CoreAsk
	for _, t := range g.Tasks {
		if t.Resources == nil {
			continue
		}
		p := &a.phase[phaseOf(t.Lifecycle)]
		p.cpu += int64(t.Resources.CPU)
		p.cores += int64(t.Resources.Cores)
		if t.Resources.Cores > 0 {
			c := CoreTask{Name: t.Name, Count: t.Resources.Cores, Affinity: "none"}
			if n := t.Resources.NUMA; n != nil && n.Affinity != "" {
				c.Affinity = n.Affinity
			}
			a.Tasks = append(a.Tasks, c)
		}
	}
	return a
}

// CPU gives the MHz that the group takes where each core stands for so many.
func (a *CoreAsk) CPU(perCore int64) int64 {
	var mhz [4]int64
	for i, p := range a.phase {
		mhz[i] = p.cpu + p.cores*perCore
	}
	return mhz[beside] + max(mhz[main], mhz[before], mhz[after])
}

// PerCore gives the MHz that a core of a node stands for.
func PerCore(n *api.Node) int64 {
	if n.NodeResources == nil || n.NodeResources.Cpu.TotalCpuCores == 0 {
		return 0
	}
	return n.NodeResources.Cpu.CpuShares / int64(n.NodeResources.Cpu.TotalCpuCores)
}

// The phases of an allocation. Tasks of one phase run together, those beside
// with every phase.
const (
	main = iota
	before
	after
	beside
)

func phaseOf(l *api.TaskLifecycle) int {
	switch {
	case l == nil:
		return main
	case l.Hook == api.HookPoststop:
		return after
	case l.Sidecar:
		return beside
	case l.Hook == api.HookPrestart:
		return before
	}
	return main
}
