package alloc

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/mock"
)

func TestHealth(t *testing.T) {
	r := rule{min: 10 * time.Second, deadline: time.Minute}
	for _, test := range []struct {
		tasks string
		after time.Duration
		want  string
		again time.Duration
	}{
		{"a=running b=waiting", 5 * time.Second, "unknown", 55 * time.Second},
		{"a=running", 4 * time.Second, "unknown", 6 * time.Second},
		{"a=running", 10 * time.Second, "healthy", 0},
		{"a=running init:prestart=dead clean:poststop=waiting", 10 * time.Second, "healthy", 0},
		{"a=running side:prestart+sidecar=dead", 10 * time.Second, "unknown", 50 * time.Second},
		{"a=failed", time.Second, "unhealthy", 0},
		{"a=backoff", 30 * time.Second, "unknown", 30 * time.Second},
		{"a=waiting", time.Minute, "unhealthy", 0},
		{"a=dead", time.Second, "unhealthy", 0}, // it ended before it was healthy
	} {
		verdict, again := r.health(group(test.tasks), anyTime, anyTime.Add(test.after))
		if got := healthText(verdict); got != test.want || again != test.again {
			t.Errorf("%s after %v: %s, again in %v; want %s, %v", test.tasks, test.after, got, again, test.want, test.again)
		}
	}
}

func healthText(healthy *bool) string {
	if healthy == nil {
		return "unknown"
	}
	return map[bool]string{true: "healthy", false: "unhealthy"}[*healthy]
}

func TestWhoseHealth(t *testing.T) {
	update := &api.UpdateStrategy{HealthCheck: "checks", MinHealthyTime: 1, HealthyDeadline: 2}
	migrate := &api.MigrateStrategy{HealthCheck: "task_states", MinHealthyTime: 3, HealthyDeadline: 4}
	group := &api.TaskGroup{Update: update, Migrate: migrate}
	service, batch := &api.Job{Type: api.JobTypeService}, &api.Job{Type: api.JobTypeBatch}
	for what, test := range map[string]struct {
		alloc api.Allocation
		group *api.TaskGroup
		want  rule
	}{
		"of a deployment": {api.Allocation{Job: service, DeploymentID: "d", PreviousAllocation: "p"}, group, rule{1, 2}},
		"by hand":         {api.Allocation{Job: service, DeploymentID: "d"}, &api.TaskGroup{Update: &api.UpdateStrategy{HealthCheck: "manual"}}, rule{}},
		"of a drain":      {api.Allocation{Job: service, PreviousAllocation: "p"}, group, rule{3, 4}},
		"default migrate": {api.Allocation{Job: service, PreviousAllocation: "p"}, &api.TaskGroup{}, rule{10 * time.Second, 5 * time.Minute}},
		"nobody asks":     {api.Allocation{Job: service}, group, rule{}},
		"batch":           {api.Allocation{Job: batch, PreviousAllocation: "p"}, group, rule{}},
	} {
		if got, asked := ruleFor(&test.alloc, test.group); got != test.want || asked != (test.want != rule{}) {
			t.Errorf("%s: %v %v, want %v", what, got, asked, test.want)
		}
	}
}

// bench runs one allocation's runner with the mock driver, in a bubble of its
// own time.
type bench struct {
	t      *testing.T
	dir    string
	driver *mock.Driver
	store  *store.Store
	logs   *logs.Collector

	mu   sync.Mutex
	said []*api.Allocation
	r    *Runner
	stop context.CancelFunc
	done chan struct{}
}

func (b *bench) Get(context.Context, string) (drivers.Driver, error)  { return b.driver, nil }
func (b *bench) Find(context.Context, string) (drivers.Driver, error) { return b.driver, nil }

