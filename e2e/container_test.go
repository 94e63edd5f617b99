package e2e

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/seraihq/serai/e2e/rig"
	"github.com/seraihq/serai/internal/imagefile"
)

// busyboxImage puts an image into a registry of the test's own and returns its name and the registry's host.
func busyboxImage(t *testing.T) (ref, host string) {
	t.Helper()
	needRoot(t)
	files, err := imagefile.Busybox()
	if err != nil {
		t.Skip("not here: " + err.Error() + ": run make test-deps")
	}
	var archive bytes.Buffer
	c := imagefile.Config{Env: []string{"PATH=/bin", "FROM_IMAGE=yes"}, Cmd: []string{"sleep", "6000"}, User: "web", WorkingDir: "/home/web", StopSignal: "SIGUSR1"}
	if err := imagefile.Write(&archive, "app:1", c, files, []imagefile.Entry{{Name: "etc/app", Body: []byte("the app\n")}}); err != nil {
		t.Fatal(err)
	}
	img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host = strings.TrimPrefix(s.URL, "http://")
	to, err := name.ParseReference(host + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, img); err != nil {
		t.Fatal(err)
	}
	return to.String(), host
}

// containerTask is a task of the container driver that runs a shell script.
func containerTask(name, image, script string, more ...string) string {
	return fmt.Sprintf(`
task %q {
  driver = "container"
  config {
    image   = %q
    command = "sh"
    args    = ["-c", <<-EOS
%s
EOS
    ]
  }
  resources {
    cpu    = 20
    memory = 32
  }
  %s
}`, name, image, script, strings.Join(more, "\n"))
}

// containerAgent is an agent of its own whose images come from that registry.
func containerAgent(t *testing.T, host string) *agent {
	t.Helper()
	return start(t, rig.Options{Config: fmt.Sprintf(`
plugin "container" {
  config {
    insecure_registries = [%q]
  }
}`, host)})
}

// killHost kills the driver's processes.
func (a *agent) killHost(driver string) {
	for _, h := range a.Hosts(driver) {
		_ = syscall.Kill(h.PID, syscall.SIGKILL)
	}
}

// noContainers checks that nothing is kept of containers of this agent.
func (a *agent) noContainers(t *testing.T, allocs []string) {
	t.Helper()
	eventually(t, "nothing is left of the containers", func() (bool, string) {
		var left []string
		for _, id := range allocs {
			for _, pattern := range []string{"/run/serai/container/" + id + "*", "/run/serai/container-files/" + id + "*",
				filepath.Join(a.DataDir(), "alloc", id, "*/private/container-*")} {
				found, _ := filepath.Glob(pattern)
				left = append(left, found...)
			}
		}
		owners, _ := filepath.Glob(filepath.Join(a.DataDir(), "images/owners/*.json"))
		return len(left)+len(owners) == 0, fmt.Sprint(left, owners)
	})
	if table, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(table), "/run/serai/stage") {
		t.Error("a container's root is mounted on the host")
	}
}

