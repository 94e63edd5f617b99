package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// addDevices reads cores=LIST, device.VENDOR/TYPE/MODEL=ID,ID!,… ("!": not
// healthy), dattr.VENDOR/TYPE/MODEL/KEY="8 GiB" and hostvolume.NAME=ro|rw of a node.
func addDevices(n *api.Node, s spec) {
	for _, r := range fit.ParsePorts(s["cores"]) {
		for c := r[0]; c <= r[1]; c++ {
			n.NodeResources.Cpu.ReservableCpuCores = append(n.NodeResources.Cpu.ReservableCpuCores, c)
		}
	}
	n.NodeResources.Cpu.TotalCpuCores = uint16(s.number("total_cores", len(n.NodeResources.Cpu.ReservableCpuCores)))
	devices := s.with("device.")
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		p := strings.SplitN(name, "/", 3)
		d := &api.NodeDeviceResource{Vendor: p[0], Type: p[1], Name: p[2], Attributes: map[string]*api.Attribute{}}
		for id := range strings.SplitSeq(devices[name], ",") {
			id, sick := strings.CutSuffix(id, "!")
			d.Instances = append(d.Instances, &api.NodeDevice{ID: id, Healthy: !sick})
		}
		for k, v := range s.with("dattr." + name + "/") {
			number, unit, _ := strings.Cut(v, " ")
			a := &api.Attribute{StringVal: &v}
			if x, err := strconv.ParseInt(number, 10, 64); err == nil {
				a = &api.Attribute{IntVal: &x, Unit: unit}
			}
			d.Attributes[k] = a
		}
		n.NodeResources.Devices = append(n.NodeResources.Devices, d)
	}
	for name, mode := range s.with("hostvolume.") {
		if n.HostVolumes == nil {
			n.HostVolumes = map[string]*api.HostVolumeInfo{}
		}
		n.HostVolumes[name] = &api.HostVolumeInfo{ReadOnly: mode == "ro"}
	}
}

// askDevices reads device="NAME COUNT" (again for more), device_constraint and
// device_affinity for each of them, cores=N, numa=AFFINITY and volume.NAME=ro|rw.
func askDevices(g *api.TaskGroup, s spec) {
	r := g.Tasks[0].Resources
	for line := range strings.SplitSeq(s["device"], "\n") {
		name, count, _ := strings.Cut(line, " ")
		if name == "" {
			continue
		}
		d := &api.RequestedDevice{Name: name, Count: 1, Constraints: parseConstraints(s["device_constraint"]), Affinities: parseAffinities(s["device_affinity"])}
		if x, err := strconv.ParseFloat(count, 64); err == nil && x < 1 {
			d.Share = x
		} else if err == nil {
			d.Count = uint64(x)
		}
		r.Devices = append(r.Devices, d)
	}
	if n := s.number("cores", 0); n > 0 {
		r.Cores, r.CPU = n, 0
	}
	if a := s["numa"]; a != "" {
		r.NUMA = &api.NUMAResource{Affinity: a}
	}
	for name, mode := range s.with("volume.") {
		if g.Volumes == nil {
			g.Volumes = map[string]*api.VolumeRequest{}
		}
		g.Volumes[name] = &api.VolumeRequest{Name: name, Type: "host", Source: name, ReadOnly: mode == "ro", PerAlloc: mode == "own"}
	}
}

// granted shows what tasks are given of their own.
func granted(grants []fit.Grant) string {
	out := ""
	for _, g := range grants {
		if len(g.Cores) > 0 {
			out += fmt.Sprintf(" cores %v (%d MHz)", g.Cores, g.CPUShares)
		}
		for _, d := range g.Devices {
			out += " " + d.Name + " " + strings.Join(d.DeviceIDs, ",")
			if d.Share > 0 {
				out += fmt.Sprintf(" (%v)", d.Share)
			}
		}
	}
	return out
}
