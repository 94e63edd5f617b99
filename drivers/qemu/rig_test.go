package qemu

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/qemu/qemutest"
)

func TestMain(m *testing.M) {
	runtime.LockOSThread() // as a driver's host does
	goleak.VerifyTestMain(m)
}

// need skips a test where there is no QEMU.
func need(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(defaultEmulator()); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("not here: run make test-deps, which installs QEMU")
	}
}

// driver is a driver with a configuration.
func driver(t *testing.T, config map[string]any) *Driver {
	t.Helper()
	d := New(slog.New(slog.DiscardHandler))
	if err := d.Configure(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return d
}

// job is a task with its directories and pipes; out collects what the guest and QEMU say.
type job struct {
	*drivers.TaskConfig
	out, errs *os.File
	text      bytes.Buffer
}

func newJob(t *testing.T, config map[string]any) *job {
	t.Helper()
	dir := t.TempDir()
	id := "alloc-" + rand.Text()
	j := &job{TaskConfig: &drivers.TaskConfig{ID: id + "/vm/1", AllocID: id, Name: "vm", AllocDir: dir, Config: config,
		Resources: drivers.Resources{CPUShares: 500, MemoryMB: 128}, StdoutPath: dir + "/alloc/logs/o", StderrPath: dir + "/alloc/logs/e"}}
	td := j.TaskDir()
	for _, p := range []string{td.Local, td.Secrets, td.Private, td.Tmp, td.Logs} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for p := dir; p != "/tmp" && p != "/"; p = filepath.Dir(p) { // the test's own directories are private
		_ = os.Chmod(p, 0o755)
	}
	_ = os.Chmod(td.Local, 0o777)
	_ = os.Chmod(td.Tmp, 0o777)
	j.out, j.errs = pipe(t, j.StdoutPath), pipe(t, j.StderrPath)
	return j
}

func pipe(t *testing.T, path string) *os.File {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// read returns all that has come from the pipes so far.
func (j *job) read() string {
	buf := make([]byte, 32<<10)
	for _, f := range []*os.File{j.out, j.errs} {
		for {
			_ = f.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := f.Read(buf)
			j.text.Write(buf[:n])
			if err != nil {
				break
			}
		}
	}
	return j.text.String()
}

// start starts a task and sees to its end.
func (j *job) start(t *testing.T, d *Driver) *drivers.TaskHandle {
	t.Helper()
	h, err := d.Start(t.Context(), j.TaskConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := d.Destroy(ctx, j.ID, true); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("output: %s", j.read())
		}
	})
	return h
}

// eventually polls until ok, for what real machines do in their own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// says waits until the guest has written a text.
func (j *job) says(t *testing.T, d *Driver, text string) {
	t.Helper()
	eventually(t, "the guest to say "+text, func() bool {
		if st, err := d.Inspect(t.Context(), j.ID); err != nil || st.State != drivers.TaskRunning {
			return strings.Contains(j.read(), text) || t.Failed() || func() bool { t.Fatalf("it ended: %s", j.read()); return true }()
		}
		return strings.Contains(j.read(), text)
	})
}

// put writes a file into the task's local directory and returns the path that the job names it by.
func (j *job) put(t *testing.T, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(j.TaskDir().Local, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return "local/" + name
}

// sector is a guest of one sector.
func sector(t *testing.T, s qemutest.Sector) []byte {
	t.Helper()
	b, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// linux puts a real guest into the task's directory.
func (j *job) linux(t *testing.T) {
	t.Helper()
	_, _, err := qemutest.Linux(j.TaskDir().Local)
	if errors.Is(err, qemutest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	j.Config["kernel"], j.Config["initrd"], j.Config["append"] = "local/vmlinuz", "local/initrd", qemutest.LinuxArgs
}
