package steps

import (
	"context"

	"github.com/seraihq/serai/api"
)

// Devices looks whether the devices that a task was granted are there still;
// TaskConfig tells the driver of them.
type Devices struct{}

// Name implements Step.
func (Devices) Name() string { return "devices" }

// Up implements Step.
func (Devices) Up(_ context.Context, in *In) (Result, error) {
	if in.Restored {
		return nil, nil
	}
	_, _, err := in.Devices.Grant(granted(in.Alloc, in.Task))
	return nil, err
}

// Down implements Step.
func (Devices) Down(context.Context, *In, Result) error { return nil }

// granted gives the devices of one task of an allocation.
func granted(a *api.Allocation, t *api.Task) []*api.AllocatedDeviceResource {
	if a.AllocatedResources == nil || a.AllocatedResources.Tasks[t.Name] == nil {
		return nil
	}
	return a.AllocatedResources.Tasks[t.Name].Devices
}
