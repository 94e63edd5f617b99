package docker

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// leftover makes a container as a start that was cut short leaves it.
func leftover(t *testing.T, e *enginetest.Engine, name string, labels map[string]string) string {
	t.Helper()
	c, err := e.Client.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name,
		Config: &container.Config{Image: enginetest.Image, Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = remove(t.Context(), e.Client, c.ID) })
	return c.ID
}

func exists(t *testing.T, e *enginetest.Engine, id string) bool {
	t.Helper()
	_, err := e.Client.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	return err == nil
}

func TestLeftovers(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, map[string]any{"container_exists_attempts": 3})
	j := newJob(t, "sleep 600", nil)
	mine := map[string]string{labelOwner: Name, labelAlloc: j.AllocID, labelTask: j.AllocID + "/web/0", labelNode: "node-1"}
	old := leftover(t, e, "web-"+j.AllocID, mine)
	start(t, d, j)
	if exists(t, e, old) {
		t.Error("what had the task's name is still there")
	}
	j2 := newJob(t, "true", nil)
	stranger := leftover(t, e, "web-"+j2.AllocID, nil)
	_, err := d.Start(t.Context(), j2.TaskConfig)
	refused(t, err, "taken")
	if !exists(t, e, stranger) {
		t.Error("a container of somebody else was removed")
	}

	cut := leftover(t, e, "cut", map[string]string{labelTask: "unknown/web/1"})
	if err := d.Destroy(t.Context(), "unknown/web/1", true); err != nil || exists(t, e, cut) {
		t.Errorf("what a cut start has left: %v", err)
	}

	nobodys := leftover(t, e, "nobodys", map[string]string{labelOwner: Name, labelTask: "x/web/1", labelNode: "node-1"})
	others := leftover(t, e, "others", map[string]string{labelOwner: Name, labelTask: "x/web/2", labelNode: "node-2"})
	gone := leftover(t, e, "gone", map[string]string{labelOwner: Name, labelTask: "x/web/3", labelNode: "node-3", labelDir: filepath.Join(t.TempDir(), "gone")})
	there := leftover(t, e, "there", map[string]string{labelOwner: Name, labelTask: "x/web/4", labelNode: "node-3", labelDir: t.TempDir()})
	if got, err := d.removeDangling(t.Context(), time.Now()); err != nil || len(got) != 0 {
		t.Errorf("too young: %v %v", got, err)
	}
	later := time.Now().Add(time.Hour)
	dry := driverFor(t, e, map[string]any{"gc": map[string]any{"dangling_containers": map[string]any{"dry_run": true}}})
	dry.nodes.Store("node-1", true)
	if got, err := dry.removeDangling(t.Context(), later); err != nil || !slices.Contains(got, nobodys) || !exists(t, e, nobodys) {
		t.Errorf("dry run: %v %v", got, err)
	}
	if got, err := d.removeDangling(t.Context(), later); err != nil || len(got) != 2 || !slices.Contains(got, nobodys) || !slices.Contains(got, gone) {
		t.Errorf("removed %v %v", got, err)
	}
	if exists(t, e, nobodys) || exists(t, e, gone) || !exists(t, e, others) || !exists(t, e, there) {
		t.Error("the wrong one was removed")
	}
	if st, err := d.Inspect(t.Context(), j.ID); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("a known task: %+v %v", st, err)
	}
}

