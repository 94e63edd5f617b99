package fsm

import (
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// TestPlanDevices: what a plan gives of devices and cores is checked again: never
// more than a device or a core has, and nothing that is unknown or not healthy.
func TestPlanDevices(t *testing.T) {
	r, j := planned(t, 100)
	n := node(1)
	n.NodeResources.Cpu.ReservableCpuCores, n.NodeResources.Cpu.TotalCpuCores = []uint16{0, 1}, 2
	n.NodeResources.Devices = []*api.NodeDeviceResource{{Vendor: "v", Type: "gpu", Name: "x", Instances: []*api.NodeDevice{{ID: "a", Healthy: true}, {ID: "b"}}}}
	r.must(t, &NodeRegister{Node: n})
	gives := func(id int, share float64, device string, cores ...uint16) Placement {
		p := place(id, 1)
		g := fit.Grant{Task: "main", Cores: cores}
		if device != "" {
			g.Devices = []*api.AllocatedDeviceResource{{Vendor: "v", Type: "gpu", Name: "x", DeviceIDs: []string{device}, Share: share}}
		}
		p.Tasks = []fit.Grant{g}
		return p
	}
	for _, c := range []struct {
		p    Placement
		want string
	}{
		{gives(1, 0.6, "a"), ""},
		{gives(2, 0.5, "a"), "00000002 devices"},
		{gives(3, -0.5, "a"), "00000003 devices"},
		{gives(4, 0.4, "a"), ""},
		{gives(5, 0.001, "a"), "00000005 devices"},
		{gives(6, 0.1, "b"), "00000006 devices"},
		{gives(7, 0.1, "c"), "00000007 devices"},
		{gives(8, 0, "", 1), ""},
		{gives(9, 0, "", 1), "00000009 cores"},
		{gives(10, 0, "", 0, 0), "0000000a cores"},
		{gives(11, 0, "", 7), "0000000b cores"},
	} {
		if got := reasons(r.plan(t, plan(j, c.p))); got != c.want {
			t.Errorf("%+v: refused %q, want %q", c.p.Tasks[0], got, c.want)
		}
	}
	a, _ := r.Store().View().Allocation(uuid(1))
	if d := a.AllocatedResources.Tasks["main"].Devices; len(d) != 1 || d[0].Share != 0.6 || d[0].DeviceIDs[0] != "a" {
		t.Errorf("devices are %+v", d)
	}
}