func TestContainer(t *testing.T) {
	t.Parallel()
	image, host := busyboxImage(t)
	a := containerAgent(t, host)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", containerTask("t", image, `
trap 'echo stopped by the signal of the image; exit 0' USR1
echo $FROM_IMAGE $(id -un) $(pwd) $(cat /etc/app) pid $$ $NOMAD_TASK_DIR > /local/facts; cat /local/facts
grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status
while true; do sleep 0.1; done`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "yes web /home/web the app pid 1 /local\n")
	a.waitLogs(t, s.ID, "t", "stdout", "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n")
	if out := a.ok(t, "alloc", "exec", s.ID, "sh", "-c", "id -un; cat /local/facts"); !strings.HasPrefix(out, "web\nyes web") {
		t.Errorf("exec: %q", out)
	}
	eventually(t, "an event tells of the image", func() (bool, string) {
		e := event(a.alloc(t, s.ID), "t", "Driver")
		return e != nil && strings.Contains(e.DisplayMessage, "Downloaded image"), fmt.Sprint(events(a.alloc(t, s.ID), "t"))
	})
	// The task outlives its driver's process and the agent.
	before := a.initPID(t, s.ID)
	a.killHost("container")
	eventually(t, "a new driver process answers for the task", func() (bool, string) {
		r := a.cli(t, "alloc", "exec", s.ID, "echo", "there")
		return r.code == 0 && strings.Contains(r.stdout, "there"), r.String()
	})
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	a.killHost("container")
	a.launch(t)
	a.waitOne(t, id, "running")
	eventually(t, "the task is found again", func() (bool, string) {
		r := a.cli(t, "alloc", "exec", s.ID, "cat", "/etc/app")
		return r.stdout == "the app\n", r.String()
	})
	if after := a.initPID(t, s.ID); after != before {
		t.Errorf("the task was started anew: %d, then %d", before, after)
	}
	a.ok(t, "job", "stop", id)
	a.waitOne(t, id, "complete")
	a.waitLogs(t, s.ID, "t", "stdout", "stopped by the signal of the image")
	a.noContainers(t, []string{s.ID})
	a.leavesNothing(t, syscall.SIGINT)
}

// The example runs as it is, with an image of the test's own.
func TestContainerExample(t *testing.T) {
	t.Parallel()
	image, host := busyboxImage(t)
	a := containerAgent(t, host)
	a.ok(t, "job", "run", "-var", "image="+image, "../examples/container.hcl")
	s := a.waitOne(t, "container", "running")
	port := a.alloc(t, s.ID).AllocatedResources.Shared.Ports[0].Value
	eventually(t, "the web server answers", func() (bool, string) {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(text), "hello from "+s.ID), string(text)
	})
	a.ok(t, "job", "stop", "container")
	a.noContainers(t, []string{s.ID})
	a.leavesNothing(t, syscall.SIGINT)
}

// initPID is the first process of an allocation's container, in the host's numbers. It is the one with number 1 in there: the lowest number in the
// control group can be that of a child, as the host's numbers begin anew at their limit.
func (a *agent) initPID(t *testing.T, alloc string) int {
	t.Helper()
	for _, dir := range a.groupOf(alloc) {
		text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			status, _ := os.ReadFile(filepath.Join("/proc", field, "status"))
			_, rest, _ := strings.Cut(string(status), "\nNSpid:")
			line, _, _ := strings.Cut(rest, "\n")
			if numbers := strings.Fields(line); len(numbers) > 1 && numbers[len(numbers)-1] == "1" {
				pid, _ := strconv.Atoi(field)
				return pid
			}
		}
	}
	t.Fatalf("no first process of a container of %s", alloc)
	return 0
}

// Killing the driver's process and the agent while containers start and stop leaves nothing behind, and what should run runs.
func TestContainerKilledAnywhere(t *testing.T) {
	t.Parallel()
	image, host := busyboxImage(t)
	a := containerAgent(t, host)
	id := a.jobID(t)
	var allocs []string
	for round := range 6 {
		done := atomic.Bool{}
		go func() {
			defer done.Store(true)
			for i := range 3 {
				time.Sleep(time.Duration(3+7*((round*3+i)%8)) * 4 * time.Millisecond) // another moment each time
				a.killHost("container")
			}
		}()
		job := fmt.Sprintf("%s-%d", id, round)
		a.register(t, oneGroup(job, "service", "count = 4", "restart {\n attempts = 20\n delay = \"50ms\"\n interval = \"10m\"\n mode = \"delay\"\n}",
			containerTask("t", image, "exec sleep 6000", `kill_timeout = "200ms"`)))
		eventually(t, "the killing is done", func() (bool, string) { return done.Load(), "" })
		if round == 3 {
			if err := a.Kill(); err != nil {
				t.Fatal(err)
			}
			a.launch(t)
		}
		for _, s := range a.waitStatus(t, job, "running", 4) {
			allocs = append(allocs, s.ID)
		}
		time.AfterFunc(30*time.Millisecond, func() { a.killHost("container") })
		a.ok(t, "job", "stop", "-detach", job)
	}
	for round := range 6 {
		a.waitAllocs(t, fmt.Sprintf("%s-%d", id, round), "all are over", func(all stubs) bool {
			for _, s := range all {
				if s.ClientStatus == "running" || s.ClientStatus == "pending" {
					return false
				}
			}
			return true
		})
	}
	a.noContainers(t, allocs)
	a.leavesNothing(t, syscall.SIGINT)
}
