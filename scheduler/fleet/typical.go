package fleet

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// maxTypical bounds how many kinds of allocations with devices are typical.
const maxTypical = 64

// TypicalAsk is a kind of allocation that the fleet has, with what it asks of
// devices. Level is how often, as a power of two: 1 stands for one, 2 for two
// or three, 3 for up to seven.
type TypicalAsk struct {
	CPU, Memory int64
	Device      *api.RequestedDevice
	Level       int
	Key         string // tells it from other kinds

	n int
}

// kinds are the kinds of allocations by key.
type kinds map[string]*TypicalAsk

// add counts an allocation of a kind, and says whether its level has changed.
func (k kinds) add(a TypicalAsk, by int) bool {
	if a.Key == "" {
		return false
	}
	t := k[a.Key]
	if t == nil {
		t = &a
		k[a.Key] = t
	}
	t.n += by
	level := bits.Len(uint(max(t.n, 0)))
	changed := level != t.Level
	if t.Level = level; t.n <= 0 {
		delete(k, a.Key)
	}
	return changed
}

// Typical gives the kinds of allocations with devices that are most frequent in
// the fleet, and a number that changes when they change. It depends on nothing
// but the allocations that the fleet has been told of. The levels are powers of
// two so that it seldom changes.
func (f *Fleet) Typical() ([]*TypicalAsk, uint64) {
	if f.typicalStale {
		f.typicalStale = false
		list := make([]*TypicalAsk, 0, len(f.kinds))
		for _, t := range f.kinds {
			c := *t
			list = append(list, &c)
		}
		slices.SortFunc(list, func(a, b *TypicalAsk) int {
			return cmp.Or(cmp.Compare(b.Level, a.Level), strings.Compare(a.Key, b.Key))
		})
		list = list[:min(len(list), maxTypical)]
		if !slices.EqualFunc(list, f.typical, func(a, b *TypicalAsk) bool { return a.Key == b.Key && a.Level == b.Level }) {
			f.typical = list
			f.epoch++
		}
	}
	return f.typical, f.epoch
}

// learn follows what allocations with devices there are.
func (f *Fleet) learn(old, new *api.Allocation) {
	was, is := f.kind(old), f.kind(new)
	if was.Key == is.Key {
		return
	}
	fewer, more := f.kinds.add(was, -1), f.kinds.add(is, +1)
	f.typicalStale = f.typicalStale || fewer || more
}

// kind gives the kind of an allocation; its Key is empty when it has no devices.
func (f *Fleet) kind(a *api.Allocation) TypicalAsk {
	if a == nil || !fit.Counts(a) || a.AllocatedResources == nil {
		return TypicalAsk{}
	}
	d := asked(a)
	if d == nil {
		return TypicalAsk{}
	}
	u := f.usageOf(a.AllocatedResources)
	return TypicalAsk{CPU: u.CPU, Memory: u.Memory, Device: d, Key: KindText(u.CPU, u.Memory, d)}
}

// KindText tells a kind of allocation with devices from others.
func KindText(cpu, memory int64, d *api.RequestedDevice) string {
	return strconv.FormatInt(cpu, 10) + "\x00" + strconv.FormatInt(memory, 10) + "\x00" + DeviceText(d)
}

// asked gives what an allocation asked of devices: the largest of its asks.
func asked(a *api.Allocation) *api.RequestedDevice {
	has := false
	for _, t := range a.AllocatedResources.Tasks {
		has = has || len(t.Devices) > 0
	}
	if !has || a.Job == nil {
		return nil
	}
	g := a.Job.LookupTaskGroup(a.TaskGroup)
	if g == nil {
		return nil
	}
	return LargestDevice(g)
}

// LargestDevice gives the largest of the asks for devices of a group; nil: none.
func LargestDevice(g *api.TaskGroup) *api.RequestedDevice {
	var largest *api.RequestedDevice
	for _, t := range g.Tasks {
		if t.Resources == nil {
			continue
		}
		for _, d := range t.Resources.Devices {
			if largest == nil || DeviceSize(d) > DeviceSize(largest) {
				largest = d
			}
		}
	}
	return largest
}

// DeviceSize is how much is asked for, in thousandths of a device.
func DeviceSize(d *api.RequestedDevice) int64 {
	return int64(min(d.Count, 1<<20)) * int64(fit.Thousandths(d.Share))
}

// DeviceText writes an ask for devices in a form that tells it from others.
func DeviceText(d *api.RequestedDevice) string {
	var b strings.Builder
	b.WriteString(d.Name + "\x00" + strconv.FormatUint(d.Count, 10) + "\x00" + strconv.Itoa(fit.Thousandths(d.Share)))
	for _, c := range d.Constraints {
		b.WriteString("\x00c" + c.LTarget + "\x00" + c.Operand + "\x00" + c.RTarget)
	}
	for _, a := range d.Affinities {
		b.WriteString("\x00a" + a.LTarget + "\x00" + a.Operand + "\x00" + a.RTarget + "\x00" + strconv.Itoa(int(a.Weight)))
	}
	return b.String()
}
