package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestAllocCommands(t *testing.T) {
	t.Parallel()
	a := shared(t)
	id := a.jobID(t)
	a.register(t, oneGroup(id, "service", shell("t",
		`trap 'echo got hup' HUP
i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); done
echo oops >&2
echo data > ${NOMAD_TASK_DIR}/file
while true; do sleep 0.05; done`, `kill_timeout = "300ms"`)))
	s := a.waitOne(t, id, "running")
	a.waitLogs(t, s.ID, "t", "stdout", "line 19\n")
	short := s.ID[:8]

	t.Run("status", func(t *testing.T) {
		for _, args := range [][]string{{"alloc", "status", short}, {"alloc", "status", "-verbose", s.ID}, {"alloc-status", s.ID[:6]}} {
			out := a.ok(t, args...)
			for _, want := range []string{id, "running", "Started", "t"} {
				if !strings.Contains(out, want) {
					t.Errorf("%v lacks %q:\n%s", args, want, out)
				}
			}
		}
		var one allocStub
		a.okJSON(t, &one, "alloc", "status", "-json", short)
		if one.ID != s.ID {
			t.Errorf("-json gives %s", one.ID)
		}
		if out := a.ok(t, "alloc", "status", "-t", "{{.ClientStatus}}", short); strings.TrimSpace(out) != "running" {
			t.Errorf("-t gives %q", out)
		}
		a.ok(t, "alloc", "status", "-stats", short)
		if r := a.cli(t, "alloc", "status", "ffffffff"); r.code != 1 {
			t.Errorf("no such allocation: %v", r)
		}
		if r := a.cli(t, "alloc", "status", "x"); r.code != 1 {
			t.Errorf("a prefix of one letter: %v", r)
		}
	})
	t.Run("logs", func(t *testing.T) {
		if out := a.ok(t, "alloc", "logs", short); !strings.HasPrefix(out, "line 0\n") || !strings.HasSuffix(out, "line 19\n") {
			t.Errorf("logs: %q", out)
		}
		if out := a.ok(t, "logs", "-stderr", short, "t"); out != "oops\n" {
			t.Errorf("logs -stderr: %q", out)
		}
		if out := a.ok(t, "alloc", "logs", "-tail", "-n", "2", short); out != "line 18\nline 19\n" {
			t.Errorf("logs -tail -n 2: %q", out)
		}
		if out := a.ok(t, "alloc", "logs", "-job", id); !strings.Contains(out, "line 19") {
			t.Errorf("logs -job: %q", out)
		}
		if r := a.cli(t, "alloc", "logs", short, "nothing"); r.code != 1 {
			t.Errorf("logs of no task: %v", r)
		}
	})
	t.Run("exec", func(t *testing.T) {
		r := a.cli(t, "alloc", "exec", short, "/bin/sh", "-c", "echo out; echo err >&2; echo $NOMAD_TASK_NAME; exit 42")
		if r.code != 42 || r.stdout != "out\nt\n" || !strings.Contains(r.stderr, "err") {
			t.Errorf("exec: %v", r)
		}
		r = a.cliIn(t, "one two\nthree\n", "alloc", "exec", "-i", "-task", "t", short, "/usr/bin/wc", "-w")
		if r.code != 0 || strings.TrimSpace(r.stdout) != "3" {
			t.Errorf("exec with stdin: %v", r)
		}
		if r := a.cli(t, "alloc", "exec", short, "/no/such/program"); r.code == 0 {
			t.Errorf("exec of no program: %v", r)
		}
		if r := a.cli(t, "exec", "-job", id, "/bin/true"); r.code != 0 {
			t.Errorf("exec -job: %v", r)
		}
		big := strings.Repeat("0123456789abcde\n", 64<<10) // 1 MB there and back
		if r := a.cliIn(t, big, "alloc", "exec", "-i", short, "/bin/cat"); r.code != 0 || r.stdout != big {
			t.Errorf("exec cat of 1 MB: exit code %d, %d bytes back, stderr %s", r.code, len(r.stdout), r.stderr)
		}
	})
	t.Run("fs", func(t *testing.T) {
		if out := a.ok(t, "alloc", "fs", short); !strings.Contains(out, "alloc") || !strings.Contains(out, "t") {
			t.Errorf("fs: %q", out)
		}
		if out := a.ok(t, "alloc", "fs", short, "t/local/file"); out != "data\n" {
			t.Errorf("fs of a file: %q", out)
		}
		if out := a.ok(t, "fs", "-stat", "-H", short, "t/local/file"); !strings.Contains(out, "file") {
			t.Errorf("fs -stat: %q", out)
		}
		if out := a.ok(t, "alloc", "fs", "-tail", "-n", "1", short, "alloc/logs/t.stdout.0"); out != "line 19\n" {
			t.Errorf("fs -tail: %q", out)
		}
		for _, path := range []string{"../../../../etc/passwd", "/etc/passwd", "t/secrets/../../../x"} {
			if r := a.cli(t, "alloc", "fs", short, path); r.code == 0 || strings.Contains(r.stdout, "root:") {
				t.Errorf("fs of %s: %v", path, r)
			}
		}
	})
	t.Run("signal", func(t *testing.T) {
		a.ok(t, "alloc", "signal", "-s", "SIGHUP", short)
		a.waitLogs(t, s.ID, "t", "stdout", "got hup")
		if r := a.cli(t, "alloc", "signal", "-s", "SIGNOPE", short); r.code != 1 {
			t.Errorf("no such signal: %v", r)
		}
	})
	t.Run("restart", func(t *testing.T) {
		before := a.taskPID(t, s.ID, "t")
		a.ok(t, "alloc", "restart", short)
		a.waitAllocs(t, id, "one restart", func(l stubs) bool {
			return len(l) == 1 && l[0].TaskStates["t"].Restarts == 1 && l[0].TaskStates["t"].State == "running"
		})
		if after := a.taskPID(t, s.ID, "t"); after == before {
			t.Error("the process is the same")
		}
		if r := a.cli(t, "alloc", "restart", short, "nothing"); r.code != 1 {
			t.Errorf("restart of no task: %v", r)
		}
	})
	t.Run("follow", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := a.command(ctx, "alloc", "logs", "-f", short)
		var out syncBuffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the output so far", func() (bool, string) { return strings.Contains(out.String(), "line 19"), out.String() })
		a.ok(t, "alloc", "signal", "-s", "HUP", short)
		eventually(t, "the new line", func() (bool, string) { return strings.Count(out.String(), "got hup") >= 2, out.String() })
		// The stream ends by itself when the task is dead.
		a.ok(t, "alloc", "stop", "-detach", short)
		err := cmd.Wait()
		if ctx.Err() != nil {
			t.Errorf("logs -f does not end with the task: %v", err)
		}
	})
	t.Run("stop replaces", func(t *testing.T) {
		// The stream of logs ends before the servers know that the task is dead.
		a.waitAllocs(t, id, "a replacement runs", func(l stubs) bool {
			return len(l) == 2 && len(l.with("running")) == 1 && l.with("running")[0].ID != s.ID
		})
	})
}

