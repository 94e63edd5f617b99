package rank

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// extra is what the tasks of a group are granted one by one: cores and devices.
// Whether a row has enough of them is the shape's answer (fleet.Shape.Short).
type extra struct {
	fleet   *fleet.Fleet
	cores   fit.CoreAsk
	devices []feasible.TaskDevices
	asks    []fleet.DeviceAsk // of devices, in their order
	weights []float64         // sum of the absolute weights of each ask's affinities
	total   float64           // sum of weights
	pack    *fragment         // nil: devices are spread
}

// newExtra gives nil when no task asks for cores or devices.
func newExtra(d *Demand) *extra {
	x := &extra{fleet: d.Fleet, cores: fit.CoresOf(d.Group), devices: feasible.Devices(d.Fleet, d.Group)}
	if len(x.cores.Tasks) == 0 && len(x.devices) == 0 {
		return nil
	}
	for _, t := range x.devices {
		x.asks = append(x.asks, t.Ask)
		sum := 0.0
		for _, a := range t.Of.Affinities {
			sum += math.Abs(float64(a.Weight))
		}
		x.weights = append(x.weights, sum)
		x.total += sum
	}
	return x
}

// shape gives what the group's shape has to look at. It is asked of nil too: what
// asks for no devices should leave room beside devices.
func (x *extra) shape(d *Demand) fleet.Extra {
	var e fleet.Extra
	var key strings.Builder
	if x != nil && len(x.cores.Tasks) > 0 {
		key.WriteString("cores" + coreText(d.Group))
		e.CPU = x.cpu
	}
	if x != nil {
		for _, t := range x.devices {
			key.WriteString("\x00\x00" + fleet.DeviceText(t.Of))
		}
		e.Short = x.short
	}
	if d.Fleet.HasDevices() && d.Algorithm != api.SchedulerSpread {
		key.WriteString("\x00packed") // not what was kept before the first devices came
		f := newFragment(d, x)
		if x != nil {
			x.pack = f
		}
		e.Score, e.Epoch = f.score, f.sync
	}
	e.Key = key.String()
	return e
}

// coreText tells apart what groups ask of cores, by task.
func coreText(g *api.TaskGroup) string {
	var b strings.Builder
	for _, t := range g.Tasks {
		if r := t.Resources; r != nil {
			b.WriteString("\x00" + strconv.Itoa(r.CPU) + " " + strconv.Itoa(r.Cores))
			if r.NUMA != nil {
				b.WriteString(r.NUMA.Affinity)
			}
		}
		if l := t.Lifecycle; l != nil {
			b.WriteString(l.Hook + strconv.FormatBool(l.Sidecar))
		}
	}
	return b.String()
}

func (x *extra) cpu(row int32) int64 { return x.cores.CPU(fit.PerCore(x.fleet.Node(row))) }

func (x *extra) short(row int32) fleet.Shortage {
	if len(x.cores.Tasks) > 0 {
		if x.fleet.Node(row) == nil {
			return fleet.ShortCores
		}
		if _, ok := x.chooseCores(row); !ok {
			return fleet.ShortCores
		}
	}
	if len(x.asks) > 0 && !fleet.DevicesSuffice(x.fleet.Devices(row), x.asks) {
		return fleet.ShortDevices
	}
	return fleet.Enough
}

func (x *extra) chooseCores(row int32) ([][]uint16, bool) {
	return fleet.ChooseCores(x.fleet.FreeCores(row), fleet.Sockets(x.fleet.Node(row)), x.cores.Tasks)
}

func (x *extra) chooseDevices(row int32) ([]fleet.DeviceChoice, bool) {
	prefer := fleet.Emptiest
	if x.pack != nil {
		prefer = x.pack.prefer(row)
	}
	return fleet.ChooseDevices(x.fleet.Devices(row), x.asks, prefer)
}

// scores says whether devices have a score of their own.
func (x *extra) scores() bool { return x != nil && x.total > 0 }

// score says how well the devices of a row suit: the weights of the affinities
// that hold over the sum of all weights.
func (x *extra) score(row int32) (score float64, ok bool) {
	if !x.scores() {
		return 0, false
	}
	chosen, ok := x.chooseDevices(row)
	if !ok {
		return 0, true
	}
	groups := x.fleet.Devices(row)
	for i, c := range chosen {
		suits, _ := x.asks[i].Match.Suits(&groups[c.Group])
		score += suits * x.weights[i]
	}
	return score / x.total, true
}

// grant chooses cores and devices on a row that has enough, and gives the usage
// with them; u is not changed.
func (x *extra) grant(row int32, u *fit.Usage) ([]fit.Grant, *fit.Usage) {
	var grants []fit.Grant
	to := func(task string) *fit.Grant {
		i := slices.IndexFunc(grants, func(g fit.Grant) bool { return g.Task == task })
		if i < 0 {
			i = len(grants)
			grants = append(grants, fit.Grant{Task: task})
		}
		return &grants[i]
	}
	u = u.Clone()
	if len(x.cores.Tasks) > 0 {
		per := fit.PerCore(x.fleet.Node(row))
		u.CPU = x.cores.CPU(per)
		chosen, _ := x.chooseCores(row)
		for i, t := range x.cores.Tasks {
			g := to(t.Name)
			g.Cores, g.CPUShares = chosen[i], per*int64(t.Count)
			u.Cores = append(u.Cores, chosen[i]...)
		}
		slices.Sort(u.Cores)
	}
	if len(x.asks) == 0 {
		return grants, u
	}
	chosen, _ := x.chooseDevices(row)
	u.Device = make(fit.Devices, 0, len(chosen))
	for i, c := range chosen {
		of := &x.fleet.Devices(row)[c.Group]
		d := of.Of
		given := &api.AllocatedDeviceResource{Vendor: d.Vendor, Type: d.Type, Name: d.Name, Share: x.devices[i].Of.Share}
		for _, k := range c.Instances {
			given.DeviceIDs = append(given.DeviceIDs, d.Instances[k].ID)
			u.Device.Add(of.Key(k), x.asks[i].Each)
		}
		g := to(x.devices[i].Task)
		g.Devices = append(g.Devices, given)
	}
	return grants, u
}
