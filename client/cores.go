package client

import (
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/fingerprint"
	"github.com/seraihq/serai/client/taskenv"
	"github.com/seraihq/serai/internal/cgroup"
)

// cores keeps tasks that have no cores of their own away from those of others.
// Where the kernel cannot do that they share all.
type cores struct {
	once   sync.Once
	layout *cgroup.Layout // nil: it cannot be done here
	usable []uint16       // what tasks may use at all
	whole  bool           // usable is all that the machine has

	mu    sync.Mutex // guards the field below, and is held while groups are changed
	share string     // of the tasks without their own; empty: all
}

// shared gives the cores of tasks that have none of their own, as a list of
// ranges; empty when they may use all.
func (k *cores) shared() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.share
}

func (k *cores) find(cfg *fingerprint.Config) {
	if os.Geteuid() != 0 {
		return
	}
	if l, err := cgroup.Find(); err == nil && l.Has("cpuset") {
		k.layout = l
		k.usable, k.whole = fingerprint.UsableCores(cfg)
	}
}

// ownCores gives the cores that an allocation's tasks have for themselves.
func ownCores(a *api.Allocation) (out []uint16) {
	if a.AllocatedResources == nil {
		return nil
	}
	for _, t := range a.AllocatedResources.Tasks {
		out = append(out, t.Cpu.ReservedCores...)
	}
	return out
}

// remainder gives the cores that are left when some are taken. It is never
// nothing: where all are taken, everybody shares again.
func (k *cores) remainder(taken []uint16) string {
	if len(taken) == 0 && k.whole {
		return ""
	}
	gone := map[uint16]bool{}
	for _, c := range taken {
		gone[c] = true
	}
	var left []uint16
	for _, c := range k.usable {
		if !gone[c] {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		left = k.usable
	}
	return taskenv.Cores(left)
}

// shareCores gives tasks without cores of their own what the others leave;
// fresh are allocations that are about to be started.
func (c *Client) shareCores(fresh ...*api.Allocation) {
	k := &c.cores
	k.once.Do(func() { k.find(&c.cfg.Fingerprint) })
	if k.layout == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(fresh)
	for _, e := range c.entries() {
		if !e.Over() {
			all = append(all, e.Alloc())
		}
	}
	var taken []uint16
	for _, a := range all {
		taken = append(taken, ownCores(a)...)
	}
	share := k.remainder(taken)
	if share == "" && k.share == "" {
		return
	}
	k.share = share
	if err := k.layout.SetCores(sharing(all, share)); err != nil {
		c.logger.Warn("not all tasks are kept to the cores that are not reserved", "cores", share, "err", err)
	}
}

// sharing tells the cores of tasks that have none of their own, by control
// group: those that are shared, or what the task has asked for of them.
func sharing(all []*api.Allocation, share string) func(group string) (string, bool) {
	coresOf := map[string]string{} // by the beginning of the group's name
	for _, a := range all {
		if a.AllocatedResources == nil {
			continue
		}
		for name, t := range a.AllocatedResources.Tasks {
			if len(t.Cpu.ReservedCores) == 0 {
				coresOf[cgroup.Name(a.ID+"/"+name+"/")] = cgroup.CommonCores(askedCores(a, name), share)
			}
		}
	}
	return func(group string) (string, bool) {
		for prefix, cores := range coresOf {
			if strings.HasPrefix(group, prefix) {
				return cores, true
			}
		}
		return "", false
	}
}

// askedCores gives what a task's driver was asked to keep it to.
func askedCores(a *api.Allocation, task string) string {
	if a.Job == nil {
		return ""
	}
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil {
		return ""
	}
	if t := g.LookupTask(task); t != nil {
		asked, _ := t.Config["cpuset_cpus"].(string)
		return asked
	}
	return ""
}
