package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
)

// heard is a program that says what it hears.
const heard = `trap 'echo heard' HUP; trap 'echo ending; exit 3' TERM; echo ready; while :; do sleep 0.05; done`

// testSuspend suspends a task, also across the death of the driver's process.
func testSuspend(t *testing.T, s Subject) {
	d := s.New(t)
	su, ok := drivers.SuspenderOf(d)
	if !ok {
		if su, is := d.(drivers.Suspender); is {
			if err := su.Suspend(t.Context(), "none"); !errors.Is(err, drivers.ErrUnsupported) && !errors.Is(err, drivers.ErrTaskNotFound) {
				t.Errorf("a driver that cannot suspend answers %v", err)
			}
		}
		t.Skip("the driver cannot suspend tasks")
	}
	if s.Script == nil {
		t.Skip("the driver runs no scripts")
	}
	for _, err := range []error{su.Suspend(t.Context(), "none"), su.Resume(t.Context(), "none")} {
		if !errors.Is(err, drivers.ErrTaskNotFound) {
			t.Errorf("an unknown task: %v", err)
		}
	}
	j := newJob(t, s, s.Script(heard))
	h := start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) == 1 })
	for range 2 {
		if err := su.Suspend(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	if s.Restart != nil {
		d = s.Restart(t)
		t.Cleanup(func() { _ = d.Destroy(context.Background(), j.ID, true) })
		su, _ = drivers.SuspenderOf(d)
		if err := d.Recover(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	testSuspended(t, d, j)
	for range 2 {
		if err := su.Resume(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the task to hear what was said meanwhile", func() bool { return len(j.output()) == 2 })
	// A suspended task hears that it is to end.
	if err := su.Suspend(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(t.Context(), j.ID, 10*time.Second, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, d, j.ID); r.ExitCode != 3 && !errors.Is(r.Err, drivers.ErrExitUnknown) {
		t.Errorf("%+v", r)
	}
	if err := su.Suspend(t.Context(), j.ID); err == nil {
		t.Error("an ended task was suspended")
	}
}

// testSuspended looks at a suspended task.
func testSuspended(t *testing.T, d drivers.Driver, j *job) {
	t.Helper()
	if st, err := d.Inspect(t.Context(), j.ID); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("%+v %v", st, err)
	}
	if sig, ok := drivers.SignalerOf(d); ok {
		if err := sig.Signal(t.Context(), j.ID, "SIGHUP"); err != nil {
			t.Error(err)
		}
	}
	if x, ok := drivers.ExecerOf(d); ok {
		if _, err := x.Exec(t.Context(), j.ID, drivers.ExecRequest{Command: []string{"true"}}); err == nil {
			t.Error("a command ran in a suspended task")
		}
	}
	if out := j.output(); len(out) != 1 {
		t.Errorf("a suspended task wrote %q", out)
	}
}

// testDestroySuspended ends a suspended task by force.
func testDestroySuspended(t *testing.T, s Subject) {
	d := s.New(t)
	su, ok := drivers.SuspenderOf(d)
	if !ok || s.Script == nil {
		t.Skip("the driver cannot suspend tasks, or runs no scripts")
	}
	j := newJob(t, s, s.Script(heard))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) == 1 })
	if err := su.Suspend(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.Destroy(t.Context(), j.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Inspect(t.Context(), j.ID); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("%v", err)
	}
}
