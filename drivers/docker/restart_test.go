package docker

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/docker/enginetest"
)

// counting writes numbered lines for a few seconds, then ends with 5.
const counting = "i=0; while [ $i -lt %d ]; do echo line $i; [ $((i%%7)) = 0 ] && echo err $i >&2; i=$((i+1)); [ $((i%%50)) = 0 ] && sleep 0.05; done; exit 5"

func checkLines(t *testing.T, j *job, n int) {
	t.Helper()
	eventually(t, "all lines", func() bool {
		return strings.Count(j.out.String(), "\n") >= n && strings.Contains(j.errs.String(), fmt.Sprintf("err %d\n", (n-1)/7*7))
	})
	for i, line := range strings.Split(strings.TrimSuffix(j.out.String(), "\n"), "\n") {
		if line != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	for i, line := range strings.Split(strings.TrimSuffix(j.errs.String(), "\n"), "\n") {
		if line != fmt.Sprintf("err %d", i*7) {
			t.Fatalf("line %d of standard error is %q", i, line)
		}
	}
}

// TestEngineRestarts: an engine with live-restore is killed and comes back while tasks run, and end; nothing is lost or told twice. The fingerprint follows.
func TestEngineRestarts(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	d.every = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fps, err := d.Fingerprint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next := func(want drivers.Health) {
		t.Helper()
		select {
		case fp := <-fps:
			if fp.Health != want {
				t.Fatalf("fingerprint %+v, want %s", fp, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no fingerprint: want %s", want)
		}
	}
	next(drivers.HealthHealthy)
	const lines = 6000
	runs := newJob(t, fmt.Sprintf(counting, lines), nil)
	ends := newJob(t, "echo ready; while [ ! -e /local/end ]; do sleep 0.05; done; exit 3", nil)
	start(t, d, runs)
	start(t, d, ends)
	eventually(t, "some lines", func() bool { return strings.Count(runs.out.String(), "\n") > 500 && ends.out.String() != "" })
	if err := e.Down(true); err != nil {
		t.Fatal(err)
	}
	next(drivers.HealthUnhealthy)
	if err := os.WriteFile(filepath.Join(ends.TaskDir().Local, "end"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Start(t.Context(), newJob(t, "true", nil).TaskConfig); !drivers.IsRecoverable(err) {
		t.Errorf("start without an engine: %v", err)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	next(drivers.HealthHealthy)
	if r := wait(t, d, ends); r.ExitCode != 3 {
		t.Errorf("ended meanwhile: %+v", r)
	}
	if r := wait(t, d, runs); r.ExitCode != 5 {
		t.Errorf("%+v", r)
	}
	checkLines(t, runs, lines)
}

// TestRecoverWithoutEngine: a new process takes charge of a task while the engine is away; and of one whose container somebody has removed.
func TestRecoverWithoutEngine(t *testing.T) {
	e := engineFor(t)
	d := driverFor(t, e, nil)
	const lines = 4000
	j, lost := newJob(t, fmt.Sprintf(counting, lines), nil), newJob(t, "sleep 600", nil)
	h, h2 := start(t, d, j), start(t, d, lost)
	eventually(t, "some lines", func() bool { return strings.Count(j.out.String(), "\n") > 500 })
	abandon(d, j)
	abandon(d, lost)
	if err := remove(t.Context(), e.Client, "web-"+lost.AllocID); err != nil {
		t.Fatal(err)
	}
	if err := e.Down(false); err != nil {
		t.Fatal(err)
	}
	d2 := driverFor(t, e, nil)
	for _, handle := range []*drivers.TaskHandle{h, h2, h} {
		if err := d2.Recover(t.Context(), handle); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { destroy(t, d2, j); destroy(t, d2, lost) })
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, d2, j); r.ExitCode != 5 {
		t.Errorf("%+v", r)
	}
	if r := wait(t, d2, lost); r.Successful() || r.Err == nil {
		t.Errorf("removed: %+v", r)
	}
	checkLines(t, j, lines)
}

// abandon makes a driver forget a task as one that is killed does.
func abandon(d *Driver, j *job) {
	t, _ := d.tasks.Lookup(j.ID)
	t.stopWatching()
	<-t.watched
	d.tasks.Delete(j.ID)
}

// TestEngineWithoutLiveRestore: the engine's end is the end of its containers, and is told as such.
func TestEngineWithoutLiveRestore(t *testing.T) {
	if why := enginetest.Missing(); why != "" {
		t.Skip("not here: " + why)
	}
	e, err := enginetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	d := driverFor(t, e, nil)
	j := newJob(t, "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done", nil)
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return j.out.String() != "" })
	if err := e.Down(false); err != nil {
		t.Fatal(err)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, d, j); r.ExitCode != 7 {
		t.Errorf("%+v", r)
	}
	eventually(t, "the last line", func() bool { return strings.HasSuffix(j.out.String(), "told\n") })
	destroy(t, d, j)
	if list, err := e.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true}); err != nil || len(list.Items) != 0 {
		t.Errorf("left: %v %v", list.Items, err)
	}
}

// TestSlowReader: an agent that is away for a while loses nothing that the engine keeps.
func TestSlowReader(t *testing.T) {
	d := driverFor(t, engineFor(t), nil)
	j := newJob(t, "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done", nil)
	// Another reader, that begins late.
	_ = os.Remove(j.StdoutPath)
	if err := unix.Mkfifo(j.StdoutPath, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, d, j)
	eventually(t, "the container to end", func() bool {
		task, err := d.tasks.Get(j.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, ended, err := task.look(t.Context())
		return err == nil && ended
	})
	f, err := os.OpenFile(j.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(&j.out, f) }()
	t.Cleanup(func() { _ = f.Close() })
	if r := wait(t, d, j); !r.Successful() {
		t.Errorf("%+v", r)
	}
	eventually(t, "all lines", func() bool { return strings.Count(j.out.String(), "\n") >= 40000 })
	if !strings.HasSuffix(j.out.String(), "line 39999\n") {
		t.Error("the last line is missing")
	}
}
