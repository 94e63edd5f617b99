package device

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

var a100 = Config{
	Name: "nvidia/gpu/a100", IDs: []string{"GPU-0", "GPU-1"}, Env: "NVIDIA_VISIBLE_DEVICES",
	Attributes: map[string]string{"memory": "80 GiB"},
	Paths:      []string{"/dev/null"}, InstancePaths: map[string][]string{"GPU-0": {"/dev/zero"}, "GPU-1": {"/dev/none-such"}},
}

func TestResources(t *testing.T) {
	s, err := NewSet([]Config{a100})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Resources()[0]
	if r.Vendor != "nvidia" || r.Type != "gpu" || r.Name != "a100" || *r.Attributes["memory"].IntVal != 80 || r.Attributes["memory"].Unit != "GiB" {
		t.Errorf("%+v", r)
	}
	if !r.Instances[0].Healthy || r.Instances[1].Healthy || !strings.Contains(r.Instances[1].HealthDescription, "/dev/none-such") {
		t.Errorf("%+v %+v", r.Instances[0], r.Instances[1])
	}
}

func TestGrant(t *testing.T) {
	fpga := Config{Name: "intel/fpga/x", IDs: []string{"F0"}}
	s, err := NewSet([]Config{a100, fpga})
	if err != nil {
		t.Fatal(err)
	}
	env, nodes, err := s.Grant([]*api.AllocatedDeviceResource{
		{Vendor: "nvidia", Type: "gpu", Name: "a100", DeviceIDs: []string{"GPU-0"}, Share: 0.25},
		{Vendor: "intel", Type: "fpga", Name: "x", DeviceIDs: []string{"F0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"SERAI_DEVICE_GPU": "GPU-0", "SERAI_DEVICE_GPU_SHARE": "0.25", "NVIDIA_VISIBLE_DEVICES": "GPU-0", "SERAI_DEVICE_FPGA": "F0",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
	rw := func(p string) drivers.Device { return drivers.Device{TaskPath: p, HostPath: p, Permissions: "rw"} }
	if diff := cmp.Diff([]drivers.Device{rw("/dev/null"), rw("/dev/zero")}, nodes); diff != "" {
		t.Error(diff)
	}
	for _, gone := range []*api.AllocatedDeviceResource{
		{Vendor: "nvidia", Type: "gpu", Name: "h100", DeviceIDs: []string{"GPU-0"}},
		{Vendor: "nvidia", Type: "gpu", Name: "a100", DeviceIDs: []string{"GPU-7"}},
	} {
		if _, _, err := s.Grant([]*api.AllocatedDeviceResource{gone}); err == nil {
			t.Errorf("%+v was granted", gone)
		}
	}
}

func TestBadConfigs(t *testing.T) {
	for what, test := range map[string]struct {
		config Config
		want   string
	}{
		"label":         {Config{Name: "gpu", IDs: []string{"a"}}, "VENDOR/TYPE/MODEL"},
		"no ids":        {Config{Name: "a/b/c"}, "ids must name"},
		"id":            {Config{Name: "a/b/c", IDs: []string{"a,b"}}, `id "a,b"`},
		"twice":         {Config{Name: "a/b/c", IDs: []string{"a", "a"}}, "each device needs its own"},
		"path":          {Config{Name: "a/b/c", IDs: []string{"a"}, Paths: []string{"/dev/../etc/shadow"}}, "beneath /dev"},
		"instance":      {Config{Name: "a/b/c", IDs: []string{"a"}, InstancePaths: map[string][]string{"b": nil}}, "none of its ids"},
		"instance path": {Config{Name: "a/b/c", IDs: []string{"a"}, InstancePaths: map[string][]string{"a": {"null"}}}, "beneath /dev"},
		"env":           {Config{Name: "a/b/c", IDs: []string{"a"}, Env: "A B"}, "not the name of a variable"},
		"own env":       {Config{Name: "a/b/c", IDs: []string{"a"}, Env: "NOMAD_X"}, "the agent's own"},
	} {
		if _, err := NewSet([]Config{test.config}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestParseAttribute(t *testing.T) {
	for text, want := range map[string]string{
		"80 GiB": `{"Int":80,"Unit":"GiB"}`, "1.5GHz": `{"Float":1.5,"Unit":"GHz"}`, "7": `{"Int":7,"Unit":""}`, "true": `{"Bool":true,"Unit":""}`,
		"8 apples": `{"String":"8 apples","Unit":""}`, "8.0.1": `{"String":"8.0.1","Unit":""}`, "": `{"String":"","Unit":""}`,
	} {
		if got, _ := json.Marshal(ParseAttribute(text)); string(got) != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
