package docker

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/internal/imagefile"
)

// withoutEngine is a driver on a node without an engine, and a job whose image lies beside it.
func withoutEngine(t *testing.T) (*Driver, func(script string, options map[string]any) *job) {
	t.Helper()
	if why := contain.LayersUnsupported(); why != "" || os.Geteuid() != 0 {
		t.Skip("not here: containers need root and overlayfs " + why)
	}
	files, err := imagefile.Busybox()
	if err != nil {
		t.Skip("not here: " + err.Error() + ": run make test-deps")
	}
	config := map[string]any{"endpoint": "unix://" + t.TempDir() + "/docker.sock", "container": map[string]any{"image_dir": t.TempDir()}}
	d := New(slog.New(slog.DiscardHandler))
	if err := d.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return d, func(script string, options map[string]any) *job {
		j := newJob(t, script, options)
		j.Config["image"], j.Config["load"] = "busybox:test", "image.tar"
		f, err := os.Create(filepath.Join(j.TaskDir().Local, "image.tar"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := imagefile.Write(f, "busybox:test", imagefile.Config{Env: []string{"PATH=/bin"}}, files); err != nil {
			t.Fatal(err)
		}
		return j
	}
}

func TestFallback(t *testing.T) {
	d, newJob := withoutEngine(t)
	fps, err := d.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fp := <-fps; fp.Health != drivers.HealthHealthy || fp.Attributes["driver.docker"] != true || fp.Attributes["driver.docker.fallback"] != "container" {
		t.Errorf("%+v", fp)
	}
	j := newJob("echo $TASK_VARIABLE; cat /local/in; while [ ! -e /local/end ]; do sleep 0.05; done; exit 4",
		map[string]any{"logging": []any{map[string]any{"type": "syslog"}}, "init": true, "runtime": "runc"})
	if err := os.WriteFile(filepath.Join(j.TaskDir().Local, "in"), []byte("local\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := start(t, d, j)
	eventually(t, "its output", func() bool { return j.out.String() == "from the job\nlocal\n" })
	// Another process takes charge, also when the operator has forbidden the fallback meanwhile.
	d2 := New(nil)
	if err := d2.Configure(t.Context(), map[string]any{"container_fallback": false, "container": map[string]any{"image_dir": t.TempDir()}}); err != nil {
		t.Fatal(err)
	}
	if err := d2.Recover(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if running, known := d2.Tasks(); running != 1 || known != 1 {
		t.Errorf("%d of %d tasks run", running, known)
	}
	if err := os.WriteFile(filepath.Join(j.TaskDir().Local, "end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, d2, j); r.ExitCode != 4 && r.Err == nil {
		t.Errorf("%+v", r)
	}
	for option, value := range map[string]any{"ipv4_address": "192.0.2.1", "volume_driver": "local", "storage_opt": map[string]any{"size": "1G"}} {
		_, err := d.Start(t.Context(), newJob("true", map[string]any{option: value}).TaskConfig)
		refused(t, err, option)
	}
	_, err = d.Start(t.Context(), newJob("true", map[string]any{"privileged": true}).TaskConfig)
	refused(t, err, "privileged")
}

// TestFallbackWaitsForAnEngineThatWasThere: one that is being restarted is not passed over.
func TestFallbackWaitsForAnEngineThatWasThere(t *testing.T) {
	d, newJob := withoutEngine(t)
	d.seen.Store(time.Now().UnixNano())
	if _, err := d.Start(t.Context(), newJob("true", nil).TaskConfig); !drivers.IsRecoverable(err) {
		t.Errorf("%v", err)
	}
	if fp, engine := d.probe(t.Context()); engine || fp.Health != drivers.HealthUnhealthy {
		t.Errorf("%+v", fp)
	}
	d.seen.Store(time.Now().Add(-2 * engineGrace).UnixNano())
	if fp, engine := d.probe(t.Context()); engine || fp.Health != drivers.HealthHealthy {
		t.Errorf("%+v", fp)
	}
	run(t, d, newJob("true", nil))
}

func TestFallbackNetwork(t *testing.T) {
	d, newJob := withoutEngine(t)
	a := newJob("ls /sys/class/net | grep -v -e tunl0 -e sit0 -e ip6tnl0; hostname", nil)
	spec, created, err := d.CreateNetwork(t.Context(), a.AllocID, "pod-1")
	if err != nil || !created {
		t.Fatal(created, err)
	}
	t.Cleanup(func() { _ = d.DestroyNetwork(t.Context(), a.AllocID, spec) })
	if again, created, err := d.CreateNetwork(t.Context(), a.AllocID, "pod-1"); err != nil || created || again.Path != spec.Path {
		t.Errorf("%+v %v %v", again, created, err)
	}
	a.Network = spec
	if got := run(t, d, a); !slices.Contains(got, "pod-1") || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "eth") }) {
		t.Errorf("%q", got)
	}
	for range 2 {
		if err := d.DestroyNetwork(t.Context(), a.AllocID, spec); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(spec.Path); err == nil {
		t.Error("the namespace is still there")
	}
}
