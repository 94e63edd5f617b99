package drivertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/drivers/host"
	"github.com/seraihq/serai/drivers/plugin"
	"github.com/seraihq/serai/internal/cgroup"
)

// The test binary is also the binary that hosts drivers.
func TestMain(m *testing.M) {
	if host.Main(os.Args) {
		return
	}
	runtime.LockOSThread() // as a driver's host does
	code := m.Run()
	if engine != nil {
		if err := engine.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "engine:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// subject makes the driver of that name a subject, in process or across a plugin connection.
func subject(name string, config map[string]any, remote bool) drivertest.Subject {
	s := drivertest.Subject{}
	configured := func(t *testing.T, d drivers.Driver) drivers.Driver {
		t.Helper()
		if err := d.Configure(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if !remote {
		s.New = func(t *testing.T) drivers.Driver {
			b, ok := builtin.Lookup(name)
			if !ok {
				t.Fatalf("no driver %q", name)
			}
			return configured(t, b.New(slog.New(slog.DiscardHandler)))
		}
		return s
	}
	var current *plugin.Client
	s.New = func(t *testing.T) drivers.Driver {
		path, args, err := plugin.HostCommand("", name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := plugin.Launch(context.Background(), plugin.Options{Name: name, Path: path, Args: args, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Kill() })
		current = c
		return configured(t, c)
	}
	s.Restart = func(t *testing.T) drivers.Driver {
		old := current
		p, err := os.FindProcess(old.PID())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		<-old.Exited()
		return s.New(t)
	}
	return s
}

// both runs the suite inside this process and across a plugin connection.
func both(t *testing.T, name string, config map[string]any, complete func(*drivertest.Subject)) {
	for kind, remote := range map[string]bool{"InProcess": false, "Plugin": true} {
		t.Run(kind, func(t *testing.T) {
			s := subject(name, config, remote)
			complete(&s)
			drivertest.Run(t, s)
		})
	}
}

func TestMock(t *testing.T) {
	both(t, "mock_driver", map[string]any{}, func(s *drivertest.Subject) {
		s.Mock = func(o drivertest.Mocked) map[string]any {
			c := map[string]any{"run_for": o.RunFor.String(), "exit_code": o.Code}
			if o.Stdout != "" {
				c["stdout_string"] = o.Stdout + "\n"
			}
			if o.Stubborn {
				c["kill_after"] = "1h"
			}
			return c
		}
	})
}

func script(text string) map[string]any {
	return map[string]any{"command": "/bin/sh", "args": []any{"-c", text}}
}

func TestRawExec(t *testing.T) {
	both(t, "raw_exec", map[string]any{"enabled": true}, func(s *drivertest.Subject) { s.Script = script })
}

func TestExec(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not here: containers need root")
	}
	if l, err := cgroup.Find(); err != nil || l.Version == 0 {
		t.Skip("not here: containers need control groups")
	}
	both(t, "exec", map[string]any{}, func(s *drivertest.Subject) { s.Script = script })
}
