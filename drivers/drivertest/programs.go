package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/signals"
)

func itoa(n int) string { return strconv.Itoa(n) }

// seconds is a duration in tenths of a second.
func seconds(d time.Duration) string { return itoa(int(d / (100 * time.Millisecond))) }

// keepsExits is whether the kernel tells how a process ended that is not a child.
func keepsExits() bool {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	return unix.IoctlPidfdInfo(fd, &info) == nil && info.Supported_mask&unix.PIDFD_INFO_EXIT != 0
}

// runPrograms checks what holds for drivers that run programs.
func runPrograms(t *testing.T, s Subject) {
	t.Run("SignalDeath", func(t *testing.T) { testSignal(t, s) })
	t.Run("Ignored", func(t *testing.T) { testIgnored(t, s) })
	t.Run("PipeFull", func(t *testing.T) { testPipeFull(t, s) })
	t.Run("NotFound", func(t *testing.T) { testNotFound(t, s) })
	t.Run("Environment", func(t *testing.T) { testEnvironment(t, s) })
	t.Run("LogsOverRestart", func(t *testing.T) { testLogs(t, s) })
	t.Run("PipeReplaced", func(t *testing.T) { testPipeReplaced(t, s) })
	t.Run("Strays", func(t *testing.T) { testStrays(t, s) })
	t.Run("EndedUnseen", func(t *testing.T) { testEndedUnseen(t, s) })
	t.Run("Exec", func(t *testing.T) { testExec(t, s) })
	t.Run("ExecTerminal", func(t *testing.T) { testExecTerminal(t, s) })
	t.Run("ExecCancel", func(t *testing.T) { testExecCancel(t, s) })
	t.Run("Cores", func(t *testing.T) { testCores(t, s) })
	t.Run("Mounts", func(t *testing.T) { testMounts(t, s) })
	t.Run("Propagation", func(t *testing.T) { testPropagation(t, s) })
	t.Run("Percentages", func(t *testing.T) { testPercentages(t, s) })
	t.Run("Parallel", func(t *testing.T) { testParallel(t, s) })
}

func testSignal(t *testing.T, s Subject) {
	d := s.New(t)
	sig, ok := drivers.SignalerOf(d)
	if !ok {
		t.Skip("no signals")
	}
	j := newJob(t, s, s.Script("trap 'echo got hup' HUP; trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) == 1 })
	if err := sig.Signal(t.Context(), j.ID, "SIGNONSENSE"); err == nil {
		t.Error("a signal that does not exist was sent")
	}
	if err := sig.Signal(t.Context(), j.ID, "SIGHUP"); err != nil {
		t.Error(err)
	}
	eventually(t, "the signal", func() bool { return len(j.output()) == 2 })
	if err := sig.Signal(t.Context(), j.ID, "usr1"); err != nil {
		t.Error(err)
	}
	if r := wait(t, d, j.ID); r.ExitCode != 9 {
		t.Errorf("%+v", r)
	}
}

func testNotFound(t *testing.T, s Subject) {
	d := s.New(t)
	config := s.Script("")
	config["command"] = "no-such-program"
	j := newJob(t, s, config)
	_, err := d.Start(t.Context(), j.TaskConfig)
	se, ok := errors.AsType[*drivers.StartError](err)
	if !ok || se.ExitCode != drivers.ExitCommandNotFound || se.Recoverable || !tells(err, "no-such-program") {
		t.Errorf("%#v", err)
	}
	if _, err := d.Inspect(t.Context(), j.ID); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("something of the task is left: %v", err)
	}
}

func testEnvironment(t *testing.T, s Subject) {
	t.Setenv("NOMAD_TOKEN", "a secret of the agent")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	d := s.New(t)
	// Programs also write by the name of their output.
	j := newJob(t, s, s.Script("env > /dev/stdout && echo error > /dev/stderr"))
	start(t, d, j)
	if r := wait(t, d, j.ID); !r.Successful() {
		t.Errorf("%+v", r)
	}
	eventually(t, "the environment", func() bool { return strings.Contains(strings.Join(j.output(), "\n"), "TASK_VARIABLE=from the job") })
	if all := strings.Join(j.output(), "\n"); strings.Contains(all, "secret") || strings.Contains(all, "another") || strings.Contains(all, "PLUGIN_") {
		t.Errorf("the agent's environment reached the task:\n%s", all)
	}
}

// testIgnored: whoever started the agent may have let it ignore signals (nohup, a script's background); its tasks do not.
func testIgnored(t *testing.T, s Subject) {
	if s.Restart == nil {
		t.Skip("there is no process that inherits it")
	}
	ignored := []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTSTP, unix.SIGTTOU}
	signal.Ignore(ignored...)
	t.Cleanup(func() {
		signal.Reset(ignored...)
		signals.Unignore() // what whoever started the tests let them ignore
	})
	d := s.New(t)
	j := newJob(t, s, s.Script("grep SigIgn /proc/self/status"))
	start(t, d, j)
	wait(t, d, j.ID)
	eventually(t, "the signals", func() bool { return len(j.output()) > 0 })
	var mask uint64
	if _, err := fmt.Sscanf(j.output()[0], "SigIgn: %x", &mask); err != nil {
		t.Fatal(err)
	}
	for _, s := range ignored { // a shell may have its own
		if n := int(s.(unix.Signal)); mask&(1<<(n-1)) != 0 {
			t.Errorf("%v is ignored", s)
		}
	}
}

