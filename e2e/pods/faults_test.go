package pods

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/failpoint"
	"github.com/seraihq/serai/internal/imagefile"
)

// sweeping is the variable that asks for all places, not for those of the short form.
const sweeping = "SERAI_FAULTS"

// short are the places of the short form: one in each part of a life.
var short = []string{"raw_exec:forked", "contain:started", "contain:staged", "supervise:signalled", "contain:cleared",
	"step:up:network", "task:started", "task:exited", "step:down:network"}

// places gives those of a list that are to be gone through.
func places(lists ...[]string) []string {
	all := slices.Concat(lists...)
	if os.Getenv(sweeping) != "" {
		return all
	}
	return slices.DeleteFunc(all, func(p string) bool { return !slices.Contains(short, p) })
}

// faults is an agent whose processes die where a test asks for it, with tasks beside that must not notice.
type faults struct {
	*agent
	armed     string // the directory of armed places
	image     string
	neighbour map[string]*api.Allocation // by driver
}

const faultsConfig = `
client {
  host_volume "shared" {
    path = %q
  }
  device "test/thing/x" {
    ids = ["x-0"]
  }
}
plugin "container" {
  config {
    insecure_registries = [%q]
  }
}
`

func startFaults(t *testing.T) *faults {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("needs root: network namespaces")
	}
	f := &faults{armed: t.TempDir(), neighbour: map[string]*api.Allocation{}}
	volume := t.TempDir()
	host := f.registry(t)
	f.agent = startWith(t, fmt.Sprintf(faultsConfig, volume, host), "SERAI_FAILPOINTS_DIR="+f.armed)
	for _, driver := range []string{"raw_exec", "exec", "container"} {
		id := "neighbour-" + strings.ReplaceAll(driver, "_", "-")
		f.neighbour[driver] = f.run(t, id, f.job(id, driver, "host", ""), api.AllocClientRunning)
	}
	return f
}

// registry puts an image with busybox into a registry of the test's own.
func (f *faults) registry(t *testing.T) (host string) {
	t.Helper()
	files, err := imagefile.Busybox()
	if err != nil {
		t.Skip("not here: " + err.Error() + ": run make test-deps")
	}
	var archive bytes.Buffer
	if err := imagefile.Write(&archive, "app:1", imagefile.Config{Env: []string{"PATH=/bin"}}, files); err != nil {
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
	f.image = to.String()
	return host
}

// job is one whose task runs until it is told to end, and ends then, or stays deaf to it. more goes into its task.
func (f *faults) job(id, driver, mode, more string) string {
	image := ""
	if driver == "container" {
		image = fmt.Sprintf("image = %q", f.image)
	}
	if strings.Contains(more, "userns") {
		image, more = image+"\n"+more, ""
	}
	trap := "exit 0"
	if strings.HasPrefix(id, "deaf") {
		trap = ""
	}
	return fmt.Sprintf(`
job %q {
  group "g" {
    network {
      mode = %q
    }
    restart {
      attempts = 5
      delay    = "1s"
      interval = "1h"
    }
    task "t" {
      driver       = %q
      kill_timeout = "500ms"
      config {
        %s
        command = "/bin/sh"
        args    = ["-c", "trap '%s' TERM INT; while :; do sleep 0.1; done"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
      %s
    }
  }
}`, id, mode, driver, image, trap, more)
}

// arm makes the next process die that comes by the place.
func (f *faults) arm(t *testing.T, place string) {
	t.Helper()
	if err := writeFile(filepath.Join(f.armed, place), ""); err != nil {
		t.Fatal(err)
	}
}

// fired is whether somebody came by the place.
func (f *faults) fired(place string) bool {
	_, err := os.Stat(filepath.Join(f.armed, place))
	return err != nil
}

// revive launches the agent anew when it is no more.
func (f *faults) revive(t *testing.T) {
	t.Helper()
	select {
	case <-f.Done():
		f.launch(t)
	default:
	}
}

// life submits a job, waits until it runs, ends it, and launches the agent anew whenever that has died meanwhile.
func (f *faults) life(t *testing.T, id, hcl string) (run string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.hcl")
	if err := writeFile(path, hcl); err != nil {
		t.Fatal(err)
	}
	if out, ok := f.cli(t, "job", "run", "-detach", path); !ok {
		t.Fatal(out)
	}
	if strings.Contains(hcl, "parameterized {") {
		id = f.dispatch(t, id, path)
	}
	f.until(t, id, api.AllocClientRunning)
	if out, ok := f.cli(t, "job", "stop", "-detach", id); !ok {
		t.Fatal(out)
	}
	f.until(t, id, api.AllocClientComplete)
	return id
}

// dispatch starts a parameterized job with a file as its payload.
func (f *faults) dispatch(t *testing.T, id, payload string) (child string) {
	t.Helper()
	if out, ok := f.cli(t, "job", "dispatch", "-detach", id, payload); !ok {
		t.Fatal(out)
	}
	var list []*api.JobListStub
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		f.revive(t)
		if f.get("/v1/jobs?prefix="+url.QueryEscape(id+"/dispatch-"), &list) == nil && len(list) == 1 {
			return list[0].ID
		}
	}
	t.Fatalf("%s has no child: %+v", id, list)
	return ""
}

// until waits until all allocations of the job have the status, whatever it takes.
func (f *faults) until(t *testing.T, id, status string) {
	t.Helper()
	var list []*api.AllocationListStub
	var err error
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		f.revive(t)
		if err = f.get("/v1/job/"+url.PathEscape(id)+"/allocations", &list); err != nil {
			continue
		}
		if len(list) > 0 && !slices.ContainsFunc(list, func(s *api.AllocationListStub) bool { return s.ClientStatus != status }) {
			return
		}
	}
	text, _ := json.Marshal(list)
	t.Fatalf("job %s is not %s: %v %s", id, status, err, text)
}

