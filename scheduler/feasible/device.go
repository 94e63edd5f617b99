package feasible

import (
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
	"github.com/seraihq/serai/scheduler/fleet"
)

// ReasonDevices is for nodes that never could give the devices that are asked for.
const ReasonDevices = "missing devices"

// TaskDevices is an ask of a task for devices.
type TaskDevices struct {
	Task string
	Of   *api.RequestedDevice
	Ask  fleet.DeviceAsk
}

// Devices gives what the tasks of a group ask of devices, in the group's order.
func Devices(f *fleet.Fleet, g *api.TaskGroup) []TaskDevices {
	var all []TaskDevices
	for _, t := range g.Tasks {
		if t.Resources == nil {
			continue
		}
		for _, d := range t.Resources.Devices {
			all = append(all, TaskDevices{t.Name, d, DeviceAsk(f, d)})
		}
	}
	return all
}

// DeviceAsk gives an ask for devices in the form that a fleet answers.
func DeviceAsk(f *fleet.Fleet, d *api.RequestedDevice) fleet.DeviceAsk {
	each := false
	for _, c := range d.Constraints {
		each = each || deviceIDs(c.LTarget) || deviceIDs(c.RTarget)
	}
	for _, a := range d.Affinities {
		each = each || deviceIDs(a.LTarget) || deviceIDs(a.RTarget)
	}
	return fleet.DeviceAsk{
		Match: f.DeviceMatch(fleet.DeviceText(d), each, func() func(*api.NodeDeviceResource) (float64, bool) { return DeviceMatcher(d) }),
		Count: int(min(d.Count, 1<<20)), Each: fit.Thousandths(d.Share),
	}
}

func deviceIDs(target string) bool { return target == "${device.ids}" }

// devices demands that a node which is empty could give all devices.
func (out *Group) devices(f *fleet.Fleet, g *api.TaskGroup) {
	all := Devices(f, g)
	if len(all) == 0 {
		return
	}
	key := "devices"
	asks := make([]fleet.DeviceAsk, len(all))
	for i, d := range all {
		asks[i] = d.Ask
		key += "\x00\x00" + fleet.DeviceText(d.Of)
		for _, c := range d.Of.Constraints {
			out.Escaped = out.Escaped || deviceIDs(c.LTarget) || deviceIDs(c.RTarget)
		}
	}
	out.add(ReasonDevices, f.Filter(key, func(n *api.Node) bool { return fleet.DevicesSuffice(fleet.DevicesOf(n), asks) }))
}

// DeviceMatcher gives the test whether devices are what is asked for: name and
// constraints. suits is their affinity: the weights of what holds over the sum
// of all weights, -1 to 1.
func DeviceMatcher(d *api.RequestedDevice) func(*api.NodeDeviceResource) (suits float64, ok bool) {
	name := deviceName(d.Name)
	constraints := make([]func(*api.NodeDeviceResource) bool, len(d.Constraints))
	for i, c := range d.Constraints {
		constraints[i] = deviceTest(c.LTarget, c.Operand, c.RTarget)
	}
	affinities := make([]func(*api.NodeDeviceResource) bool, len(d.Affinities))
	total := 0.0
	for i, a := range d.Affinities {
		affinities[i] = deviceTest(a.LTarget, a.Operand, a.RTarget)
		total += max(float64(a.Weight), -float64(a.Weight))
	}
	return func(n *api.NodeDeviceResource) (float64, bool) {
		if !name(n) {
			return 0, false
		}
		for _, holds := range constraints {
			if !holds(n) {
				return 0, false
			}
		}
		sum := 0.0
		for i, holds := range affinities {
			if holds(n) {
				sum += float64(d.Affinities[i].Weight)
			}
		}
		if total == 0 {
			return 0, true
		}
		return sum / total, true
	}
}

// deviceName reads "type", "vendor/type" or "vendor/type/model".
func deviceName(name string) func(*api.NodeDeviceResource) bool {
	parts := strings.SplitN(name, "/", 3)
	return func(n *api.NodeDeviceResource) bool {
		switch len(parts) {
		case 1:
			return n.Type == parts[0]
		case 2:
			return n.Vendor == parts[0] && n.Type == parts[1]
		}
		return n.Vendor == parts[0] && n.Type == parts[1] && n.Name == parts[2]
	}
}

func deviceTest(left, operand, right string) func(*api.NodeDeviceResource) bool {
	l, r, test := deviceTarget(left), deviceTarget(right), compareQuantities(operand)
	return func(n *api.NodeDeviceResource) bool {
		lv, lset := l(n)
		rv, rset := r(n)
		return test(lv, rv, lset, rset)
	}
}

// deviceTarget reads one side of a constraint on devices.
func deviceTarget(text string) func(*api.NodeDeviceResource) (quantity, bool) {
	inner, ok := strings.CutPrefix(text, "${")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	if !ok {
		q := parseQuantity(text)
		return func(*api.NodeDeviceResource) (quantity, bool) { return q, true }
	}
	if key, ok := strings.CutPrefix(inner, "device.attr."); ok {
		return func(n *api.NodeDeviceResource) (quantity, bool) { return attribute(n.Attributes[key]) }
	}
	plain := func(f func(*api.NodeDeviceResource) string) func(*api.NodeDeviceResource) (quantity, bool) {
		return func(n *api.NodeDeviceResource) (quantity, bool) { return quantity{text: f(n)}, true }
	}
	switch inner {
	case "device.model":
		return plain(func(n *api.NodeDeviceResource) string { return n.Name })
	case "device.vendor":
		return plain(func(n *api.NodeDeviceResource) string { return n.Vendor })
	case "device.type":
		return plain(func(n *api.NodeDeviceResource) string { return n.Type })
	case "device.ids":
		return plain(func(n *api.NodeDeviceResource) string {
			ids := make([]string, 0, len(n.Instances))
			for _, i := range n.Instances {
				if i != nil {
					ids = append(ids, i.ID)
				}
			}
			return strings.Join(ids, ",")
		})
	}
	return func(*api.NodeDeviceResource) (quantity, bool) { return quantity{}, false }
}