func newBench(t *testing.T) *bench {
	quiet := slog.New(slog.DiscardHandler)
	b := &bench{t: t, dir: t.TempDir(), driver: mock.New(quiet), logs: logs.New(quiet)}
	s, err := store.Open(filepath.Join(b.dir, "state"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	b.store = s
	t.Cleanup(func() { b.end(); b.logs.Close(); _ = s.Close() })
	return b
}

func (b *bench) run(a *api.Allocation, saved *store.Saved) {
	hold := make(chan struct{})
	close(hold)
	r, err := New(Shared{
		Region: "global", Node: func() *api.Node { return &api.Node{ID: "n"} }, Dir: b.dir, Drivers: b, Store: b.store,
		Logs: b.logs, Logger: slog.New(slog.DiscardHandler), Hold: hold,
		Ended: func(string) (<-chan struct{}, bool) { return nil, false },
		Report: func(u *api.Allocation, _ bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.said = append(b.said, u)
		},
	}, a, saved)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.r, b.stop, b.done = r, cancel, make(chan struct{})
	go func() { r.Run(ctx); close(b.done) }()
}

// end ends the agent; the mock's tasks run on.
func (b *bench) end() {
	if b.stop != nil {
		b.stop()
		<-b.done
		b.stop = nil
	}
}

// verdicts gives the changes of the health that were reported, as "+12s healthy".
func (b *bench) verdicts(began time.Time) string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	last := "unknown"
	for _, u := range b.said {
		if u.DeploymentStatus == nil {
			continue
		}
		if text := healthText(u.DeploymentStatus.Healthy); text != last {
			out = append(out, "+"+u.DeploymentStatus.Timestamp.Sub(began).Round(time.Second).String()+" "+text)
			last = text
		}
	}
	return strings.Join(out, ", ")
}

func deployed(config map[string]any, attempts int) *api.Allocation {
	return &api.Allocation{
		ID: "0a1b2c3d-0000-0000-0000-000000000000", Name: "web.front[0]", JobID: "web", TaskGroup: "front", DeploymentID: "d",
		Job: &api.Job{ID: "web", Type: api.JobTypeService, TaskGroups: []*api.TaskGroup{{
			Name: "front",
			Update: &api.UpdateStrategy{
				HealthCheck: "task_states", MinHealthyTime: api.Duration(10 * time.Second), HealthyDeadline: api.Duration(time.Minute),
			},
			Tasks: []*api.Task{{
				Name: "main", Driver: "mock_driver", Config: config, LogConfig: &api.LogConfig{Disabled: true},
				RestartPolicy: &api.RestartPolicy{Attempts: attempts, Interval: api.Duration(time.Hour), Delay: api.Duration(15 * time.Second), Mode: api.RestartModeFail},
			}},
		}}},
	}
}

func TestHealthOverTime(t *testing.T) {
	for what, test := range map[string]struct {
		config   map[string]any
		attempts int
		want     string
	}{
		"runs":                  {map[string]any{"run_for": "10h"}, 0, "+10s healthy"},
		"fails for good":        {map[string]any{"run_for": "4s", "exit_code": 1}, 0, "+4s unhealthy"},
		"restarts after that":   {map[string]any{"run_for": "20s", "exit_code": 1}, 3, "+10s healthy"},
		"restarts all the time": {map[string]any{"run_for": "5s", "exit_code": 1}, 100, "+1m0s unhealthy"},
		"cannot be set up":      {map[string]any{"start_error": "no"}, 0, "+0s unhealthy"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				began := time.Now()
				b.run(deployed(test.config, test.attempts), nil)
				time.Sleep(5 * time.Minute)
				if got := b.verdicts(began); got != test.want {
					t.Errorf("%q, want %q", got, test.want)
				}
				b.r.Kill(true)
				synctest.Wait()
			})
		})
	}
}

// The deadline goes on while the agent is away, and a verdict that was given is
// not given again, nor after an operator gave another.
func TestHealthOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := time.Now()
		a := deployed(map[string]any{"run_for": "5s", "exit_code": 1}, 100)
		b.run(a, nil)
		time.Sleep(32 * time.Second)
		b.end()
		b.run(a, b.saved(a))
		time.Sleep(2 * time.Minute)
		if got := b.verdicts(began); got != "+1m0s unhealthy" {
			t.Errorf("verdicts %q", got)
		}
		yes := true
		b.mu.Lock()
		b.said = nil
		b.mu.Unlock()
		again := *a
		again.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &yes}
		b.r.Update(&again)
		time.Sleep(time.Minute)
		if got := b.verdicts(began); got != "" {
			t.Errorf("after the operator's word: %q", got)
		}
		// A new deployment asks anew.
		next := *a
		next.DeploymentID = "e"
		b.r.Update(&next)
		time.Sleep(10 * time.Minute)
		if got := b.verdicts(began); !strings.HasSuffix(got, " unhealthy") {
			t.Errorf("in another deployment: %q", got)
		}
		b.r.Kill(true)
		synctest.Wait()
	})
}

func (b *bench) saved(a *api.Allocation) *store.Saved {
	batch := b.store.Batch()
	batch.PutAlloc(a)
	if err := batch.Write(); err != nil {
		b.t.Fatal(err)
	}
	all, err := b.store.Allocs()
	if err != nil || len(all) != 1 {
		b.t.Fatal(all, err)
	}
	return &all[0]
}