// TestEscapeLinks: links that a task has put into its directories lead no mount to the host, however often they change.
func TestEscapeLinks(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	outside := t.TempDir()
	for _, volume := range []string{"local/evil:/x", "../alloc/evil:/x", "evil:/x", "local/evil/sub:/x"} {
		j := newJob(t, "echo in >/x/file; ls /x", map[string]any{"volumes": []any{volume}})
		dir := j.TaskDir()
		for _, p := range []string{dir.Local, dir.Alloc, dir.Root} {
			if err := os.Symlink(outside, filepath.Join(p, "evil")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Start(t.Context(), j.TaskConfig); err == nil {
			t.Errorf("%s: started", volume)
			destroy(t, d, j)
		}
	}
	j := newJob(t, "true", map[string]any{"volumes": []any{"local/swap:/x"}})
	local := j.TaskDir().Local
	if err := os.Mkdir(filepath.Join(local, "real"), 0o777); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			target := outside
			if i%2 == 0 {
				target = "real"
			}
			_ = os.Symlink(target, filepath.Join(local, "new"))
			_ = os.Rename(filepath.Join(local, "new"), filepath.Join(local, "swap"))
		}
	}()
	for i := range 5 {
		j.ID = j.AllocID + "/web/" + strconv.Itoa(i)
		j.Config["args"] = []any{"-c", "echo in >/x/file"}
		if _, err := d.Start(t.Context(), j.TaskConfig); err == nil {
			wait(t, d, j)
			destroy(t, d, j)
		}
	}
	close(stop)
	<-done
	if list, _ := os.ReadDir(outside); len(list) != 0 {
		t.Errorf("a mount was led out: %v", list)
	}
	if list, _ := filepath.Glob(stageRoot + "/*"); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

func TestPorts(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	j := newJob(t, "while :; do echo hello | nc -l -p 8080; done", map[string]any{"ports": []any{"http"}})
	j.Resources.Ports = []drivers.Port{{Label: "http", Value: 23456, To: 8080, HostIP: "127.0.0.1"}, {Label: "other", Value: 23457}}
	h := start(t, d, j)
	if h.Network == nil || h.Network.IP == "" || h.Network.PortMap["http"] != 8080 || h.Network.AutoAdvertise {
		t.Errorf("%+v", h.Network)
	}
	eventually(t, "an answer on the mapped port", func() bool {
		c, err := e.Dial("127.0.0.1:23456")
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		text, _ := io.ReadAll(c)
		return string(text) == "hello\n"
	})
	busy := newJob(t, "true", map[string]any{"ports": []any{"http"}})
	busy.Resources.Ports = j.Resources.Ports
	if _, err := d.Start(t.Context(), busy.TaskConfig); err == nil || !drivers.IsRecoverable(err) {
		t.Errorf("a port that is taken: %v", err)
	}
	if exists(t, e, "web-"+busy.AllocID) {
		t.Error("what could not start is still there")
	}
}

// TestGroupNetwork: tasks of a group share a network that the driver makes and finds again.
func TestGroupNetwork(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	server := newJob(t, "while :; do echo pod | nc -l -p 7000; done", nil)
	spec, created, err := d.CreateNetwork(t.Context(), server.AllocID, "pod-1")
	if err != nil || !created {
		t.Fatal(created, err)
	}
	t.Cleanup(func() { _ = d.DestroyNetwork(t.Context(), server.AllocID, spec) })
	if _, err := os.Stat(spec.Path); err != nil || spec.Mode != drivers.NetworkGroup {
		t.Errorf("%+v %v", spec, err)
	}
	again, created, err := driverFor(t, e, nil).CreateNetwork(t.Context(), server.AllocID, "pod-1")
	if err != nil || created || again.Path != spec.Path {
		t.Errorf("found again: %+v %v %v", again, created, err)
	}
	spec.Address = "192.0.2.1"
	server.Network = spec
	server.Resources.Ports = []drivers.Port{{Label: "http", Value: 1, To: 7000}}
	server.Config["ports"] = []any{"http"}
	start(t, d, server)
	caller := newJob(t, "until nc 127.0.0.1 7000 >/tmp/x 2>/dev/null && [ -s /tmp/x ]; do sleep 0.05; done; cat /tmp/x; hostname; grep -c pod-1 /etc/hosts; cat /etc/resolv.conf", nil)
	caller.AllocID, caller.Network, caller.Name = server.AllocID, spec, "caller"
	caller.ID = caller.AllocID + "/caller/1"
	_ = os.Rename(filepath.Join(caller.AllocDir, "web"), filepath.Join(caller.AllocDir, "caller"))
	caller.DNS = &drivers.DNS{Servers: []string{"192.0.2.53"}, Searches: []string{"example"}}
	if got := run(t, d, caller); !slices.Equal(got, []string{"pod", "pod-1", "1", "nameserver 192.0.2.53", "search example"}) {
		t.Errorf("%q", got)
	}
	// Only the same allocation may share what is its own.
	thief := newJob(t, "true", map[string]any{"network_mode": "container:web-" + server.AllocID})
	_, err = d.Start(t.Context(), thief.TaskConfig)
	refused(t, err, "not of this allocation")
	thief.AllocID = server.AllocID
	thief.ID = "side/1"
	thief.Name = "side"
	_ = os.Rename(filepath.Join(thief.AllocDir, "web"), filepath.Join(thief.AllocDir, "side"))
	run(t, d, thief)
	destroy(t, d, server)
	destroy(t, d, caller)
	destroy(t, d, thief)
	if err := d.DestroyNetwork(t.Context(), server.AllocID, spec); err != nil {
		t.Fatal(err)
	}
	if list, err := e.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", labelAlloc+"="+server.AllocID)}); err != nil || len(list.Items) != 0 {
		t.Errorf("left: %v %v", list.Items, err)
	}
}

func TestMissingEngine(t *testing.T) {
	d := New(nil)
	if err := d.Configure(t.Context(), map[string]any{"endpoint": "unix:///nonexistent/docker.sock", "container_fallback": false}); err != nil {
		t.Fatal(err)
	}
	ch, err := d.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fp := <-ch; fp.Health != drivers.HealthUndetected || !strings.Contains(fp.Description, "/nonexistent/docker.sock") {
		t.Errorf("%+v", fp)
	}
	if _, err := d.Start(t.Context(), newJob(t, "true", nil).TaskConfig); !drivers.IsRecoverable(err) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%v", err)
	}
}
