package feasible

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fleet"
)

// ComputedClass gives the class of a node: nodes of one class have the same
// answer to every demand that does not look at what is unique to a node. The
// servers set it when a node registers; blocked evaluations wait by it.
func ComputedClass(n *api.Node) string {
	parts := []string{"dc=" + n.Datacenter, "class=" + n.NodeClass, "pool=" + n.NodePool}
	for k, v := range n.Attributes {
		if !strings.HasPrefix(k, "unique.") {
			parts = append(parts, "attr."+k+"="+v)
		}
	}
	for k, v := range n.Meta {
		if !strings.HasPrefix(k, "unique.") {
			parts = append(parts, "meta."+k+"="+v)
		}
	}
	for name, d := range n.Drivers {
		if d != nil {
			parts = append(parts, "driver."+name+"="+strconv.FormatBool(d.Detected && d.Healthy))
		}
	}
	for name := range n.HostNetworks {
		parts = append(parts, "host network="+name)
	}
	for name, v := range n.HostVolumes {
		parts = append(parts, "host volume="+name+strconv.FormatBool(v != nil && v.ReadOnly))
	}
	if n.NodeResources != nil {
		if cores := n.NodeResources.Cpu.ReservableCpuCores; len(cores) > 0 {
			parts = append(parts, fmt.Sprint("cores=", cores))
		}
		for _, w := range n.NodeResources.Networks {
			if w != nil {
				parts = append(parts, "network="+w.Mode)
			}
		}
		for _, d := range n.NodeResources.Devices {
			if d != nil {
				parts = append(parts, "device="+fleet.DeviceClass(d))
			}
		}
	}
	slices.Sort(parts)
	h := fnv.New64a()
	for _, p := range slices.Compact(parts) {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return "v1:" + strconv.FormatUint(h.Sum64(), 10)
}
