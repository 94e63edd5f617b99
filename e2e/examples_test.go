package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

func TestExamplesRunAsTheyAre(t *testing.T) {
	t.Parallel()
	needRoot(t) // some use the exec driver
	a := start(t, rig.Options{Dev: true})
	files, err := filepath.Glob("../examples/*.nomad.hcl")
	if err != nil || len(files) < 2 {
		t.Fatalf("examples: %v %v", files, err)
	}
	for _, f := range files {
		if r := a.cli(t, "fmt", "-check", f); r.code != 0 {
			t.Errorf("%s is not formatted: %v", f, r)
		}
		if r := a.cli(t, "job", "run", f); r.code != 0 {
			t.Errorf("%s: %v", f, r)
		}
	}
	a.leavesNothing(t, syscall.SIGINT)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	port := threePorts(t)
	a := prepare(t, rig.Options{}) // never started: it finds what the demo leaves
	cmd := exec.CommandContext(t.Context(), "../examples/demo.sh", binary)
	cmd.Env = append(a.Environ(), fmt.Sprintf("SERAI_DEMO_PORT=%d", port))
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the demo has run", func() (bool, string) {
		return strings.Contains(out.String(), "Ctrl-C stops everything"), out.String()
	})
	for _, want := range []string{"ready", "demo-web", "demo-report", "served by demo-web.web[", "report of demo-report in dc1", fmt.Sprintf("The API listens on http://127.0.0.1:%d", port)} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not print %q", want)
		}
	}
	// Side by side where the machine has what that takes; otherwise the demo says what is missing.
	if !strings.Contains(out.String(), "this machine lacks") {
		for _, want := range []string{"in a container: user 0, process 1 of ", "in exec: user ", "in Java "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the demo does not print %q", want)
			}
		}
	} else if os.Geteuid() == 0 {
		t.Log("not here: containers, isolated processes and Java side by side")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ends with %v", err)
	}
	for _, left := range rig.Settle(a.Agent, 5*time.Second) {
		t.Errorf("left behind: %s", left)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// threePorts finds three ports in a row that nothing listens on.
func threePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		free := true
		for next := port + 1; next <= port+2; next++ {
			other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", next))
			if err != nil {
				free = false
				break
			}
			other.Close()
		}
		l.Close()
		if free {
			return port
		}
	}
	t.Fatal("no three free ports in a row")
	return 0
}
