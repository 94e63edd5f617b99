package qemu

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/drivers"
)

func TestForwards(t *testing.T) {
	ports := []drivers.Port{{Label: "http", Value: 20001, HostIP: "10.0.0.1"}, {Label: "to", Value: 20002, To: 22, HostIP: "10.0.0.1"}, {Label: "other", Value: 20003}}
	for _, c := range []struct {
		portMap map[string]int
		inGroup bool
		want    string
	}{
		{map[string]int{"http": 80}, false, "10.0.0.1:20001-:80 10.0.0.1:20002-:22"},
		{map[string]int{"http": 80, "to": 2222}, true, ":20001-:80 :22-:2222"},
		{map[string]int{"ssh": 22}, false, `error: port_map: the group has no port "ssh"`},
	} {
		list, err := forwards(c.portMap, ports, c.inGroup)
		var text []string
		for _, f := range list {
			text = append(text, f.String())
		}
		got := strings.Join(text, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && !strings.HasPrefix(got, c.want+":") {
			t.Errorf("%v: %s, want %s", c, got, c.want)
		}
	}
	if _, err := forwards(nil, []drivers.Port{{Label: "six", Value: 1, To: 2, HostIP: "::1"}}, false); err == nil {
		t.Error("IPv6 was accepted")
	}
}

func TestConfig(t *testing.T) {
	for _, bad := range []map[string]any{
		{"image_paths": []any{"relative"}}, {"args_allowlist": []any{"device"}}, {"args_allowlist": []any{"-device [x"}}, {"emulators_allowlist": []any{"a/b"}},
		{"emulators_allowlist": []any{""}}, {"denied_host_uids": "x"}, {"nonsense": true},
	} {
		if _, err := decodeConfig(bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	for _, bad := range []map[string]any{
		{}, {"initrd": "x", "image_path": "y"}, {"append": "x", "image_path": "y"}, {"image_path": "x", "port_map": map[string]any{"a": 0}},
		{"kernel": "x", "append": strings.Repeat("x", maxAppend+1)},
	} {
		if _, err := decodeTask(bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestFindEmulator(t *testing.T) {
	need(t)
	if _, err := findEmulator("qemu-system-none", nil); err == nil || !strings.Contains(err.Error(), "PATH") {
		t.Error(err)
	}
	if _, err := findEmulator("qemu-system-none", []string{"qemu-system-x86_64"}); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Error(err)
	}
	if path, err := findEmulator("", []string{"qemu-system-x86_64"}); err != nil || !filepath.IsAbs(path) {
		t.Error(path, err)
	}
}

// TestMonitor: a monitor that answers with an error, with nonsense, without end or not at all makes an error, in time.
func TestMonitor(t *testing.T) {
	for name, talk := range map[string]string{
		"error":    `{"QMP":{}}` + "\n" + `{"error":{"class":"CommandNotFound","desc":"no such"}}` + "\n",
		"nonsense": "hello\n", "long": strings.Repeat("x", maxMessage+1), "events": `{"QMP":{}}` + "\n" + strings.Repeat(`{"event":"X"}`+"\n", maxMessages+1),
		"closed": "",
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(talk))
		}()
		if err := powerdown(context.Background(), path); err == nil {
			t.Errorf("%s: no error", name)
		}
		<-done
		_ = l.Close()
	}
}

func FuzzMonitor(f *testing.F) {
	f.Add([]byte(`{"return": {}}` + "\n"))
	f.Add([]byte(`{"event":"SHUTDOWN"}` + "\n" + `{"error":{"class":"x","desc":"y"}}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = execute(&bytes.Buffer{}, bufio.NewReaderSize(bytes.NewReader(in), maxMessage), "x")
	})
}

func FuzzInspect(f *testing.F) {
	f.Add(qcow2(2), "")
	f.Add(qcow2(3)[:200], formatQcow2)
	f.Add([]byte("KDMV"), formatRaw)
	f.Fuzz(func(t *testing.T, in []byte, wanted string) {
		format, err := inspect(bytes.NewReader(in), wanted)
		if err == nil && format == formatQcow2 && (len(in) < offIncompatible || !bytes.Equal(in[offBackingFile:offBackingFile+8], make([]byte, 8))) {
			t.Errorf("accepted: % x", in[:min(len(in), headerSize)])
		}
	})
}

func FuzzArguments(f *testing.F) {
	f.Add("-device\nvirtio-rng-pci\n-snapshot")
	f.Add("-device\n-name\n/etc/shadow")
	f.Fuzz(func(t *testing.T, in string) {
		args, err := arguments(strings.Split(in, "\n"), []string{"-device virtio-*", "-snapshot", "-name"})
		if err != nil {
			return
		}
		for i := 0; i < len(args); i++ { // as QEMU reads it
			name, ok := option(args[i])
			switch {
			case !ok:
				t.Fatalf("%q is taken for an image", args)
			case name == "snapshot":
			case name == "device" || name == "name":
				if i++; i >= len(args) || (name == "device" && !strings.HasPrefix(args[i], "virtio-")) {
					t.Fatalf("%q", args)
				}
			default:
				t.Fatalf("%q passed", args)
			}
		}
	})
}
