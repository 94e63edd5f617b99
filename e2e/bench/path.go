package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seraihq/serai/e2e/rig"
)

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func size(_ context.Context, b *bench) ([]figure, error) {
	info, err := os.Stat(b.binary)
	if err != nil {
		return nil, err
	}
	return []figure{{what: "binary, as `make build` writes it", unit: "MB", budget: 60, values: []float64{float64(info.Size()) / 1e6}}}, nil
}

func startToReady(ctx context.Context, b *bench) ([]figure, error) {
	f := figure{what: "`agent -dev`: exec to ready node", unit: "ms", budget: 500}
	g := figure{what: "`agent -dev`: SIGINT to end", unit: "ms"}
	for range b.runs(1) {
		began := time.Now()
		a, err := b.start(ctx, rig.Options{Dev: true})
		if err != nil {
			return nil, err
		}
		f.values = append(f.values, ms(time.Since(began)))
		began = time.Now()
		if _, err := a.Stop(syscall.SIGINT); err != nil {
			return nil, err
		}
		g.values = append(g.values, ms(time.Since(began)))
		a.end()
	}
	return []figure{f, g}, nil
}

// settle lets what an agent does after its start come to an end.
func settle(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func idle(ctx context.Context, b *bench) ([]figure, error) {
	f := figure{what: "idle resident memory of `agent -dev`, all its processes", unit: "MiB", budget: 60}
	for range 3 {
		a, err := b.start(ctx, rig.Options{Dev: true})
		if err != nil {
			return nil, err
		}
		settle(ctx, 10*time.Second)
		rss, _, _ := a.helpers()
		f.values = append(f.values, rss)
		a.end()
	}
	return []figure{f}, nil
}

// helpers sums the memory of the agent's own processes, tasks left out.
func (t *target) helpers() (rss, pss float64, n int) {
	for _, p := range t.Processes() {
		if p.Kind == "task" {
			continue
		}
		r, s := memory(p.PID)
		rss, pss, n = rss+r, pss+s, n+1
	}
	return rss, pss, n
}

var sleeper = map[string]any{"command": "/bin/sleep", "args": []string{"600"}}

func registerToRunning(ctx context.Context, b *bench) ([]figure, error) {
	a, err := b.start(ctx, rig.Options{Dev: true})
	if err != nil {
		return nil, err
	}
	defer a.end()
	cold := figure{what: "register → running, the first raw_exec task (starts the driver host)", unit: "ms"}
	warm := figure{what: "register → running, one raw_exec task", unit: "ms", budget: 50}
	for i := range max(30, b.n) + 1 {
		id := fmt.Sprintf("one-%d", i)
		took, err := a.until(ctx, job(id, "service", 1, "raw_exec", sleeper), "Running", 1)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			cold.values = append(cold.values, ms(took))
		} else {
			warm.values = append(warm.values, ms(took))
		}
		if err := a.remove(ctx, id); err != nil {
			return nil, err
		}
	}
	return []figure{cold, warm}, nil
}

// repeated measures one job again and again on one agent, after a first run
// that is not counted.
func (b *bench) repeated(ctx context.Context, opts rig.Options, f figure, body func(id string) map[string]any, status string, n int, value func(time.Duration) float64) ([]figure, error) {
	a, err := b.start(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer a.end()
	for i := range b.runs(2) + 1 {
		id := fmt.Sprintf("%s-%d", "job", i)
		took, err := a.until(ctx, body(id), status, n)
		if err != nil {
			return []figure{f}, err
		}
		if i > 0 {
			f.values = append(f.values, value(took))
		}
		if err := a.remove(ctx, id); err != nil {
			return []figure{f}, err
		}
	}
	return []figure{f}, nil
}

func hundredTasks(ctx context.Context, b *bench) ([]figure, error) {
	f := figure{what: "register → running, 100 raw_exec tasks of one job", unit: "ms", budget: 500}
	return b.repeated(ctx, rig.Options{Dev: true}, f, func(id string) map[string]any {
		return job(id, "service", 100, "raw_exec", sleeper)
	}, "Running", 100, ms)
}

func batchOfTrue(ctx context.Context, b *bench) ([]figure, error) {
	const n = 400
	f := figure{what: "batch of 400 `/bin/true`, raw_exec: register → all complete", unit: "tasks/s", budget: 400, atLeast: true}
	return b.repeated(ctx, rig.Options{Dev: true}, f, func(id string) map[string]any {
		return job(id, "batch", n, "raw_exec", map[string]any{"command": "/bin/true"})
	}, "Complete", n, func(d time.Duration) float64 { return n / d.Seconds() })
}

func mockAllocations(ctx context.Context, b *bench) ([]figure, error) {
	f := figure{what: "register → running, 500 mock allocations of one job", unit: "ms", budget: 1000}
	return b.repeated(ctx, rig.Options{Dev: true, Config: "client {\n memory_total_mb = 100000\n cpu_total_compute = 100000\n}"}, f, func(id string) map[string]any {
		return job(id, "service", 500, "mock_driver", map[string]any{"run_for": "10m"})
	}, "Running", 500, ms)
}

func execMemory(ctx context.Context, b *bench) ([]figure, error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("needs root")
	}
	const n = 200
	rss := figure{what: "200 exec tasks of `sleep`: added resident memory of all helper processes, each task", unit: "MiB", budget: 1}
	pss := figure{what: "the same, proportional (PSS)", unit: "MiB", budget: 1}
	procs := figure{what: "the same, added helper processes", unit: ""}
	took := figure{what: "register → running, 200 exec tasks of one job", unit: "ms"}
	for range 3 {
		err := func() error {
			a, err := b.start(ctx, rig.Options{Dev: true})
			if err != nil {
				return err
			}
			defer a.end()
			settle(ctx, 5*time.Second)
			rss0, pss0, n0 := a.helpers()
			d, err := a.until(ctx, job("sleepers", "service", n, "exec", sleeper), "Running", n)
			if err != nil {
				return err
			}
			settle(ctx, 10*time.Second)
			rss1, pss1, n1 := a.helpers()
			rss.values = append(rss.values, (rss1-rss0)/n)
			pss.values = append(pss.values, (pss1-pss0)/n)
			procs.values = append(procs.values, float64(n1-n0))
			took.values = append(took.values, ms(d))
			return a.remove(ctx, "sleepers")
		}()
		if err != nil {
			return []figure{rss, pss, procs, took}, err
		}
	}
	return []figure{rss, pss, procs, took}, nil
}
