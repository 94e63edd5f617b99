package qemu

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
	"github.com/seraihq/serai/internal/cgroup"
)

// freePort is a port that nobody has at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestLinux is the life of a real machine, in one boot: it answers on its forwarded port, is measured and limited, is found again by a second
// driver, and shuts down when asked.
func TestLinux(t *testing.T) {
	need(t)
	d := driver(t, nil)
	j := newJob(t, map[string]any{"graceful_shutdown": true, "guest_agent": true, "port_map": map[string]any{"http": 80}})
	j.linux(t)
	port := freePort(t)
	j.Resources.Ports = []drivers.Port{{Label: "http", Value: port, HostIP: "127.0.0.1"}}
	h := j.start(t, d)
	j.says(t, d, "the guest is up")
	answer := ""
	eventually(t, "an answer", func() bool {
		client := http.Client{Timeout: 5 * time.Second}
		defer client.CloseIdleConnections()
		resp, err := client.Get("http://127.0.0.1:" + strconv.Itoa(port))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer = string(b)
		return resp.StatusCode == http.StatusOK
	})
	if answer != "hello from the guest\n" {
		t.Errorf("answer %q", answer)
	}
	if l, err := cgroup.Find(); err == nil && l.Has("memory") && os.Geteuid() == 0 {
		if u, err := drivers.Usage(t.Context(), d, j.ID); err != nil || u.Memory.Usage < 30<<20 || u.Memory.Usage > (128+overheadMiB)<<20 {
			t.Errorf("usage %+v %v", u.Memory, err)
		}
	}
	second := driver(t, nil) // as after a restart of the driver's host
	if err := second.Recover(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(t.Context(), j.ID, time.Minute, ""); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Wait(t.Context(), j.ID); err != nil || !r.Successful() {
		t.Errorf("%+v %v", r, err)
	}
	if !strings.Contains(j.read(), "the guest shuts down") {
		t.Error("the guest was not asked")
	}
	if err := second.Destroy(t.Context(), j.ID, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.Config.AllocDir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(mustDir(t)); err != nil || len(sockets(left)) > 0 {
		t.Errorf("sockets are left: %v %v", left, err)
	}
}

func mustDir(t *testing.T) string {
	t.Helper()
	dir, err := privateDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// sockets leaves out those of machines that others run on this node.
func sockets(entries []os.DirEntry) (out []string) {
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().Type() == os.ModeSocket && time.Since(st.ModTime()) < time.Minute {
			if c, err := net.Dial("unix", "/run/serai/qemu/"+e.Name()); err == nil {
				_ = c.Close()
				continue
			}
			out = append(out, e.Name())
		}
	}
	return out
}

// TestKilled: the end of QEMU by force is told as what it was.
func TestKilled(t *testing.T) {
	need(t)
	d := driver(t, nil)
	j := newJob(t, map[string]any{})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
	j.start(t, d)
	j.says(t, d, "ready")
	st, err := d.Inspect(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(st.Attributes["pid"])
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Wait(t.Context(), j.ID); err != nil || r.Signal != 9 || r.Successful() {
		t.Errorf("%+v %v", r, err)
	}
}

// TestDisk: the guest can write to its disk, in a raw image and in a qcow2 one, and the interfaces are there.
func TestDisk(t *testing.T) {
	need(t)
	d := driver(t, nil)
	for _, bus := range []string{"ide", "virtio", "floppy"} {
		j := newJob(t, map[string]any{"drive_interface": bus})
		j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
		h := j.start(t, d)
		j.says(t, d, "ready")
		answer := human(t, h, "info block")
		if !strings.Contains(answer, "/dev/fdset/1") || strings.Contains(answer, "read-only") {
			t.Errorf("%s: %s", bus, answer)
		}
		if bus == "virtio" {
			_ = human(t, h, `qemu-io virtio0 \"write -P 7 32768 512\"`)
			if b, err := os.ReadFile(j.TaskDir().Local + "/disk.img"); err != nil || b[32768] != 7 {
				t.Errorf("nothing was written: %v", err)
			}
		}
		if err := d.Stop(t.Context(), j.ID, 10*time.Second, ""); err != nil {
			t.Error(err)
		}
		if r, err := d.Wait(t.Context(), j.ID); err != nil || !r.Successful() {
			t.Errorf("%s: %+v %v", bus, r, err)
		}
	}
}

// human sends a command to the monitor.
func human(t *testing.T, h *drivers.TaskHandle, command string) string {
	t.Helper()
	answer, err := ask(t, h, command)
	if err != nil {
		t.Fatalf("%s: %v after %s", command, err, answer)
	}
	return answer
}

func ask(t *testing.T, h *drivers.TaskHandle, command string) (string, error) {
	t.Helper()
	conn, err := dial(t.Context(), socketPath(mustDir(t), h.Config.ID, monitorSocket))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintf(conn, `{"execute":"qmp_capabilities"}{"execute":"human-monitor-command","arguments":{"command-line":"%s"},"id":"x"}`, command)
	var text []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(text), `"id": "x"`) {
		n, err := conn.Read(buf)
		if err != nil {
			return string(text), err
		}
		text = append(text, buf[:n]...)
	}
	return string(text), nil
}

// TestGroupNetwork: in a network of the group's own, the ports are there and not on the node.
func TestGroupNetwork(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not here: it takes root")
	}
	netns := make(chan *os.File)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			close(netns)
			return
		}
		f, _ := os.Open("/proc/thread-self/ns/net")
		netns <- f
	}()
	ns, ok := <-netns
	if !ok {
		t.Skip("not here: no namespaces can be made")
	}
	defer ns.Close()
	d := driver(t, nil)
	j := newJob(t, map[string]any{"port_map": map[string]any{"http": 80}})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
	j.Network = &drivers.NetworkIsolation{Mode: drivers.NetworkGroup, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.Fd())}
	j.Resources.Ports = []drivers.Port{{Label: "http", Value: 20007, To: 8080, HostIP: "10.9.8.7"}}
	j.start(t, d)
	j.says(t, d, "ready")
	st, err := d.Inspect(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/" + st.Attributes["pid"] + "/net/tcp")
	if want := fmt.Sprintf("00000000:%04X", 8080); err != nil || strings.Count(string(table), "\n") != 2 || !strings.Contains(string(table), want) {
		t.Errorf("%v: its network listens at\n%s", err, table)
	}
}

