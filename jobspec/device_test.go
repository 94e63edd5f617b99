package jobspec

import (
	"context"
	"strings"
	"testing"
)

func TestDeviceShare(t *testing.T) {
	src := func(count string) Source {
		return Source{Name: "gpu.hcl", Data: []byte(`
job "a" {
  group "g" {
    task "t" {
      driver = "exec"
      config { command = "true" }
      resources {
        device "nvidia/gpu" {
          count = ` + count + `
        }
      }
    }
  }
}`)}
	}
	r, err := Parse(context.Background(), src("1 / 4"))
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Job.TaskGroups[0].Tasks[0].Resources.Devices[0]; d.Count != 1 || d.Share != 0.25 {
		t.Errorf("count %d, share %v", d.Count, d.Share)
	}
	_, err = Parse(context.Background(), src("1.5"))
	if err == nil || !strings.Contains(err.Error(), `gpu.hcl:9,19: group "g": task "t": resources.device.count must be a whole number, or above 0 and below 1`) {
		t.Error(err)
	}
}
