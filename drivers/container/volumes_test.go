package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers/container/image"
)

func volumeMount(source string, more map[string]any) []any {
	m := map[string]any{"type": "volume", "source": source, "target": "/data"}
	for k, v := range more {
		m[k] = v
	}
	return []any{m}
}

// A volume with a name keeps what one task wrote for the next, of the same namespace, and belongs to the image's user from the beginning.
func TestNamedVolumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volumes")
	w := newWorld(t, map[string]any{"volumes": map[string]any{"enabled": true, "dir": dir}})
	layer := t.TempDir()
	if err := os.Mkdir(filepath.Join(layer, "data"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(layer, "data"), 1000, 1001); err != nil {
		t.Fatal(err)
	}
	w.image("app", image.Config{User: "1000:1001", Env: []string{"PATH=/bin"}}, layer, w.root)
	script := func(text string, more map[string]any) *run {
		return w.run(map[string]any{"image": "app", "command": "sh", "args": []any{"-c", text}, "mount": volumeMount("some-data.1", more)})
	}
	script("echo kept > /data/file; stat -c '%u %g %a' /data", nil).expect("1000 1001 750")
	script("cat /data/file; echo x > /data/file || echo refused", map[string]any{"readonly": true, "volume_options": map[string]any{"no_copy": true}}).expect("kept", "refused")
	other := script("ls -A /data | wc -l", nil)
	other.task.Namespace = "other"
	other.expect("0")
	if text, err := os.ReadFile(filepath.Join(dir, "default", "some-data.1", "file")); err != nil || string(text) != "kept\n" {
		t.Errorf("%q %v", text, err)
	}
}

func TestEscapeNamedVolumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volumes")
	w := newWorld(t, map[string]any{"volumes": map[string]any{"enabled": true, "dir": dir}})
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc", "a\x00b", "-x", ".hidden", strings.Repeat("n", 129)} {
		w.run(map[string]any{"command": "true", "mount": volumeMount(name, nil)}).refused("the name of a volume")
	}
	for _, options := range []map[string]any{
		{"driver_config": map[string]any{"options": map[string]any{"o": "bind", "device": "/", "type": "none"}}},
		{"driver_config": map[string]any{"name": "nfs"}},
		{"labels": map[string]any{"a": "b"}},
	} {
		w.run(map[string]any{"command": "true", "mount": volumeMount("v", map[string]any{"volume_options": options})}).refused("volume_options")
	}
	// A link in the place of the volume is the operator's, and still not followed.
	if err := os.MkdirAll(filepath.Join(dir, "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "default", "link")); err != nil {
		t.Fatal(err)
	}
	w.run(map[string]any{"command": "true", "mount": volumeMount("link", nil)}).refused("not a directory")
	off := newWorld(t, nil)
	off.run(map[string]any{"command": "true", "mount": volumeMount("v", nil)}).refused("volumes { enabled = true }")
	// Set-user-ID files in a volume give nothing.
	w.script("true").finish()
	w.run(map[string]any{"command": "sh", "args": []any{"-c", "grep ' /data ' /proc/self/mountinfo"}, "mount": volumeMount("v", nil)}).expect("nosuid", "nodev")
}

func TestCpusetCPUs(t *testing.T) {
	w := newWorld(t, nil)
	look := map[string]any{"command": "sh", "args": []any{"-c", "grep Cpus_allowed_list /proc/self/status"}, "cpuset_cpus": "0"}
	w.run(look).expect("Cpus_allowed_list:\t0\n")
	r := w.run(look)
	r.task.Resources.Cpuset = "1-2"
	r.refused("cpuset_cpus")
}
