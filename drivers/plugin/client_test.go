package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/mock"
	"github.com/seraihq/serai/drivers/plugin"
)

func TestMain(m *testing.M) {
	if plugin.Main(os.Args, func(name string, l *slog.Logger) drivers.Driver {
		if name == mock.Name {
			return mock.New(l)
		}
		return nil
	}) {
		return
	}
	goleak.VerifyTestMain(m)
}

func options(t *testing.T) plugin.Options {
	t.Helper()
	path, args, err := plugin.HostCommand("", mock.Name)
	if err != nil {
		t.Fatal(err)
	}
	return plugin.Options{Name: "mock", Path: path, Args: args, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler), Timeout: 10 * time.Second}
}

func launch(t *testing.T) (*plugin.Client, plugin.Options) {
	t.Helper()
	o := options(t)
	c, err := plugin.Launch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	return c, o
}

func TestEscapePrivateSocket(t *testing.T) {
	t.Setenv("AGENT_SECRET", "hunter2")
	c, o := launch(t)
	sockets := 0
	err := filepath.WalkDir(o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && path != o.Dir && st.Mode().Perm() != 0o700:
			t.Errorf("%s: mode %v", path, st.Mode())
		case st.Mode()&fs.ModeSocket != 0:
			sockets++
		}
		return nil
	})
	if err != nil || sockets != 1 {
		t.Errorf("%d sockets %v", sockets, err)
	}
	env, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID()) + "/environ")
	if err != nil || strings.Contains(string(env), "hunter2") {
		t.Errorf("the host knows the agent's secret, or %v", err)
	}
	if st, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID()) + "/stat"); err != nil || strings.Fields(string(st))[5] != strconv.Itoa(c.PID()) {
		t.Errorf("the host does not lead a session: %s %v", st, err)
	}
}

func TestReattach(t *testing.T) {
	c, _ := launch(t)
	if _, err := c.Start(t.Context(), &drivers.TaskConfig{ID: "a", Config: map[string]any{"run_for": "1h"}}); err != nil {
		t.Fatal(err)
	}
	data := c.Reattachment()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c2, err := plugin.Reattach(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := c2.Inspect(t.Context(), "a"); err != nil || st.State != drivers.TaskRunning {
		t.Errorf("%+v %v", st, err)
	}
	if err := c2.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := plugin.Reattach(t.Context(), data); !errors.Is(err, drivers.ErrUnavailable) {
		t.Errorf("the dead was found: %v", err)
	}
}

// Whoever listens at the address of a host but is not that process is refused.
func TestEscapeImpostor(t *testing.T) {
	c, _ := launch(t)
	var data map[string]any
	if err := json.Unmarshal(c.Reattachment(), &data); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data["Address"] = socket
	forged, _ := json.Marshal(data)
	if _, err := plugin.Reattach(t.Context(), forged); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "{}", `{"Process":{"PID":1},"Address":"/x"}`, `{"Process":{"PID":-5},"Address":"/x"}`, `{"Process":{"PID":99},"Address":"x"}`} {
		if _, err := plugin.Reattach(t.Context(), []byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestDeath(t *testing.T) {
	c, _ := launch(t)
	p, _ := os.FindProcess(c.PID())
	_ = p.Kill()
	<-c.Exited()
	if _, err := c.Wait(t.Context(), "a"); !errors.Is(err, drivers.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(c.PID())); err == nil {
		t.Error("a zombie is left")
	}
}

func TestNotAPlugin(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"silent":  {"exit 3", "ended before"},
		"talks":   {"echo something went wrong >&2; exit 3", "something went wrong"},
		"chatty":  {"echo hello; sleep 60", "not a driver plugin"},
		"tcp":     {"echo '1|2|tcp|127.0.0.1:5|grpc|'; sleep 60", "only a unix socket"},
		"old":     {"echo '1|1|unix|/tmp/x|grpc|'; sleep 60", "protocol 1"},
		"netrpc":  {"echo '1|2|unix|/tmp/x|netrpc|'; sleep 60", "grpc is needed"},
		"flood":   {"yes | tr -d '\\n'", "does not end"},
		"nobody":  {"echo '1|2|unix|/tmp/serai-no-such-socket|grpc|'; sleep 60", ""},
		"patient": {"sleep 60", "in time"},
	} {
		o := options(t)
		o.Path, o.Args, o.Timeout = "/bin/sh", []string{"-c", c.script}, 500*time.Millisecond
		client, err := plugin.Launch(context.Background(), o)
		if err == nil {
			_ = client.Kill()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Dir, "p*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	o := options(t)
	o.Path = "/no/such/file"
	if _, err := plugin.Launch(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("%v", err)
	}
}
