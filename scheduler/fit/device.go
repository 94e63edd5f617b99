package fit

import (
	"math"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// WholeDevice is what a device instance has to give, in thousandths.
const WholeDevice = 1000

// Thousandths gives how much of each of its instances a share stands for. What
// is not a share above 0 and below 1 stands for the whole instance.
func Thousandths(share float64) int {
	if n := math.Round(share * WholeDevice); n >= 1 && n < WholeDevice {
		return int(n)
	}
	return WholeDevice
}

// DeviceKey names a device instance of a node: "vendor/type/name/id".
func DeviceKey(vendor, kind, name, id string) string {
	return vendor + "/" + kind + "/" + name + "/" + id
}

// Devices is how much of each of several device instances is in use, sorted by
// key. A node has few of them, and their use is copied with every change.
type Devices []DeviceUse

// DeviceUse is how much of a device instance is in use.
type DeviceUse struct {
	Key  string // see DeviceKey
	Used int    // thousandths, more than 0
}

func (d Devices) find(key string) (int, bool) {
	return slices.BinarySearchFunc(d, key, func(x DeviceUse, key string) int { return strings.Compare(x.Key, key) })
}

// Of gives how much of an instance is in use, in thousandths.
func (d Devices) Of(key string) int {
	if i, ok := d.find(key); ok {
		return d[i].Used
	}
	return 0
}

// Add notes that so many thousandths more of an instance are in use.
func (d *Devices) Add(key string, thousandths int) {
	i, ok := d.find(key)
	if ok {
		(*d)[i].Used += thousandths
		return
	}
	*d = slices.Insert(*d, i, DeviceUse{key, thousandths})
}

// sub takes away what Add added.
func (d *Devices) sub(key string, thousandths int) {
	i, ok := d.find(key)
	if !ok {
		return
	}
	if (*d)[i].Used -= thousandths; (*d)[i].Used <= 0 {
		*d = slices.Delete(*d, i, i+1)
	}
}

func (u *Usage) addDevices(d *api.AllocatedDeviceResource) {
	if d == nil {
		return
	}
	for _, id := range d.DeviceIDs {
		u.Device.Add(DeviceKey(d.Vendor, d.Type, d.Name, id), Thousandths(d.Share))
	}
}

func devicesFree(n *api.Node, used, add *Usage) bool {
	if n.NodeResources == nil {
		return false
	}
	for _, a := range add.Device {
		if a.Used+used.Device.Of(a.Key) > WholeDevice || !hasDevice(n.NodeResources.Devices, a.Key) {
			return false
		}
	}
	return true
}

// hasDevice says whether an instance is there and healthy.
func hasDevice(groups []*api.NodeDeviceResource, key string) bool {
	for _, d := range groups {
		if d == nil {
			continue
		}
		id, ok := cutDevice(key, d)
		if !ok {
			continue
		}
		for _, i := range d.Instances {
			if i != nil && i.Healthy && i.ID == id {
				return true
			}
		}
	}
	return false
}

// cutDevice gives the ID in the key of an instance of a group.
func cutDevice(key string, d *api.NodeDeviceResource) (id string, ok bool) {
	for _, part := range [...]string{d.Vendor, d.Type, d.Name} {
		if key, ok = strings.CutPrefix(key, part); !ok {
			return "", false
		}
		if key, ok = strings.CutPrefix(key, "/"); !ok {
			return "", false
		}
	}
	return key, true
}
