package fit

import (
	"math"

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

func (u *Usage) addDevices(d *api.AllocatedDeviceResource) {
	if d == nil || len(d.DeviceIDs) == 0 {
		return
	}
	if u.Device == nil {
		u.Device = make(map[string]int, len(d.DeviceIDs))
	}
	for _, id := range d.DeviceIDs {
		u.Device[DeviceKey(d.Vendor, d.Type, d.Name, id)] += Thousandths(d.Share)
	}
}

func devicesFree(n *api.Node, used, add *Usage) bool {
	if n.NodeResources == nil {
		return false
	}
	has := map[string]bool{}
	for _, d := range n.NodeResources.Devices {
		if d == nil {
			continue
		}
		for _, i := range d.Instances {
			if i != nil && i.Healthy {
				has[DeviceKey(d.Vendor, d.Type, d.Name, i.ID)] = true
			}
		}
	}
	for k, n := range add.Device {
		if !has[k] || n+used.Device[k] > WholeDevice {
			return false
		}
	}
	return true
}
