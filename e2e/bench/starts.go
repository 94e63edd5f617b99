package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/plugin"
)

// way is one way to run a program that ends at once.
type way struct {
	name string
	// run runs it once: until it runs (0 where that cannot be seen), and until nothing of it is left.
	run func(ctx context.Context) (started, gone time.Duration, err error)
	end func()
	// cpu is the processor's time that its runs have taken so far, all processes together; nil where that cannot be told.
	cpu func() time.Duration

	started, gone []float64
	warm          time.Duration // what cpu was after the first round
}

// starts runs /bin/true in every way that this machine has, one after the other in every round, so that whatever else the machine does falls on all
// of them alike.
func starts(ctx context.Context, b *bench) ([]figure, error) {
	dir, err := os.MkdirTemp("", "serai-bench-starts-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	ways, problems := b.ways(ctx, dir)
	defer func() {
		for _, w := range ways {
			w.end()
		}
	}()
	for round := range 3 * b.n {
		for _, w := range ways {
			started, gone, err := w.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.name, err)
			}
			if round == 0 { // it warms up caches and starts hosts
				if w.cpu != nil {
					w.warm = w.cpu()
				}
				continue
			}
			w.started, w.gone = append(w.started, ms(started)), append(w.gone, ms(gone))
		}
	}
	for _, p := range problems {
		fmt.Println("<!-- not measured:", p, "-->")
	}
	return startFigures(ways), nil
}

// ways makes those that can be had here, and tells why others cannot.
func (b *bench) ways(ctx context.Context, dir string) (ways []*way, problems []error) {
	add := func(w *way, err error) {
		if err != nil {
			problems = append(problems, err)
			return
		}
		ways = append(ways, w)
	}
	var used time.Duration
	add(&way{name: "fork/exec", end: func() {}, cpu: func() time.Duration { return used }, run: func(ctx context.Context) (time.Duration, time.Duration, error) {
		began := time.Now()
		cmd := exec.CommandContext(ctx, "/bin/true")
		err := cmd.Start()
		started := time.Since(began)
		err = errors.Join(err, cmd.Wait())
		used += processor(cmd.ProcessState)
		return started, time.Since(began), err
	}}, nil)
	program := map[string]any{"command": "/bin/true"}
	add(b.driver(ctx, dir, "raw_exec", map[string]any{"enabled": true}, program))
	if os.Geteuid() != 0 {
		return ways, append(problems, errors.New("without root there are no containers to measure"))
	}
	add(b.driver(ctx, dir, "exec", nil, program))
	root, err := busyboxRoot(dir)
	if err != nil {
		return ways, append(problems, err)
	}
	add(runc(dir, root))
	add(podman(dir, root))
	if _, there := builtin.Lookup("container"); there {
		add(b.container(ctx, dir))
	}
	engine, err := startEngine()
	if err != nil {
		return ways, append(problems, err)
	}
	add(engine.run(), nil)
	w, err := b.driver(ctx, dir, "docker", map[string]any{"endpoint": engine.endpoint()}, map[string]any{"image": engine.image(), "command": "true"})
	if w != nil {
		w.cpu = nil
	}
	add(w, err)
	return ways, problems
}

// startFigures are the times of every way, and how they compare in the same round.
func startFigures(ways []*way) []figure {
	var out []figure
	var plain, runc *way
	for _, w := range ways {
		switch w.name {
		case "fork/exec":
			plain = w
		case "`runc run`":
			runc = w
		}
		if w.started[0] > 0 {
			out = append(out, figure{what: w.name + ": until `/bin/true` runs", unit: "ms", values: w.started})
		}
		out = append(out, figure{what: w.name + ": until it has ended and nothing is left", unit: "ms", values: w.gone})
	}
	for _, w := range ways {
		if w.cpu != nil && len(w.gone) > 0 {
			out = append(out, figure{what: w.name + ": processor's time of a run, the mean of all", unit: "ms", values: []float64{ms(w.cpu()-w.warm) / float64(len(w.gone))}})
		}
	}
	for _, w := range ways {
		if w != plain && plain != nil {
			out = append(out, figure{what: w.name + " ÷ fork/exec, until nothing is left", unit: "×", values: ratios(w.gone, plain.gone)})
		}
	}
	for _, w := range ways {
		if w == runc || runc == nil || w.started[0] == 0 || w == plain {
			continue
		}
		f := figure{what: w.name + " until it runs ÷ `runc run`", unit: "×", values: ratios(w.started, runc.gone)}
		if w.name == "container" {
			f.budget = 1.5
		}
		out = append(out, f)
	}
	return out
}

