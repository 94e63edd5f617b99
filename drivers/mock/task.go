package mock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/stdio"
)

// task is one running or ended mock task.
type task struct {
	id, name string
	config   taskConfig
	network  *drivers.Network
	started  time.Time
	done     chan struct{}
	// quiet ends the writing of output.
	quiet context.CancelFunc

	mu        sync.Mutex
	timer     *time.Timer
	result    drivers.ExitResult
	completed time.Time
}

// newTask lets the task run until started + run_for; a task without run_for ends at once.
func newTask(cfg *drivers.TaskConfig, c taskConfig, started time.Time) (*task, error) {
	t := &task{id: cfg.ID, name: cfg.Name, config: c, started: started, done: make(chan struct{})}
	var err error
	if t.network, err = networkOf(c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.quiet = cancel
	t.write(ctx, cfg.AllocDir, cfg.StdoutPath, c.Stdout, c.StdoutRepeat, time.Duration(c.StdoutDuration))
	t.write(ctx, cfg.AllocDir, cfg.StderrPath, c.Stderr, c.StderrRepeat, time.Duration(c.StderrDuration))
	t.after(time.Until(started.Add(time.Duration(c.RunFor))), c.result())
	if c.PluginExitAfter > 0 {
		time.AfterFunc(time.Duration(c.PluginExitAfter), func() { os.Exit(1) })
	}
	return t, nil
}

func (c command) result() drivers.ExitResult {
	r := drivers.ExitResult{ExitCode: c.ExitCode, Signal: c.ExitSignal}
	if c.ExitErrMsg != "" {
		r.Err = errors.New(c.ExitErrMsg)
	}
	return r
}

func networkOf(c taskConfig) (*drivers.Network, error) {
	if c.DriverIP == "" && c.DriverPortMap == "" {
		return nil, nil
	}
	n := &drivers.Network{IP: c.DriverIP, AutoAdvertise: c.DriverAdvertise, PortMap: map[string]int{}}
	if label, port, ok := strings.Cut(c.DriverPortMap, ":"); ok {
		p, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("driver_port_map %q: write label:port", c.DriverPortMap)
		}
		n.PortMap[label] = p
	}
	return n, nil
}

// after lets the task end with r in d, unless it has ended before; an earlier such order is void.
func (t *task) after(d time.Duration, r drivers.ExitResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timer = time.AfterFunc(max(d, 0), func() { t.finish(r) })
}

func (t *task) finish(r drivers.ExitResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.done:
	default:
		t.result, t.completed = r, time.Now()
		t.quiet()
		close(t.done)
	}
}

func (t *task) running() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}

// write puts text into the pipe 1 + repeat times. The goroutine ends with the task.
func (t *task) write(ctx context.Context, root, path, text string, repeat int, every time.Duration) {
	if text == "" || path == "" {
		return
	}
	f, err := stdio.Open(root, path)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Now().Add(time.Second)) })
	go func() {
		defer f.Close()
		defer stop()
		for i := 0; ; i++ {
			if _, err := io.WriteString(f, text); err != nil || i >= repeat {
				return
			}
			select {
			case <-time.After(every):
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (t *task) status() drivers.TaskStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := drivers.TaskStatus{ID: t.id, Name: t.name, State: drivers.TaskRunning, StartedAt: t.started, Network: t.network}
	if !t.running() {
		r := t.result
		s.State, s.CompletedAt, s.Exit = drivers.TaskExited, t.completed, &r
	}
	return s
}
