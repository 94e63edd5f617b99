package client

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/fingerprint"
)

type agent struct {
	*Client
	dir    string
	cancel context.CancelFunc
	done   chan error
}

func config(t *testing.T, dir string, s Server) Config {
	level := slog.LevelWarn
	if os.Getenv("SERAI_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg := configIn(dir, s)
	cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: level}))
	return cfg
}

var loopback = fingerprint.Config{NetworkInterface: "lo"}

func driversConfig() driverset.Config {
	return driverset.Config{InProcess: true, Plugins: map[string]map[string]any{"raw_exec": {"enabled": true}}}
}

// testWriter writes to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func start(t *testing.T, cfg Config) *agent {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &agent{Client: c, cancel: cancel, done: make(chan error, 1)}
	go func() { a.done <- c.Run(ctx) }()
	t.Cleanup(func() { a.end(t) })
	return a
}

func (a *agent) end(t *testing.T) {
	t.Helper()
	a.cancel()
	if a.done == nil {
		return
	}
	select {
	case err := <-a.done:
		a.done = nil
		if err != nil {
			t.Error(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the client does not end")
	}
}

// dev starts a client whose tasks end with it.
func dev(t *testing.T, s Server) *agent {
	t.Helper()
	cfg := config(t, t.TempDir(), s)
	cfg.StopTasks = true
	return start(t, cfg)
}

func mockTask(name string, cfg map[string]any) *api.Task {
	return &api.Task{
		Name: name, Driver: "mock_driver", Config: cfg, KillTimeout: api.Duration(5 * time.Second),
		RestartPolicy: &api.RestartPolicy{Attempts: 0, Interval: api.Duration(time.Minute), Mode: api.RestartModeFail},
		Resources:     &api.Resources{CPU: 100, MemoryMB: 64},
	}
}

func shell(name, script string) *api.Task {
	t := mockTask(name, map[string]any{"command": "/bin/sh", "args": []any{"-c", script}})
	t.Driver = "raw_exec"
	return t
}

func newAlloc(kind string, tasks ...*api.Task) *api.Allocation {
	job := &api.Job{
		ID: "web", Name: "web", Namespace: "default", Type: kind, Region: "global",
		TaskGroups: []*api.TaskGroup{{Name: "front", Count: 1, Tasks: tasks}},
	}
	resources := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{}}
	for _, t := range tasks {
		resources.Tasks[t.Name] = &api.AllocatedTaskResources{
			Cpu: api.AllocatedCpuResources{CpuShares: 100}, Memory: api.AllocatedMemoryResources{MemoryMB: 64},
		}
	}
	return &api.Allocation{
		ID: uuid.NewString(), Namespace: "default", Name: "web.front[0]", JobID: job.ID, Job: job, TaskGroup: "front",
		DesiredStatus: api.AllocDesiredRun, ClientStatus: api.AllocClientPending, AllocatedResources: resources,
	}
}

func types(st *api.TaskState) string {
	var out []string
	for _, e := range st.Events {
		out = append(out, e.Type)
	}
	return strings.Join(out, ", ")
}
