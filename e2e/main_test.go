package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

// binary is the built serai.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	flag.VisitAll(func(f *flag.Flag) {
		// The tests wait more than they work.
		if f.Name == "test.parallel" && !given(f.Name) {
			f.Value.Set("8")
		}
	})
	os.Exit(run(m))
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "serai-e2e-build-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary = os.Getenv("SERAI_BINARY"); binary == "" {
		binary = filepath.Join(dir, "serai")
		if err := build(binary); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "the shared agent:", err)
		code = 1
	}
	return code
}

func build(path string, more ...string) error {
	args := append([]string{"build", "-o", path}, more...)
	if os.Getenv("SERAI_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return nil
}

var sharedAgent struct {
	once  sync.Once
	agent *rig.Agent
	err   error
}

// shared gives the dev agent that all tests use which break nothing.
func shared(t *testing.T) *agent {
	t.Helper()
	s := &sharedAgent
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.agent, s.err = rig.Start(ctx, rig.Options{Binary: binary, Dev: true, Config: `
client { gc_max_allocs = 5000 }
limits { http_max_conns_per_client = 1000 }
`})
	})
	if s.err != nil {
		t.Fatalf("the shared agent does not start: %v", s.err)
	}
	a := wrap(t, s.agent)
	size := int64(len(s.agent.Log()))
	t.Cleanup(func() {
		if t.Failed() {
			log := s.agent.Log()
			dump(t, log[min(size, int64(len(log))):])
		}
	})
	return a
}

// stopShared ends the shared agent as a user would; a dev agent leaves nothing.
func stopShared() error {
	a := sharedAgent.agent
	if a == nil {
		return nil
	}
	var problems []string
	if code, err := a.Stop(syscall.SIGINT); err != nil || code != 0 {
		problems = append(problems, fmt.Sprintf("SIGINT: exit code %d, %v", code, err))
	}
	if left := rig.Settle(a, 5*time.Second); len(left) > 0 {
		problems = append(problems, "left behind: "+strings.Join(left, "; "))
	}
	if len(problems) > 0 {
		log := a.Log()
		problems = append(problems, "the end of its log: "+log[max(0, len(log)-4000):])
	}
	if strings.Contains(a.Log(), "DATA RACE") || strings.Contains(a.Log(), "panic:") {
		problems = append(problems, "a data race or panic is in its log:\n"+a.Log())
	}
	if err := a.Destroy(); err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s", strings.Join(problems, "\n"))
	}
	return nil
}
