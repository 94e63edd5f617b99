package wire

import (
	"reflect"
	"testing"

	"github.com/seraihq/serai/api"
)

// TestZeroFieldsTakeNoRoom: a job that says little is little, in the log and on
// its way to the nodes. A new field of these types has a tag that leaves it out.
func TestZeroFieldsTakeNoRoom(t *testing.T) {
	for _, v := range []any{
		api.Job{}, api.UpdateStrategy{}, api.MigrateStrategy{}, api.ReschedulePolicy{}, api.PeriodicConfig{}, api.ParameterizedJobConfig{},
		api.TaskGroup{}, api.RestartPolicy{}, api.DisconnectStrategy{}, api.EphemeralDisk{}, api.VolumeRequest{},
		api.Task{}, api.LogConfig{}, api.TaskArtifact{}, api.Template{}, api.Resources{}, api.NetworkResource{}, api.Port{}, api.Service{},
		api.Constraint{}, api.Affinity{}, api.Spread{}, api.RequestedDevice{}, api.Evaluation{}, api.AllocationMetric{},
		api.AllocatedResources{}, api.AllocatedSharedResources{}, api.AllocatedTaskResources{}, api.AllocatedDeviceResource{},
	} {
		b, err := Marshal(v)
		if err != nil || len(b) != 1 {
			t.Errorf("an empty %T takes %d bytes (%v)", v, len(b), err)
		}
		back := reflect.New(reflect.TypeOf(v))
		if err := Unmarshal(b, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), v) {
			t.Errorf("%T comes back as %+v (%v)", v, back.Elem(), err)
		}
	}
}

// TestEmptyIsNotAbsent: what is empty and not nil stays so.
func TestEmptyIsNotAbsent(t *testing.T) {
	in := api.Job{Datacenters: []string{}, Meta: map[string]string{}, Update: &api.UpdateStrategy{}}
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out api.Job
	if err := Unmarshal(b, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v comes back as %+v (%v)", in, out, err)
	}
}