func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// driver is a way through the host process of one of serai's drivers, as the agent starts it.
func (b *bench) driver(ctx context.Context, dir, name string, config, task map[string]any) (*way, error) {
	d, err := b.launch(ctx, dir, name, config)
	if err != nil {
		return nil, err
	}
	n := 0
	return &way{name: name, end: func() { _ = d.Kill() }, cpu: func() time.Duration { return withChildren(d.PID()) }, run: func(ctx context.Context) (time.Duration, time.Duration, error) {
		n++
		t, err := newTask(dir, fmt.Sprintf("%s-%d", name, n), task)
		if err != nil {
			return 0, 0, err
		}
		began := time.Now()
		if _, err := d.Start(ctx, t); err != nil {
			return 0, 0, err
		}
		started := time.Since(began)
		r, err := d.Wait(ctx, t.ID)
		err = errors.Join(err, d.Destroy(ctx, t.ID, true))
		gone := time.Since(began)
		if err == nil && !r.Successful() {
			err = fmt.Errorf("it ended with %+v", r)
		}
		return started, gone, errors.Join(err, os.RemoveAll(t.AllocDir))
	}}, nil
}

// launch starts the host process of a driver.
func (b *bench) launch(ctx context.Context, dir, name string, config map[string]any) (*plugin.Client, error) {
	path, args, err := plugin.HostCommand(b.binary, name)
	if err != nil {
		return nil, err
	}
	d, err := plugin.Launch(ctx, plugin.Options{Name: name, Path: path, Args: args, Dir: filepath.Join(dir, name), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if config == nil {
		config = map[string]any{}
	}
	if err := d.Configure(ctx, config); err != nil {
		_ = d.Kill()
		return nil, err
	}
	return d, nil
}

// newTask makes a task's directories and pipes; nobody reads what little is written.
func newTask(dir, id string, config map[string]any) (*drivers.TaskConfig, error) {
	alloc := fmt.Sprintf("bench-%d-%s", os.Getpid(), id)
	t := &drivers.TaskConfig{ID: alloc + "/t/1", AllocID: alloc, Name: "t", JobName: "bench", JobID: "bench", Group: "g", Namespace: "default",
		AllocDir: filepath.Join(dir, "alloc", id), Env: map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin"},
		// The share that processes have which nobody gave one: peers are measured with it.
		Resources: drivers.Resources{CPUShares: 1024, MemoryMB: 128}, Config: config}
	td := t.TaskDir()
	for _, p := range []string{td.Local, td.Secrets, td.Private, td.Tmp, td.Logs} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			return nil, err
		}
	}
	t.StdoutPath, t.StderrPath = filepath.Join(td.Logs, "stdout"), filepath.Join(td.Logs, "stderr")
	return t, errors.Join(unix.Mkfifo(t.StdoutPath, 0o600), unix.Mkfifo(t.StderrPath, 0o600))
}

// command is a way that is a program of its own.
func command(name string, env []string, argv ...string) *way {
	var used time.Duration
	return &way{name: name, end: func() {}, cpu: func() time.Duration { return used }, run: func(ctx context.Context) (time.Duration, time.Duration, error) {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), env...)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		used += processor(cmd.ProcessState)
		if err != nil {
			err = fmt.Errorf("%s: %w: %.300s", strings.Join(argv, " "), err, out)
		}
		return 0, time.Since(began), err
	}}
}

// processor is the processor's time of a process that was waited for, and of those that it has waited for.
func processor(s *os.ProcessState) time.Duration {
	if s == nil {
		return 0
	}
	return s.UserTime() + s.SystemTime()
}

// withChildren is the processor's time of a process that runs and of those that it has waited for, in steps of 10 ms. See proc(5): fields 14 to 17.
func withChildren(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var ticks time.Duration
	for _, f := range strings.Fields(rest)[11:15] {
		n, _ := strconv.Atoi(f)
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
