package drivertest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
)

// Subject is a driver under test.
type Subject struct {
	// New makes the driver, configured and ready.
	New func(t *testing.T) drivers.Driver
	// Restart kills the driver's process the hard way and returns the driver that takes over; nil when there is no process.
	Restart func(t *testing.T) drivers.Driver
	// Script is the task configuration that runs a /bin/sh script; nil for a driver that runs no programs.
	Script func(script string) map[string]any
	// Mock writes task configurations for a driver that runs no programs.
	Mock func(o Mocked) map[string]any
	// Prepare makes what a task's root needs beyond its directories.
	Prepare func(t *testing.T, task *drivers.TaskConfig)
	// User that tasks run as.
	User string
	// Codes are the exit codes that its tasks can have; nil is any.
	Codes []int
	// CleanStop: a task that is told to end may do so with success.
	CleanStop bool
	// KeepsExits: how a task ended is known to somebody beside the driver's process, so that it can always tell.
	KeepsExits bool
}

// Mocked is what a driver that runs no programs is asked to pretend.
type Mocked struct {
	RunFor time.Duration
	Code   int
	Stdout string
	// Stubborn tasks do not end by a signal.
	Stubborn bool
}

// job is a task that a test runs, with a reader at the other end of its pipes.
type job struct {
	*drivers.TaskConfig
	mu             sync.Mutex
	lines, errors  []string
	stdout, stderr *os.File
}

// newJob makes the directories and pipes of a task.
func newJob(t *testing.T, s Subject, config map[string]any) *job {
	t.Helper()
	dir := t.TempDir()
	id := rand.Text()
	j := &job{TaskConfig: &drivers.TaskConfig{
		ID: "alloc-" + id + "/web/1", JobName: "job", JobID: "job", Group: "group", Name: "web", AllocID: "alloc-" + id, Namespace: "default",
		Env:      map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "TASK_VARIABLE": "from the job"},
		User:     s.User,
		AllocDir: dir, Resources: drivers.Resources{CPUShares: 100, MemoryMB: 128},
		StdoutPath: filepath.Join(dir, "alloc", "logs", ".web.stdout.fifo"), StderrPath: filepath.Join(dir, "alloc", "logs", ".web.stderr.fifo"),
		Config: config,
	}}
	d := j.TaskDir()
	for _, p := range []string{d.Local, d.Secrets, d.Private, d.Tmp, d.Logs, filepath.Join(d.Alloc, "data"), filepath.Join(d.Alloc, "tmp")} {
		if err := os.MkdirAll(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{dir, filepath.Dir(dir), d.Root, d.Tmp, d.Alloc} { // the test's own directories are private
		_ = os.Chmod(p, 0o777)
	}
	j.stdout = j.read(t, j.StdoutPath, &j.lines)
	j.stderr = j.read(t, j.StderrPath, &j.errors)
	t.Cleanup(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if t.Failed() && len(j.errors) > 0 {
			t.Logf("the task's standard error: %q", j.errors[:min(len(j.errors), 20)])
		}
	})
	if s.Prepare != nil {
		s.Prepare(t, j.TaskConfig)
	}
	return j
}

// read makes a pipe and collects its lines.
func (j *job) read(t *testing.T, path string, into *[]string) *os.File {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sc := bufio.NewScanner(f); sc.Scan(); {
			j.mu.Lock()
			*into = append(*into, sc.Text())
			j.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = f.Close(); <-done })
	return f
}

// output returns the lines so far.
func (j *job) output() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}

// eventually polls until ok, for things that real processes do in their own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute) // an emulated machine beside others takes its time
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// start starts a task and sees to its end after the test.
func start(t *testing.T, d drivers.Driver, j *job) *drivers.TaskHandle {
	t.Helper()
	h, err := d.Start(t.Context(), j.TaskConfig)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := d.Destroy(ctx, j.ID, true); err != nil {
			t.Logf("cleanup: %v", err)
		}
	})
	return h
}

// wait waits for the end of a task.
func wait(t *testing.T, d drivers.Driver, id string) drivers.ExitResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := d.Wait(ctx, id)
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return r
}

// tells is whether an error names what it is about, so that a reader can find it. Kinds are compared with errors.Is.
func tells(err error, about string) bool { return strings.Contains(fmt.Sprint(err), about) }
