package execio

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/process"
)

// late is a caller that takes its first bytes only when the command has long ended.
type late struct {
	got    []byte
	waited bool
}

func (w *late) Write(p []byte) (int, error) {
	if !w.waited {
		w.waited = true
		time.Sleep(2 * drainTime)
	}
	w.got = append(w.got, p...)
	return len(p), nil
}

func run(t *testing.T, script string, streams *Streams, req drivers.ExecRequest) drivers.ExitResult {
	t.Helper()
	pidfd := -1
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{
		Files: []*os.File{streams.Stdin, streams.Stdout, streams.Stderr},
		Sys:   &syscall.SysProcAttr{PidFD: &pidfd, Setsid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	child, err := process.Adopt(p.Pid, pidfd)
	if err != nil {
		t.Fatal(err)
	}
	exit, err := streams.Run(t.Context(), child, req, func() { _ = p.Kill() })
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// TestLateReader: who takes the output late gets all of it, by pipes and from a terminal.
func TestLateReader(t *testing.T) {
	t.Parallel()
	const size = 40_000 // fits into a pipe, and into more than one copy
	for name, open := range map[string]func() (*Streams, error){"pipes": Pipes, "terminal": Terminal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streams, err := open()
			if err != nil {
				t.Fatal(err)
			}
			var out, errs late
			script := "head -c 40000 /dev/zero | tr '\\0' x; echo no >&2; exit 7"
			exit := run(t, script, streams, drivers.ExecRequest{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
			if got := strings.Count(string(out.got), "x"); got != size || exit.ExitCode != 7 {
				t.Errorf("%d bytes of %d, exit code %d", got, size, exit.ExitCode)
			}
			if all := string(out.got) + string(errs.got); !strings.Contains(all, "no") {
				t.Error("the error stream is lost")
			}
		})
	}
}

// TestEndlessHeir: what a command leaves behind with its output open is not waited for.
func TestEndlessHeir(t *testing.T) {
	t.Parallel()
	streams, err := Pipes()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exit := run(t, "echo first; yes & exit 3", streams, drivers.ExecRequest{Stdout: &out})
	if exit.ExitCode != 3 || !strings.HasPrefix(out.String(), "first\n") {
		t.Errorf("exit code %d, %d bytes", exit.ExitCode, out.Len())
	}
}
