package drivertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/plugin"
)

// launch starts a host: of the binary that SERAI_BINARY names, or of the test binary, which is smaller.
func launch(b *testing.B, name string) *plugin.Client {
	b.Helper()
	path, args, err := plugin.HostCommand(os.Getenv("SERAI_BINARY"), name)
	if err != nil {
		b.Fatal(err)
	}
	c, err := plugin.Launch(context.Background(), plugin.Options{Name: name, Path: path, Args: args, Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// rss returns the anonymous and the whole resident memory of a process in KiB.
func rss(pid int) (anonymous, all int) {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "RssAnon":
			anonymous = n
		case "VmRSS":
			all = n
		}
	}
	return anonymous, all
}

// BenchmarkHostStart is from the start of a host process to a driver that has described itself.
func BenchmarkHostStart(b *testing.B) {
	for b.Loop() {
		c := launch(b, "mock_driver")
		b.StopTimer()
		anon, all := rss(c.PID())
		b.ReportMetric(float64(anon), "anon-KiB")
		b.ReportMetric(float64(all), "rss-KiB")
		if err := c.Kill(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// benchTask is a task without a reader of its output.
func benchTask(b *testing.B, dir string, n int, config map[string]any) *drivers.TaskConfig {
	b.Helper()
	t := &drivers.TaskConfig{ID: fmt.Sprintf("bench-%d-%d/web/1", os.Getpid(), n), Name: "web", AllocDir: filepath.Join(dir, strconv.Itoa(n)),
		Resources: drivers.Resources{CPUShares: 100, MemoryMB: 32}, Config: config}
	td := t.TaskDir()
	for _, p := range []string{td.Local, td.Secrets, td.Private, td.Tmp, td.Logs} {
		if err := os.MkdirAll(p, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range []*string{&t.StdoutPath, &t.StderrPath} {
		*p = filepath.Join(td.Logs, "fifo"+strconv.Itoa(len(*p)))
		if err := unix.Mkfifo(*p, 0o600); err != nil && !os.IsExist(err) {
			b.Fatal(err)
		}
	}
	return t
}

// BenchmarkRun is start, wait and destroy of one task of /bin/true after the other, through a host.
func BenchmarkRun(b *testing.B) {
	for _, name := range []string{"raw_exec", "exec"} {
		b.Run(name, func(b *testing.B) {
			c := launch(b, name)
			defer func() { _ = c.Kill() }()
			configure(b, c, name)
			dir, n := b.TempDir(), 0
			for b.Loop() {
				n++
				t := benchTask(b, dir, n, map[string]any{"command": "/bin/true"})
				runOnce(b, c, t)
			}
		})
	}
}

// BenchmarkRunParallel is the same with eight at once.
func BenchmarkRunParallel(b *testing.B) {
	for _, name := range []string{"raw_exec", "exec"} {
		b.Run(name, func(b *testing.B) {
			c := launch(b, name)
			defer func() { _ = c.Kill() }()
			configure(b, c, name)
			dir := b.TempDir()
			work := make(chan int)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for n := range work {
						runOnce(b, c, benchTask(b, dir, n, map[string]any{"command": "/bin/true"}))
					}
				})
			}
			n := 0
			for b.Loop() {
				n++
				work <- n
			}
			close(work)
			wg.Wait()
		})
	}
}

func configure(b *testing.B, c *plugin.Client, name string) {
	b.Helper()
	config := map[string]any{}
	if name == "raw_exec" {
		config["enabled"] = true
	}
	if err := c.Configure(context.Background(), config); err != nil {
		b.Fatal(err)
	}
}

func runOnce(b *testing.B, c *plugin.Client, t *drivers.TaskConfig) {
	ctx := context.Background()
	if _, err := c.Start(ctx, t); err != nil {
		b.Error(err)
		return
	}
	if r, err := c.Wait(ctx, t.ID); err != nil || !r.Successful() {
		b.Errorf("%+v %v", r, err)
	}
	if err := c.Destroy(ctx, t.ID, false); err != nil {
		b.Error(err)
	}
}

// BenchmarkSleepers is what 200 tasks of sleep add to their host, each.
func BenchmarkSleepers(b *testing.B) {
	const tasks = 200
	for _, name := range []string{"raw_exec", "exec"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sleepers(b, name, tasks)
			}
		})
	}
}

func sleepers(b *testing.B, name string, tasks int) {
	c := launch(b, name)
	defer func() { _ = c.Kill() }()
	configure(b, c, name)
	dir := b.TempDir()
	_, before := rss(c.PID())
	var started []string
	var waits sync.WaitGroup
	defer waits.Wait()
	for n := range tasks {
		t := benchTask(b, dir, n, map[string]any{"command": "sleep", "args": []any{"3600"}})
		if _, err := c.Start(context.Background(), t); err != nil {
			b.Fatal(err)
		}
		started = append(started, t.ID)
		waits.Go(func() { _, _ = c.Wait(context.Background(), t.ID) }) // as the agent does
	}
	_, after := rss(c.PID())
	threads, _ := os.ReadDir("/proc/" + strconv.Itoa(c.PID()) + "/task")
	files, _ := os.ReadDir("/proc/" + strconv.Itoa(c.PID()) + "/fd")
	b.ReportMetric(float64(after-before)/float64(tasks), "KiB/task")
	b.ReportMetric(float64(before), "idle-KiB")
	b.ReportMetric(float64(len(threads)), "threads")
	b.ReportMetric(float64(len(files))/float64(tasks), "files/task")
	for _, id := range started {
		if err := c.Destroy(context.Background(), id, true); err != nil {
			b.Error(err)
		}
	}
}
