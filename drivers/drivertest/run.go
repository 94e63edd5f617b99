package drivertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
)

// Run checks everything that holds for every driver.
func Run(t *testing.T, s Subject) {
	t.Run("Info", func(t *testing.T) { testInfo(t, s) })
	t.Run("Config", func(t *testing.T) { testConfig(t, s) })
	t.Run("Exit", func(t *testing.T) { testExit(t, s) })
	t.Run("Stop", func(t *testing.T) { testStop(t, s) })
	t.Run("StopTimeout", func(t *testing.T) { testStopTimeout(t, s) })
	t.Run("WaitCancel", func(t *testing.T) { testWaitCancel(t, s) })
	t.Run("Unknown", func(t *testing.T) { testUnknown(t, s) })
	t.Run("Destroy", func(t *testing.T) { testDestroy(t, s) })
	t.Run("Recover", func(t *testing.T) { testRecover(t, s) })
	t.Run("Stats", func(t *testing.T) { testStats(t, s) })
	t.Run("Output", func(t *testing.T) { testOutput(t, s) })
	t.Run("Suspend", func(t *testing.T) { testSuspend(t, s) })
	t.Run("DestroySuspended", func(t *testing.T) { testDestroySuspended(t, s) })
	t.Run("Checkpoint", func(t *testing.T) { testCheckpoint(t, s) })
	if s.Script != nil {
		runPrograms(t, s)
	}
}

// task is the configuration of a task that does what is asked, whichever kind of driver it is for.
func (s Subject) task(o Mocked) map[string]any {
	if s.Script == nil {
		return s.Mock(o)
	}
	script := ""
	if o.Stubborn {
		script = "trap '' TERM INT HUP; "
	} else {
		// A program that is the first of its process namespace ends by a signal only if it says so.
		script = "trap 'exit 143' TERM; trap 'exit 130' INT; "
	}
	if o.Stdout != "" {
		script += "printf '%s\\n' '" + o.Stdout + "'; "
	}
	if o.RunFor > 0 {
		script += "i=0; while [ $i -lt " + seconds(o.RunFor) + " ]; do sleep 0.1; i=$((i+1)); done; "
	}
	return s.Script(script + "exit " + itoa(o.Code))
}

func testInfo(t *testing.T, s Subject) {
	d := s.New(t)
	info := d.Info()
	if info.Name == "" || info.Version == "" || info.Abilities.FS == "" {
		t.Errorf("incomplete: %+v", info)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ch, err := d.Fingerprint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fp := <-ch
	if fp.Err != nil || fp.Health != drivers.HealthHealthy || fp.Attributes["driver."+info.Name] != true {
		t.Errorf("fingerprint: %+v", fp)
	}
	cancel()
	for range ch { // must be closed
	}
}

func testConfig(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{}))
	j.Config["no_such_option"] = 1
	_, err := d.Start(t.Context(), j.TaskConfig)
	if err == nil || !tells(err, "no_such_option") {
		t.Errorf("unknown option: %v", err)
	}
	if drivers.IsRecoverable(err) {
		t.Error("a wrong configuration counts as recoverable")
	}
	if err := d.TaskSchema().Validate(j.Config); err == nil {
		t.Error("the schema lets it pass")
	}
}

func testExit(t *testing.T, s Subject) {
	d := s.New(t)
	codes := s.Codes
	if codes == nil {
		codes = []int{0, 1, 42}
	}
	for _, code := range codes {
		j := newJob(t, s, s.task(Mocked{Code: code}))
		h := start(t, d, j)
		if h.Config == nil || h.Config.ID != j.ID || h.State != drivers.TaskRunning {
			t.Errorf("handle: %+v", h)
		}
		for range 2 { // the answer is kept
			if r := wait(t, d, j.ID); r.ExitCode != code || r.Signal != 0 || r.Err != nil || r.OOMKilled {
				t.Errorf("code %d: %+v", code, r)
			}
		}
		st, err := d.Inspect(t.Context(), j.ID)
		if err != nil || st.State != drivers.TaskExited || st.Exit == nil || st.Exit.ExitCode != code || st.CompletedAt.Before(st.StartedAt) {
			t.Errorf("inspect: %+v %v", st, err)
		}
	}
}

