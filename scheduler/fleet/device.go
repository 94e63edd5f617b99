package fleet

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// DeviceGroup are the like devices of a row.
type DeviceGroup struct {
	Of *api.NodeDeviceResource
	// Free is what each instance has left, in thousandths; none where it is not
	// healthy.
	Free []int16

	class int32
	keys  []string // of the instances, as fit.Usage has them
}

// Devices gives the devices of a row. They must not be changed.
func (f *Fleet) Devices(row int32) []DeviceGroup { return f.devices[row] }

// Key gives the key of an instance, as fit.Usage has it.
func (g *DeviceGroup) Key(instance int) string { return g.keys[instance] }

// HasDevices says whether a node has devices, or has had.
func (f *Fleet) HasDevices() bool { return len(f.classes) > 0 }

// deviceNode takes over the devices of a row's node.
func (f *Fleet) deviceNode(row int32) {
	n := f.nodes[row]
	f.devices[row] = nil
	if n.NodeResources == nil {
		return
	}
	for _, d := range n.NodeResources.Devices {
		if d == nil || len(d.Instances) == 0 {
			continue
		}
		g := DeviceGroup{Of: d, class: f.deviceClass(d), Free: make([]int16, len(d.Instances)), keys: make([]string, len(d.Instances))}
		for i, x := range d.Instances {
			if x != nil && x.Healthy {
				g.keys[i] = fit.DeviceKey(d.Vendor, d.Type, d.Name, x.ID)
			}
		}
		f.devices[row] = append(f.devices[row], g)
	}
	for i := range f.devices[row] {
		for k := range f.devices[row][i].keys {
			f.deviceFree(row, i, k)
		}
	}
}

// deviceFree counts again what an instance has left.
func (f *Fleet) deviceFree(row int32, group, instance int) {
	g := &f.devices[row][group]
	g.Free[instance] = 0
	if key := g.keys[instance]; key != "" {
		g.Free[instance] = int16(max(fit.WholeDevice-f.used[row].Device.Of(key), 0))
	}
}

// deviceUse counts again what is left of the devices of a row whose use has
// changed.
func (f *Fleet) deviceUse(row int32, changed fit.Devices) {
	for _, c := range changed {
		for i := range f.devices[row] {
			if k := slices.Index(f.devices[row][i].keys, c.Key); k >= 0 {
				f.deviceFree(row, i, k)
			}
		}
	}
}

// maxClasses bounds the classes of devices that are told apart. Nodes past it
// have a class that no kept answer is about.
const maxClasses = 1 << 14

// deviceClass numbers what devices can be told apart by, their IDs aside.
func (f *Fleet) deviceClass(d *api.NodeDeviceResource) int32 {
	key := deviceText(d)
	c, ok := f.classes[key]
	if !ok {
		if len(f.classes) >= maxClasses {
			return -1
		}
		c = int32(len(f.classes))
		f.classes[key] = c
	}
	return c
}

// deviceText tells devices from others by all but their IDs.
func deviceText(d *api.NodeDeviceResource) string {
	var b strings.Builder
	b.WriteString(d.Vendor + "\x00" + d.Type + "\x00" + d.Name)
	for _, k := range slices.Sorted(maps.Keys(d.Attributes)) {
		b.WriteString("\x00" + k + "\x00")
		if a := d.Attributes[k]; a != nil {
			b.WriteString(attributeText(a))
		}
	}
	return b.String()
}

// DeviceClass tells devices from others by all that an empty node's answer to an
// ask depends on, their IDs aside.
func DeviceClass(d *api.NodeDeviceResource) string {
	healthy := 0
	for _, i := range d.Instances {
		if i != nil && i.Healthy {
			healthy++
		}
	}
	return deviceText(d) + "\x00" + strconv.Itoa(healthy)
}

func attributeText(a *api.Attribute) string {
	switch {
	case a.IntVal != nil:
		return "i" + strconv.FormatInt(*a.IntVal, 10) + a.Unit
	case a.FloatVal != nil:
		return "f" + strconv.FormatFloat(*a.FloatVal, 'g', -1, 64) + a.Unit
	case a.BoolVal != nil:
		return "b" + strconv.FormatBool(*a.BoolVal)
	case a.StringVal != nil:
		return "s" + *a.StringVal
	}
	return ""
}

// DeviceMatch answers, for devices, whether they are what is asked for and how
// well they suit. Answers are kept by class.
type DeviceMatch struct {
	match func(*api.NodeDeviceResource) (suits float64, ok bool)
	known []uint8 // by class: 0 not asked yet, 1 no, 2 yes
	suits []float64
	each  bool // the answer depends on the IDs
}

// DeviceMatch gives the answers that are kept under a key; make is asked for
// the test when there are none. each says that the test looks at the IDs.
func (f *Fleet) DeviceMatch(key string, each bool, make func() func(*api.NodeDeviceResource) (float64, bool)) *DeviceMatch {
	if m := f.matches[key]; m != nil {
		return m
	}
	if len(f.matches) >= maxCached {
		clear(f.matches)
	}
	m := &DeviceMatch{match: make(), each: each}
	f.matches[key] = m
	return m
}

// Suits says whether the devices are what is asked for, and the affinity to them.
func (m *DeviceMatch) Suits(g *DeviceGroup) (suits float64, ok bool) {
	if m.each || g.class < 0 {
		return m.match(g.Of)
	}
	for int(g.class) >= len(m.known) {
		m.known, m.suits = append(m.known, 0), append(m.suits, 0)
	}
	if m.known[g.class] == 0 {
		suits, ok := m.match(g.Of)
		m.known[g.class] = 1
		if ok {
			m.known[g.class], m.suits[g.class] = 2, suits
		}
	}
	return m.suits[g.class], m.known[g.class] == 2
}

// DevicesOf gives the devices of a node with nothing in use.
func DevicesOf(n *api.Node) []DeviceGroup {
	if n.NodeResources == nil {
		return nil
	}
	var out []DeviceGroup
	for _, d := range n.NodeResources.Devices {
		if d == nil {
			continue
		}
		g := DeviceGroup{Of: d, class: -1, Free: make([]int16, len(d.Instances))}
		for i, x := range d.Instances {
			if x != nil && x.Healthy {
				g.Free[i] = fit.WholeDevice
			}
		}
		out = append(out, g)
	}
	return out
}
