package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	imagename "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers/docker/enginetest"
	"github.com/seraihq/serai/e2e/rig"
	"github.com/seraihq/serai/internal/imagefile"
)

// TestDocker runs a service on a Docker Engine: its port, logs and exec work, and it outlives a kill -9 of the agent, of the driver's host and of the engine.
func TestDocker(t *testing.T) {
	t.Parallel()
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
	a := start(t, rig.Options{Config: fmt.Sprintf("client {\n  network_interface = \"lo\"\n}\nplugin \"docker\" {\n  config {\n    endpoint = %q\n    container_fallback = false\n  }\n}\n", "unix://"+e.Socket)})
	a.hasDriver(t, "docker")
	a.register(t, fmt.Sprintf(`
job "web" {
  group "g" {
    network {
      port "http" {
        to = 8080
      }
    }
    task "web" {
      driver = "docker"
      config {
        image   = %q
        command = "sh"
        args    = ["-c", "echo hello from $NOMAD_JOB_NAME >/www/index.html; i=0; (while :; do echo line $i; i=$((i+1)); sleep 0.02; done) & exec httpd -f -p 8080 -h /www"]
        ports   = ["http"]
        volumes = ["local/www:/www"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}`, enginetest.Image))
	s := a.waitOne(t, "web", "running")
	before := containers(t, e)
	if len(before) != 1 {
		t.Fatalf("containers: %v", before)
	}
	eventually(t, "the web server answers", answersIn(t, a, e, s.ID, "hello from web"))
	if out := a.ok(t, "alloc", "exec", s.ID, "sh", "-c", "echo $NOMAD_TASK_NAME; ls /local"); !strings.Contains(out, "web\nwww") {
		t.Errorf("exec: %v", out)
	}
	for _, h := range a.Hosts("docker") {
		_ = syscall.Kill(h.PID, syscall.SIGKILL)
	}
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
	eventually(t, "it still answers", answersIn(t, a, e, s.ID, "hello from web"))
	lines := strings.Count(a.logs(t, s.ID, "web", "stdout"), "\n")
	eventually(t, "its output goes on", func() (bool, string) {
		now := strings.Count(a.logs(t, s.ID, "web", "stdout"), "\n")
		return now > lines+20, fmt.Sprint(now)
	})
	for i, line := range strings.Split(strings.TrimSpace(a.logs(t, s.ID, "web", "stdout")), "\n") {
		if line != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d of the output is %q", i, line)
		}
	}
	if after := containers(t, e); len(after) != 1 || after[0] != before[0] {
		t.Errorf("containers %v, before %v", after, before)
	}
	a.ok(t, "job", "stop", "web")
	a.waitOne(t, "web", "complete")
	eventually(t, "the container is gone", func() (bool, string) { return len(containers(t, e)) == 0, fmt.Sprint(containers(t, e)) })
	a.leavesNothing(t, syscall.SIGINT)
}

func containers(t *testing.T, e *enginetest.Engine) []string {
	t.Helper()
	list, err := e.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list.Items {
		out = append(out, c.ID)
	}
	return out
}

// answersIn asks the allocation's port, which is published where the engine is.
func answersIn(t *testing.T, a *agent, e *enginetest.Engine, allocID, want string) func() (bool, string) {
	var alloc struct {
		AllocatedResources struct {
			Shared struct {
				Ports []struct {
					Value  int
					HostIP string
				}
			}
		}
	}
	a.get(t, "/v1/allocation/"+allocID, &alloc)
	port := alloc.AllocatedResources.Shared.Ports[0]
	return func() (bool, string) {
		c, err := e.Dial(fmt.Sprintf("%s:%d", port.HostIP, port.Value))
		if err != nil {
			return false, err.Error()
		}
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.0\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return strings.Contains(string(text), want), fmt.Sprintf("%s %v", text, err)
	}
}

// TestDockerJobWithoutEngine: a job for docker runs on the container driver where no engine answers.
func TestDockerJobWithoutEngine(t *testing.T) {
	t.Parallel()
	needRoot(t)
	from, image := imageServer(t)
	a := start(t, rig.Options{Config: fmt.Sprintf(`
plugin "docker" {
  config {
    endpoint = %q
  }
}
plugin "container" {
  config {
    insecure_registries = [%q]
  }
}
`, "unix://"+filepath.Join(t.TempDir(), "docker.sock"), from)})
	a.hasDriver(t, "docker")
	a.register(t, fmt.Sprintf(`
job "fallback" {
  group "g" {
    task "t" {
      driver = "docker"
      config {
        image   = %q
        command = "sh"
        args    = ["-c", "echo on $NOMAD_TASK_NAME; exec sleep 600"]
        logging {
          type = "journald"
        }
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}`, image))
	s := a.waitOne(t, "fallback", "running")
	for _, h := range a.Hosts("docker") {
		_ = syscall.Kill(h.PID, syscall.SIGKILL)
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	// The task is taken up a moment after the agent answers.
	eventually(t, "a command in the container", func() (bool, string) {
		r := a.cli(t, "alloc", "exec", s.ID, "sh", "-c", "echo in the container; ls /bin/busybox")
		return strings.Contains(r.all(), "in the container\n/bin/busybox"), r.all()
	})
	if out := a.logs(t, s.ID, "t", "stdout"); out != "on t\n" {
		t.Errorf("output %q", out)
	}
	a.ok(t, "job", "stop", "fallback")
	a.waitOne(t, "fallback", "complete")
	a.leavesNothing(t, syscall.SIGINT)
}

// imageServer is a registry with an image of busybox.
func imageServer(t *testing.T) (address, name string) {
	t.Helper()
	files, err := imagefile.Busybox()
	if err != nil {
		t.Skip("not here: " + err.Error() + ": run make test-deps")
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	err = imagefile.Write(f, "busybox:test", imagefile.Config{Env: []string{"PATH=/bin"}}, files)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	address = strings.TrimPrefix(srv.URL, "http://")
	ref, err := imagename.ParseReference(address + "/busybox:test")
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(archive, nil)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return address, ref.Name()
}

// TestKilledDevAgentOnAnEngine: the containers that a killed dev agent had on an engine are no processes of this machine's groups; the next agent
// removes them all the same.
func TestKilledDevAgentOnAnEngine(t *testing.T) {
	t.Parallel()
	if why := enginetest.Missing(); why != "" {
		t.Skip("not here: " + why)
	}
	e, err := enginetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	a := start(t, rig.Options{Dev: true, Config: fmt.Sprintf("client {\n  network_interface = \"lo\"\n}\nplugin \"docker\" {\n  config {\n    endpoint = %q\n    container_fallback = false\n  }\n}\n", "unix://"+e.Socket)})
	a.hasDriver(t, "docker")
	a.register(t, fmt.Sprintf(`
job "left" {
  group "g" {
    task "t" {
      driver = "docker"
      config {
        image   = %q
        command = "sleep"
        args    = ["6000"]
      }
      resources {
        memory = 32
      }
    }
  }
}`, enginetest.Image))
	a.waitOne(t, "left", "running")
	containers := func() []string {
		list, err := e.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range list.Items {
			out = append(out, c.Names...)
		}
		return out
	}
	if len(containers()) == 0 {
		t.Fatal("there is no container")
	}
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.launch(t)
	eventually(t, "the container to go", func() (bool, string) { left := containers(); return len(left) == 0, fmt.Sprint(left) })
	a.leavesNothing(t, syscall.SIGINT)
}