func testStop(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute, Stdout: "ready"}))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	st, err := d.Inspect(t.Context(), j.ID)
	if err != nil || st.State != drivers.TaskRunning || st.StartedAt.IsZero() || !st.CompletedAt.IsZero() {
		t.Errorf("inspect: %+v %v", st, err)
	}
	began := time.Now()
	if err := d.Stop(t.Context(), j.ID, 20*time.Second, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v: the signal did not arrive", took)
	}
	if r := wait(t, d, j.ID); r.Err != nil || (r.Successful() && !s.CleanStop) {
		t.Errorf("%+v", r)
	}
	if err := d.Stop(t.Context(), j.ID, time.Second, ""); err != nil {
		t.Errorf("stop again: %v", err)
	}
}

func testStopTimeout(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute, Stdout: "ready", Stubborn: true}))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	began := time.Now()
	if err := d.Stop(t.Context(), j.ID, 300*time.Millisecond, "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if r := wait(t, d, j.ID); r.Signal != 9 {
		t.Errorf("%+v, want signal 9", r)
	}
}

func testWaitCancel(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute}))
	start(t, d, j)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Wait(ctx, j.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
}

func testUnknown(t *testing.T, s Subject) {
	d := s.New(t)
	const id = "no/such/task"
	_, waitErr := d.Wait(t.Context(), id)
	_, inspectErr := d.Inspect(t.Context(), id)
	stopErr := d.Stop(t.Context(), id, 0, "")
	for what, err := range map[string]error{"wait": waitErr, "inspect": inspectErr, "stop": stopErr} {
		if !errors.Is(err, drivers.ErrTaskNotFound) || !tells(err, id) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := d.Destroy(t.Context(), id, true); err != nil {
		t.Errorf("destroy: %v", err)
	}
}

func testDestroy(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute}))
	start(t, d, j)
	if err := d.Destroy(t.Context(), j.ID, false); err == nil {
		t.Error("a running task was destroyed without force")
	}
	for range 2 {
		if err := d.Destroy(t.Context(), j.ID, true); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Inspect(t.Context(), j.ID); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("inspect after destroy: %v", err)
	}
}

// testRecover: the driver's process dies; the task goes on, and the next process finds it by its handle.
func testRecover(t *testing.T, s Subject) {
	if s.Restart == nil {
		t.Skip("there is no process to kill")
	}
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{RunFor: 2 * time.Second, Code: 7, Stdout: "ready"}))
	h := start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	before, err := d.Inspect(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	d2 := s.Restart(t)
	if _, err := d.Inspect(t.Context(), j.ID); !errors.Is(err, drivers.ErrUnavailable) {
		t.Errorf("the dead driver answers %v", err)
	}
	for range 2 {
		if err := d2.Recover(t.Context(), h); err != nil {
			t.Fatalf("recover: %v", err)
		}
	}
	t.Cleanup(func() { _ = d2.Destroy(context.Background(), j.ID, true) })
	after, err := d2.Inspect(t.Context(), j.ID)
	if err != nil || after.State != drivers.TaskRunning || after.Attributes["pid"] != before.Attributes["pid"] {
		t.Errorf("before %+v, after %+v %v", before, after, err)
	}
	r := wait(t, d2, j.ID)
	if r.ExitCode != 7 && !errors.Is(r.Err, drivers.ErrExitUnknown) {
		t.Errorf("%+v, want code 7 or that it is not known", r)
	}
	if errors.Is(r.Err, drivers.ErrExitUnknown) && keepsExits() {
		t.Errorf("%+v, though the kernel keeps exit codes", r)
	}
}

func testStats(t *testing.T, s Subject) {
	d := s.New(t)
	st, ok := drivers.StaterOf(d)
	if !ok {
		t.Skip("no statistics")
	}
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute}))
	start(t, d, j)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ch, err := st.Stats(ctx, j.ID, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		u, open := <-ch
		if !open || u.Err != nil || u.Time.IsZero() {
			t.Fatalf("%+v %v", u, open)
		}
	}
	if u, err := drivers.Usage(ctx, st, j.ID); err != nil || u.Time.IsZero() {
		t.Errorf("one measurement: %+v %v", u, err)
	}
	if err := d.Destroy(ctx, j.ID, true); err != nil {
		t.Fatal(err)
	}
	for range ch { // closed with the task's end
	}
	if ctx.Err() != nil {
		t.Error("the stream outlived its task")
	}
}

func testOutput(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.task(Mocked{Stdout: "hello, world", RunFor: 100 * time.Millisecond}))
	start(t, d, j)
	wait(t, d, j.ID)
	eventually(t, "the line", func() bool { return len(j.output()) == 1 && j.output()[0] == "hello, world" })
}
