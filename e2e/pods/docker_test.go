package pods

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// TestDockerPod runs the example on an engine: its container joins the group's network, beside a task of another driver, and its port is mapped.
func TestDockerPod(t *testing.T) {
	if why := enginetest.Missing(); why != "" {
		t.Skip("not here: " + why)
	}
	e, err := enginetest.Start("--live-restore")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	a := startWith(t, fmt.Sprintf("plugin \"docker\" {\n  config {\n    endpoint = %q\n  }\n}\n", "unix://"+e.Socket))
	if out, ok := a.cli(t, "job", "run", "-detach", "-var", "image="+enginetest.Image, filepath.Join("..", "..", "examples", "docker.hcl")); !ok {
		t.Fatalf("job run: %s", out)
	}
	alloc := a.await(t, "docker", api.AllocClientRunning)
	serves(t, host(t, alloc, "http"), "hello from docker")
	mixed := a.run(t, "mixed", fmt.Sprintf(`
job "mixed" {
  group "g" {
    network {
      mode     = "bridge"
      hostname = "mixed"
      port "http" {
        to = 80
      }
    }
    task "server" {
      driver = "docker"
      config {
        image   = %q
        command = "sh"
        args    = ["-c", "(cat /etc/hosts; hostname) >/tmp/index.html; exec httpd -f -p 80 -h /tmp"]
      }
      resources {
        memory = 32
      }
    }
    task "sidecar" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "until busybox wget -q -O - http://127.0.0.1/; do sleep 0.1; done; exec sleep 600"]
      }
      resources {
        memory = 32
      }
    }
  }
}`, enginetest.Image), api.AllocClientRunning)
	serves(t, host(t, mixed, "http"), "mixed")
	eventually(t, "the sidecar reaches it", func() bool { return len(a.logs(t, mixed, "sidecar")) > 0 })
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	if err := e.Down(true); err != nil {
		t.Fatal(err)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	serves(t, host(t, alloc, "http"), "hello from docker")
	serves(t, host(t, mixed, "http"), "mixed")
	a.stop(t, "docker")
	a.stop(t, "mixed")
	if out, ok := a.cli(t, "system", "gc"); !ok {
		t.Errorf("system gc: %s", out)
	}
	a.settled(t)
	a.end(t)
}