// testPipeFull: a task whose output nobody reads is held up by it, and nobody else is; it can be measured, told to end, and destroyed, and what it wrote
// is there for a reader that comes late.
func testPipeFull(t *testing.T, s Subject) {
	d := s.New(t)
	j := newJob(t, s, s.Script("trap 'exit 0' TERM; echo first line; i=0; while [ $i -lt 4000 ]; do echo 0123456789abcdef0123456789abcdef; i=$((i+1)); done; while :; do sleep 0.1; done"))
	// A pipe of the test's own, without a reader.
	if err := errors.Join(os.Remove(j.StdoutPath), unix.Mkfifo(j.StdoutPath, 0o600)); err != nil {
		t.Fatal(err)
	}
	start(t, d, j)
	late, err := os.OpenFile(j.StdoutPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = late.Close() })
	filled, looks := 0, 0
	eventually(t, "a pipe that takes no more", func() bool {
		n, err := unix.IoctlGetInt(int(late.Fd()), unix.TIOCINQ)
		if looks++; err != nil || n == 0 || n != filled {
			filled, looks = n, 0
		}
		return looks > 100
	})
	other := newJob(t, s, s.Script("echo beside it"))
	start(t, d, other)
	if r := wait(t, d, other.ID); !r.Successful() {
		t.Errorf("a task beside it: %+v", r)
	}
	if st, err := d.Inspect(t.Context(), j.ID); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("%+v %v", st, err)
	}
	began := time.Now()
	if err := d.Stop(t.Context(), j.ID, 500*time.Millisecond, "SIGTERM"); err != nil {
		t.Error(err)
	}
	wait(t, d, j.ID)
	// A driver whose output comes from somebody else may give a reader some time to come back.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v to end", took)
	}
	text := make([]byte, len("first line\n"))
	if _, err := io.ReadFull(late, text); err != nil || string(text) != "first line\n" {
		t.Errorf("a late reader sees %q %v", text, err)
	}
}