// syncBuffer is a buffer that a command writes while a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// terminal opens a pseudo terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs pseudo terminals: %v", err)
	}
	var n uint32
	var zero int32
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&zero))); e != 0 {
		t.Fatal(e)
	}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTN, uintptr(unsafe.Pointer(&n))); e != 0 {
		t.Fatal(e)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func resize(t *testing.T, f *os.File, rows, cols uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}); err != nil {
		t.Fatal(err)
	}
}

func TestExecOnATerminal(t *testing.T) {
	t.Parallel()
	a := shared(t)
	for _, driver := range []string{"raw_exec", "exec"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			if driver == "exec" {
				needRoot(t)
			}
			id := a.jobID(t)
			a.register(t, strings.ReplaceAll(oneGroup(id, "service", shell("t", "exec sleep 600")), `"raw_exec"`, fmt.Sprintf("%q", driver)))
			s := a.waitOne(t, id, "running")
			master, slave := terminal(t)
			resize(t, master, 33, 101)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := a.command(ctx, "alloc", "exec", "-i", "-t", s.ID[:8], "/bin/sh")
			cmd.Env = append(cmd.Env, "TERM=xterm")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			slave.Close()
			var screen syncBuffer
			go func() {
				buf := make([]byte, 4096)
				for {
					n, err := master.Read(buf)
					if err != nil {
						return
					}
					screen.Write(buf[:n])
				}
			}()
			say := func(line, want string) {
				t.Helper()
				if _, err := master.WriteString(line); err != nil {
					t.Fatal(err)
				}
				eventually(t, fmt.Sprintf("%q after %q", want, line), func() (bool, string) {
					return strings.Contains(screen.String(), want), screen.String()
				})
			}
			say("tty && echo is-a-$((40+2))-tty\n", "is-a-42-tty")
			say("stty size\n", "33 101")
			resize(t, master, 44, 120)
			say("until stty size | grep -q '44 120'; do sleep 0.05; done; echo resized-$((1+1))\n", "resized-2")
			// Ctrl-C goes to the command there, not to the CLI. The command itself says that it runs: a shell that is just about to start one
			// may lose the signal.
			say("sh -c 'echo asleep-$((1+2)); exec sleep 500'\n", "asleep-3")
			say("\x03", "^C")
			say("echo still-$((1+1))-here\n", "still-2-here")
			master.WriteString("exit 5\n")
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 5 {
				t.Errorf("exit code %d, want 5; screen:\n%s", code, screen.String())
			}
		})
	}
}