// check looks for what must not be after a life: whatever is left of it, and neighbours that noticed.
func (f *faults) check(t *testing.T, id string) {
	t.Helper()
	var list []*api.AllocationListStub
	if err := f.get("/v1/job/"+url.PathEscape(id)+"/allocations", &list); err != nil {
		t.Fatal(err)
	}
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		left = f.leftovers(t)
		for _, a := range list {
			left = append(left, traces(f.agent, a.ID)...)
		}
		if len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("after 10 seconds is left: %s", strings.Join(left, "; "))
	}
	for driver, before := range f.neighbour {
		after := &api.Allocation{}
		if err := f.get("/v1/allocation/"+before.ID, after); err != nil {
			t.Fatal(err)
		}
		was, is := before.TaskStates["t"], after.TaskStates["t"]
		if after.ClientStatus != api.AllocClientRunning || is.Restarts != 0 || !is.StartedAt.Equal(was.StartedAt) {
			t.Errorf("a task of %s beside it was disturbed: %s %+v", driver, after.ClientStatus, is)
		}
	}
}

// traces lists what the machine still has of an allocation.
func traces(a *agent, id string) []string {
	var out []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		group, _ := os.ReadFile(p + "/cgroup")
		root, _ := os.Readlink(p + "/root")
		cwd, _ := os.Readlink(p + "/cwd")
		if bytes.Contains(group, []byte(id)) || strings.Contains(root+cwd, id) {
			line, _ := os.ReadFile(p + "/cmdline")
			if len(line) > 0 {
				out = append(out, "process "+filepath.Base(p)+" "+strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), id) {
			out = append(out, "group "+path)
		}
		return nil
	})
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, id) || strings.Contains(line, "/run/serai/stage") {
			out = append(out, "mount "+strings.TrimSpace(line))
		}
	}
	for _, pattern := range []string{"/run/serai/*/" + id + "*", filepath.Join(a.DataDir(), "alloc", id, "*/private/container-*")} {
		found, _ := filepath.Glob(pattern)
		out = append(out, found...)
	}
	blocks, _ := filepath.Glob("/run/serai/users/*")
	for _, b := range blocks {
		if to, _ := os.Readlink(b); strings.Contains(to, id) {
			out = append(out, b+" of "+to)
		}
	}
	owners, _ := filepath.Glob(filepath.Join(a.DataDir(), "images/owners/*.json"))
	for _, o := range owners {
		if text, _ := os.ReadFile(o); bytes.Contains(text, []byte(id)) {
			out = append(out, "owner of an image "+o)
		}
	}
	return out
}

// TestHostKilledAnywhere: the driver's process is killed at one place of a start or an end after the other. The task is started all the same, and ended.
func TestHostKilledAnywhere(t *testing.T) {
	f := startFaults(t)
	n := 0
	for _, d := range []struct {
		driver string
		places []string
	}{
		{"raw_exec", places(failpoint.RawExec, failpoint.Supervise)},
		{"exec", places(failpoint.Contain, failpoint.Supervise)},
		{"container", places(failpoint.Contain, failpoint.Users, failpoint.Layers, failpoint.Supervise)},
	} {
		for _, place := range d.places {
			t.Run(d.driver+"/"+place, func(t *testing.T) {
				n++
				id, more := fmt.Sprintf("life-%d", n), ""
				if place == "supervise:killing" { // nobody comes by when a task ends by itself
					id = fmt.Sprintf("deaf-%d", n)
				}
				if slices.Contains(failpoint.Users, place) {
					more = `userns_mode = "private"`
				}
				f.arm(t, place)
				f.life(t, id, f.job(id, d.driver, "host", more))
				if !f.fired(place) {
					t.Error("nobody came by")
				}
				f.check(t, id)
			})
		}
	}
	f.end(t)
}

// everything is what a task can ask for in its set-up.
const everything = `
      artifact {
        source = %q
      }
      template {
        data        = "made for {{ env \"NOMAD_JOB_NAME\" }}"
        destination = "local/made"
      }
      volume_mount {
        volume      = "shared"
        destination = "/shared"
      }
`

// TestAgentKilledAnywhere: the agent is killed at one step of an allocation's life after the other.
func TestAgentKilledAnywhere(t *testing.T) {
	f := startFaults(t)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a file\n") }))
	t.Cleanup(files.Close)
	for i, place := range places(failpoint.Task, failpoint.Network) {
		t.Run(place, func(t *testing.T) {
			id := fmt.Sprintf("life-%d", i)
			hcl := f.job(id, "exec", "bridge", fmt.Sprintf(everything, files.URL+"/file"))
			hcl = strings.Replace(hcl, `group "g" {`, "group \"g\" {\n    volume \"shared\" {\n      type   = \"host\"\n      source = \"shared\"\n    }", 1)
			hcl = strings.Replace(hcl, `memory = 32`, "memory = 32\n        device \"test/thing\" {}", 1)
			if strings.Contains(place, "dispatch_payload") {
				hcl = strings.Replace(hcl, `group "g" {`, "type = \"batch\"\n  parameterized {\n    payload = \"required\"\n  }\n  group \"g\" {", 1)
				hcl = strings.Replace(hcl, `driver `, "dispatch_payload {\n        file = \"in\"\n      }\n      driver ", 1)
			}
			f.arm(t, place)
			id = f.life(t, id, hcl)
			if !f.fired(place) {
				t.Error("nobody came by")
			}
			f.check(t, id)
		})
	}
	f.end(t)
}
