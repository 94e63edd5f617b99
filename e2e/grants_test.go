package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seraihq/serai/e2e/rig"
)

// TestGrants runs a task with a core of its own, half a device and a volume of
// the host, all declared in the agent's configuration.
func TestGrants(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if _, err := os.Stat("/sys/fs/cgroup/cpuset"); err != nil || runtime.NumCPU() < 2 {
		t.Skip("not here: it takes the cpuset control group and two cores")
	}
	volume, err := os.MkdirTemp("/tmp", "serai-e2e-volume-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(volume) })
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	a := start(t, rig.Options{Dev: true, Config: fmt.Sprintf(`
client {
  host_volume "data" {
    path = %q
  }
  device "acme/gpu/z" {
    ids        = ["Z-0"]
    env        = "ACME_VISIBLE"
    paths      = ["/dev/null"]
    attributes = { memory = "8 GiB" }
  }
}`, volume)})
	id := a.jobID(t)
	// By the command line: Nomad's own client has no parts of devices.
	a.ok(t, "job", "run", "-detach", file(t, "job.hcl", fmt.Sprintf(`
job %q {
  type = "batch"
  group "g" {
    volume "v" {
      type   = "host"
      source = "data"
    }
    task "t" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $NOMAD_CPU_CORES $SERAI_DEVICE_GPU $SERAI_DEVICE_GPU_SHARE $ACME_VISIBLE; grep Cpus_allowed_list /proc/self/status; echo hello >/srv/data/file"]
      }
      volume_mount {
        volume      = "v"
        destination = "/srv/data"
      }
      resources {
        cores  = 1
        memory = 32
        device "acme/gpu" {
          count = 0.5
          constraint {
            attribute = "${device.attr.memory}"
            operator  = ">="
            value     = "4 GiB"
          }
        }
      }
    }
  }
}`, id)))
	s := a.waitOne(t, id, "complete")
	words := strings.Fields(a.logs(t, s.ID, "t", "stdout"))
	if len(words) != 6 || strings.Join(words[1:4], " ") != "Z-0 0.5 Z-0" || words[0] != words[5] {
		t.Errorf("output %q", words)
	}
	if b, err := os.ReadFile(filepath.Join(volume, "file")); string(b) != "hello\n" {
		t.Errorf("the volume holds %q, %v", b, err)
	}
}