// testLogs: the driver's process dies while a task writes, and not a line is missing.
func testLogs(t *testing.T, s Subject) {
	d := s.New(t)
	const lines = 20000
	j := newJob(t, s, s.Script(fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done", lines)))
	h := start(t, d, j)
	eventually(t, "some lines", func() bool { return len(j.output()) > 100 })
	if s.Restart != nil {
		d = s.Restart(t)
		if err := d.Recover(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, d, j.ID)
	eventually(t, "all lines", func() bool { return len(j.output()) >= lines })
	for i, line := range j.output() {
		if line != "line "+itoa(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if err := d.Destroy(t.Context(), j.ID, false); err != nil {
		t.Error(err)
	}
}

// testPipeReplaced: a task that puts something else in the place of its output pipe gains nothing by it.
func testPipeReplaced(t *testing.T, s Subject) {
	d := s.New(t)
	for name, replace := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink("/etc/serai-must-not-exist", path) },
		"file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		j := newJob(t, s, s.Script("echo hello"))
		if err := os.Remove(j.StdoutPath); err != nil {
			t.Fatal(err)
		}
		if err := replace(j.StdoutPath); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Start(t.Context(), j.TaskConfig); err == nil {
			t.Errorf("%s: started", name)
			_ = d.Destroy(t.Context(), j.ID, true)
		}
		if b, err := os.ReadFile(j.StdoutPath); err == nil && len(b) > 0 {
			t.Errorf("%s: written to", name)
		}
	}
	// The directory of the pipes can be a link to another task's.
	victim, j := newJob(t, s, nil), newJob(t, s, s.Script("echo stolen"))
	logs := j.TaskDir().Logs
	if err := os.Rename(logs, logs+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim.TaskDir().Logs, logs); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Start(t.Context(), j.TaskConfig); err == nil {
		t.Error("started with the pipes of another task")
		_ = d.Destroy(t.Context(), j.ID, true)
	}
}

// testStrays: what a task leaves behind ends with it.
func testStrays(t *testing.T, s Subject) {
	if os.Geteuid() != 0 {
		t.Skip("not here: without root there are no control groups, by which strays are found")
	}
	d := s.New(t)
	j := newJob(t, s, s.Script("for i in 1 2 3; do setsid sh -c 'trap \"\" TERM INT HUP; while :; do echo stray; sleep 0.02; done' & done; sleep 0.3; exit 0"))
	start(t, d, j)
	if r := wait(t, d, j.ID); r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
	if err := d.Destroy(t.Context(), j.ID, false); err != nil {
		t.Error(err)
	}
	var seen int
	eventually(t, "the strays to fall silent", func() bool {
		before := seen
		seen = len(j.output())
		pause := time.NewTimer(100 * time.Millisecond)
		<-pause.C
		return seen == before && len(j.output()) == seen
	})
}

// testEndedUnseen: a task that ended while its driver was dead is reported as ended, never as a success that nobody saw.
func testEndedUnseen(t *testing.T, s Subject) {
	if s.Restart == nil {
		t.Skip("there is no process to kill")
	}
	d := s.New(t)
	j := newJob(t, s, s.Script("echo ready; sleep 600"))
	h := start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) == 1 })
	st, err := d.Inspect(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(st.Attributes["pid"])
	if err != nil {
		t.Fatal(err)
	}
	d2 := s.Restart(t)
	_ = unix.Kill(pid, unix.SIGKILL)
	eventually(t, "the task to end", func() bool { return unix.Kill(pid, 0) != nil })
	if err := d2.Recover(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	r := wait(t, d2, j.ID)
	if r.Successful() || errors.Is(r.Err, drivers.ErrExitUnknown) == s.KeepsExits || s.KeepsExits && r.Signal != 9 {
		t.Errorf("%+v", r)
	}
	if err := d2.Destroy(t.Context(), j.ID, false); err != nil {
		t.Error(err)
	}
}

func testExec(t *testing.T, s Subject) {
	d := s.New(t)
	ex, ok := drivers.ExecerOf(d)
	if !ok {
		t.Skip("no exec")
	}
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute, Stdout: "ready"}))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	var out, errs bytes.Buffer
	r, err := ex.Exec(t.Context(), j.ID, drivers.ExecRequest{
		Command: []string{"/bin/sh", "-c", "cat; echo $TASK_VARIABLE; echo oops >&2; exit 5"},
		Stdin:   strings.NewReader("input\n"), Stdout: &out, Stderr: &errs})
	if err != nil || r.ExitCode != 5 || out.String() != "input\nfrom the job\n" || errs.String() != "oops\n" {
		t.Errorf("%+v %v: %q %q", r, err, out.String(), errs.String())
	}
	var big counter
	r, err = ex.Exec(t.Context(), j.ID, drivers.ExecRequest{Command: []string{"/bin/sh", "-c", "head -c 5000000 /dev/zero"}, Stdout: &big})
	if err != nil || r.ExitCode != 0 || big != 5000000 {
		t.Errorf("much output: %+v %v: %d bytes", r, err, big)
	}
	r, err = ex.Exec(t.Context(), j.ID, drivers.ExecRequest{Command: []string{"no-such-program"}})
	if err == nil && r.ExitCode != drivers.ExitCommandNotFound {
		t.Errorf("unknown command: %+v %v", r, err)
	}
	if _, err := ex.Exec(t.Context(), "no/such/task", drivers.ExecRequest{Command: []string{"true"}}); !errors.Is(err, drivers.ErrTaskNotFound) {
		t.Errorf("unknown task: %v", err)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// transcript is a buffer that may be read while it is written.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *transcript) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *transcript) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testExecTerminal(t *testing.T, s Subject) {
	d := s.New(t)
	ex, ok := drivers.ExecerOf(d)
	if !ok {
		t.Skip("no exec")
	}
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute, Stdout: "ready"}))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	var out transcript
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	sizes := make(chan drivers.TerminalSize, 1)
	sizes <- drivers.TerminalSize{Height: 33, Width: 77}
	done := make(chan error, 1)
	go func() {
		r, err := ex.Exec(t.Context(), j.ID, drivers.ExecRequest{TTY: true, Stdin: in, Stdout: &out, Resize: sizes,
			Command: []string{"/bin/sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo a terminal; while read x; do stty size; done; exit 3"}})
		if err == nil && r.ExitCode != 3 {
			err = fmt.Errorf("%+v", r)
		}
		done <- err
	}()
	eventually(t, "the terminal", func() bool { return strings.Contains(out.String(), "a terminal") })
	eventually(t, "the size: "+out.String(), func() bool {
		_, _ = typed.WriteString("\n")
		return strings.Contains(out.String(), "33 77")
	})
	sizes <- drivers.TerminalSize{Height: 44, Width: 88}
	eventually(t, "the new size", func() bool {
		_, _ = typed.WriteString("\n")
		return strings.Contains(out.String(), "44 88")
	})
	_ = typed.Close()
	if err := <-done; err != nil {
		t.Errorf("%v: %q", err, out.String())
	}
}

