package docker

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// job is a task with somebody at the other end of its pipes.
type job struct {
	*drivers.TaskConfig
	out, errs output
}

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	file *os.File
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// newJob makes the directories and pipes of a task that runs a script, with further options.
func newJob(t *testing.T, script string, options map[string]any) *job {
	t.Helper()
	dir := t.TempDir()
	alloc := "a" + strings.ToLower(rand.Text()[:12])
	config := map[string]any{"image": enginetest.Image, "command": "/bin/sh", "args": []any{"-c", script}}
	for k, v := range options {
		config[k] = v
	}
	j := &job{TaskConfig: &drivers.TaskConfig{
		ID: alloc + "/web/1", JobName: "job", JobID: "job", Group: "group", Name: "web", AllocID: alloc, Namespace: "default", NodeID: "node-1",
		Env: map[string]string{"TASK_VARIABLE": "from the job"}, AllocDir: dir, Resources: drivers.Resources{CPUShares: 100, MemoryMB: 64},
		StdoutPath: filepath.Join(dir, "alloc", "logs", ".web.stdout.fifo"), StderrPath: filepath.Join(dir, "alloc", "logs", ".web.stderr.fifo"),
		Config: config,
	}}
	d := j.TaskDir()
	for _, p := range []string{d.Local, d.Secrets, d.Private, d.Tmp, d.Logs, filepath.Join(d.Alloc, "data")} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(p, 0o777)
	}
	j.out.read(t, j.StdoutPath)
	j.errs.read(t, j.StderrPath)
	return j
}

func (o *output) read(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(o, f) }()
	t.Cleanup(func() { _ = f.Close(); <-done })
}

// start starts a task and sees to its end after the test.
func start(t *testing.T, d drivers.Driver, j *job) *drivers.TaskHandle {
	t.Helper()
	h, err := d.Start(t.Context(), j.TaskConfig)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { destroy(t, d, j) })
	return h
}

func destroy(t *testing.T, d drivers.Driver, j *job) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.Destroy(ctx, j.ID, true); err != nil {
		t.Errorf("destroy: %v", err)
	}
}

func wait(t *testing.T, d drivers.Driver, j *job) drivers.ExitResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r, err := d.Wait(ctx, j.ID)
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return r
}

// run runs a script to its end and returns its output by lines.
func run(t *testing.T, d drivers.Driver, j *job) []string {
	t.Helper()
	start(t, d, j)
	if r := wait(t, d, j); !r.Successful() {
		t.Errorf("%+v: %s", r, j.errs.String())
	}
	return strings.Split(strings.TrimSuffix(j.settle(t), "\n"), "\n")
}

// settle returns what a task that has ended wrote, once it has been read to the last byte.
func (j *job) settle(t *testing.T) string {
	t.Helper()
	const mark = "\x00the end"
	f, err := os.OpenFile(j.StdoutPath, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(mark); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the output's end", func() bool { return strings.HasSuffix(j.out.String(), mark) })
	return strings.TrimSuffix(j.out.String(), mark)
}

// eventually polls for what real processes do in their own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// refused is an error of Start that names what is wrong and will not go away.
func refused(t *testing.T, err error, about string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), about) || drivers.IsRecoverable(err) {
		t.Errorf("got %v, want a final error about %q", err, about)
	}
}