// TestPortTaken: a port that a stranger has is told before QEMU starts, as something that may pass.
func TestPortTaken(t *testing.T) {
	need(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := driver(t, nil)
	j := newJob(t, map[string]any{"port_map": map[string]any{"http": 80}})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{}))
	j.Resources.Ports = []drivers.Port{{Label: "http", Value: l.Addr().(*net.TCPAddr).Port, HostIP: "127.0.0.1"}}
	_, err = d.Start(t.Context(), j.TaskConfig)
	if !drivers.IsRecoverable(err) || !strings.Contains(err.Error(), "80") {
		t.Errorf("%v", err)
	}
}

// TestLowPort: QEMU's user has no rights, and a port below 1024 can be had all the same.
func TestLowPort(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not here: it takes root")
	}
	d := driver(t, nil)
	j := newJob(t, map[string]any{"port_map": map[string]any{"http": 80}})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
	j.Resources.Ports = []drivers.Port{{Label: "http", Value: 907, HostIP: "127.77.0.1"}}
	j.start(t, d)
	j.says(t, d, "ready")
	conn, err := net.Dial("tcp", "127.77.0.1:907")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// TestTrial: the guest of the trial ends as it should without KVM, and what the trial says of KVM is one of two things.
func TestTrial(t *testing.T) {
	need(t)
	c := &confinement{}
	var err error
	if c.emulator, err = findEmulator("", nil); err != nil {
		t.Fatal(err)
	}
	if c.who, err = credentials("", config{User: nobody}); err != nil {
		t.Fatal(err)
	}
	took, err := c.run(t.Context(), accelTCG, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("without KVM: %v", took)
	d := driver(t, nil)
	first := d.kvmWorks(t.Context(), c)
	second := driver(t, nil).kvmWorks(t.Context(), c) // as kept
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("first %v, then %v", first, second)
	}
	t.Logf("KVM: %v", first)
	if os.Geteuid() == 0 {
		root := &confinement{emulator: c.emulator}
		if _, err := os.Stat(kvmDevice); err == nil {
			t.Logf("KVM as root: %v", root.compare(t.Context()))
		}
	}
}

// TestFingerprint: QEMU is reported at once, and its version after it.
func TestFingerprint(t *testing.T) {
	need(t)
	d := driver(t, nil)
	ch, err := d.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, second := <-ch, <-ch
	if first.Health != drivers.HealthHealthy || !strings.Contains(fmt.Sprint(first.Attributes["driver.qemu.emulators"]), defaultEmulator()) {
		t.Errorf("%+v", first)
	}
	if v, _ := second.Attributes["driver.qemu.version"].(string); second.Health != drivers.HealthHealthy || v == "" || v[0] < '0' || v[0] > '9' {
		t.Errorf("%+v", second)
	}
	t.Setenv("PATH", "/nowhere")
	ch, err = d.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if none := <-ch; none.Health != drivers.HealthUndetected {
		t.Errorf("%+v", none)
	}
}

// TestStopTold: a guest that pays no heed to its power button is killed, and that is told.
func TestStopTold(t *testing.T) {
	need(t)
	d := driver(t, nil)
	j := newJob(t, map[string]any{"graceful_shutdown": true})
	j.Config["image_path"] = j.put(t, "disk.img", sector(t, qemutest.Sector{Text: "ready\n", RunFor: time.Minute}))
	events, err := d.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j.start(t, d)
	j.says(t, d, "ready")
	if err := d.Stop(t.Context(), j.ID, 300*time.Millisecond, ""); err != nil {
		t.Fatal(err)
	}
	if ev := <-events; !strings.Contains(ev.Message, "did not shut down") {
		t.Errorf("%+v", ev)
	}
	if r, err := d.Wait(t.Context(), j.ID); err != nil || r.Signal != 9 || errors.Is(r.Err, drivers.ErrExitUnknown) {
		t.Errorf("%+v %v", r, err)
	}
}
