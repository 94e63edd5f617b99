package command

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// A task's cores and devices, whole ones and parts.
func TestAllocationGrants(t *testing.T) {
	var out bytes.Buffer
	s := &session{Invocation: &cli.Invocation{Stdout: &out}}
	s.showGrants(&api.AllocatedTaskResources{
		Cpu: api.AllocatedCpuResources{ReservedCores: []uint16{0, 2}},
		Devices: []*api.AllocatedDeviceResource{
			{Vendor: "nvidia", Type: "gpu", Name: "t4", DeviceIDs: []string{"a", "b"}},
			{Vendor: "nvidia", Type: "gpu", Name: "a100", DeviceIDs: []string{"c"}, Share: 0.25},
		},
	})
	want := `Reserved Cores: 0, 2

Devices:
Device           IDs   Share
nvidia/gpu/t4    a, b  all
nvidia/gpu/a100  c     0.25

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
