package main

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/drivertest"
	"github.com/seraihq/serai/drivers/plugin"
)

// The test binary is also the plugin, when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("SCRIPT_DRIVER_SERVE") != "" {
		main()
		return
	}
	code := m.Run()
	if root, err := groupsRoot(); err == nil {
		_ = os.Remove(root) // fails while a driver of the machine uses it
	}
	os.Exit(code)
}

func needGroups(t *testing.T) {
	t.Helper()
	if _, err := groupsRoot(); err != nil || os.Geteuid() != 0 {
		t.Skip("not here: the driver needs root and control groups of version 2:", err)
	}
}

// "no-such-program" is a name that the suite tries.
var settings = map[string]any{"interpreters": []any{"/bin/sh", "no-such-program"}}

func script(text string) map[string]any { return map[string]any{"script": text} }

// TestInProcess runs what every driver must do on this one.
func TestInProcess(t *testing.T) {
	needGroups(t)
	drivertest.Run(t, drivertest.Subject{Script: script, New: func(t *testing.T) drivers.Driver {
		d := New()
		if err := d.Configure(t.Context(), settings); err != nil {
			t.Fatal(err)
		}
		return d
	}})
}

// TestAsPlugin runs the same across the plugin connection, with its process killed now and then.
func TestAsPlugin(t *testing.T) {
	needGroups(t)
	var current *plugin.Client
	launch := func(t *testing.T) drivers.Driver {
		c, err := plugin.Launch(context.Background(), plugin.Options{Name: "script", Path: os.Args[0], Dir: t.TempDir(),
			Env: []string{"SCRIPT_DRIVER_SERVE=1"}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Kill() })
		if err := c.Configure(t.Context(), settings); err != nil {
			t.Fatal(err)
		}
		current = c
		return c
	}
	drivertest.Run(t, drivertest.Subject{Script: script, New: launch, Restart: func(t *testing.T) drivers.Driver {
		old := current
		p, err := os.FindProcess(old.PID())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		<-old.Exited()
		return launch(t)
	}})
}

// TestRefused: only interpreters that the operator allows are run.
func TestRefused(t *testing.T) {
	d := New()
	if err := d.Configure(t.Context(), map[string]any{"interpreters": []any{"python3"}}); err != nil {
		t.Fatal(err)
	}
	_, err := d.Start(t.Context(), &drivers.TaskConfig{ID: "x", Config: map[string]any{"script": "exit 0"}})
	if err == nil {
		t.Error("an interpreter that is not allowed was run")
	}
}