func testExecCancel(t *testing.T, s Subject) {
	d := s.New(t)
	ex, ok := drivers.ExecerOf(d)
	if !ok {
		t.Skip("no exec")
	}
	j := newJob(t, s, s.task(Mocked{RunFor: time.Minute, Stdout: "ready"}))
	start(t, d, j)
	eventually(t, "the task to run", func() bool { return len(j.output()) > 0 })
	ctx, cancel := context.WithCancel(t.Context())
	var out transcript
	done := make(chan error, 1)
	go func() {
		_, err := ex.Exec(ctx, j.ID, drivers.ExecRequest{Command: []string{"/bin/sh", "-c", "echo $$; exec sleep 600"}, Stdout: &out})
		done <- err
	}()
	eventually(t, "the command", func() bool { return out.String() != "" })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if st, err := d.Inspect(t.Context(), j.ID); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("the task ended with the command: %+v %v", st, err)
	}
}

// testPercentages: a driver that says so tells percentages in its first measurement, of the time since the task's start.
func testPercentages(t *testing.T, s Subject) {
	d := s.New(t)
	st, ok := drivers.StaterOf(d)
	if !ok || !drivers.MeasuresAtOnce(d) || os.Geteuid() != 0 {
		t.Skip("not here: it needs two measurements")
	}
	j := newJob(t, s, s.Script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; sleep 600"))
	start(t, d, j)
	eventually(t, "the work", func() bool { return len(j.output()) > 0 })
	if u, err := drivers.Usage(t.Context(), st, j.ID); err != nil || u.CPU.Percent <= 0 || u.CPU.Percent > 1000 {
		t.Errorf("%+v %v", u.CPU, err)
	}
}

// testParallel starts and ends many tasks at once.
func testParallel(t *testing.T, s Subject) {
	d := s.New(t)
	var wg sync.WaitGroup
	for i := range 12 {
		j := newJob(t, s, s.Script("echo hello; exit "+itoa(i)))
		wg.Go(func() {
			if _, err := d.Start(t.Context(), j.TaskConfig); err != nil {
				t.Error(err)
				return
			}
			if r, err := d.Wait(t.Context(), j.ID); err != nil || r.ExitCode != i {
				t.Errorf("%d: %+v %v", i, r, err)
			}
			if err := d.Destroy(t.Context(), j.ID, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
