package driverset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/builtin"
	"github.com/seraihq/serai/drivers/plugin"
)

// backend is a driver that answers now: a host process, or the driver itself inside the agent.
type backend interface {
	drivers.Driver
	// driver is the Driver with its abilities.
	driver() drivers.Driver
	// Exited is closed when the backend is gone.
	Exited() <-chan struct{}
	// Kill ends it, Close lets go of it.
	Kill() error
	Close() error
}

// inProcess is a driver inside the agent as a backend that never dies.
type inProcess struct{ drivers.Driver }

func (p inProcess) driver() drivers.Driver { return p.Driver }

func (inProcess) Exited() <-chan struct{} { return nil }
func (inProcess) Kill() error             { return nil }
func (inProcess) Close() error            { return nil }

// process is a driver in a process of its own.
type process struct{ *plugin.Client }

func (p process) driver() drivers.Driver { return p.Client }

// host is one driver as the rest of the client sees it, whichever process serves it at the moment.
type host struct {
	set    *Set
	name   string
	logger *slog.Logger
	// describe answers what is constant, and fingerprints a built-in; nil for an external driver until it has been started once.
	describe drivers.Driver
	// path is the file of an external driver.
	path     string
	external bool
	config   map[string]any
	// launch starts a new process; reattach finds the one of an earlier agent.
	launch func(context.Context) (backend, error)

	// connecting is held while a backend is found or started, or stopped.
	connecting chan struct{}

	mu      sync.Mutex
	current backend
	calls   int
	live    map[string]*drivers.TaskHandle
	idle    *time.Timer
	looked  bool
	// closed is closed when the agent lets go of the host.
	closed chan struct{}
}

func (h *host) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

func newHost(s *Set, name string) *host {
	return &host{set: s, name: name, logger: s.logger.With("driver", name), config: s.cfg.Plugins[name],
		connecting: make(chan struct{}, 1), live: map[string]*drivers.TaskHandle{}, closed: make(chan struct{})}
}

func newBuiltinHost(s *Set, b builtin.Builtin, d drivers.Driver) *host {
	h := newHost(s, b.Name)
	h.describe = d
	h.launch = func(ctx context.Context) (backend, error) {
		if s.cfg.InProcess {
			return inProcess{d}, nil
		}
		path, args, err := plugin.HostCommand(s.cfg.Executable, b.Name)
		if err != nil {
			return nil, err
		}
		return h.start(ctx, plugin.Options{Name: b.Name, Path: path, Args: args, Dir: s.cfg.Dir, Logger: h.logger})
	}
	return h
}

// start launches a host process and keeps how to find it again.
func (h *host) start(ctx context.Context, opts plugin.Options) (backend, error) {
	c, err := plugin.Launch(ctx, opts)
	if err != nil {
		return nil, err
	}
	h.logger.Info("driver host started", "pid", c.PID())
	h.save(c.Reattachment())
	return process{c}, nil
}

func (h *host) save(data []byte) {
	if h.set.cfg.Store == nil {
		return
	}
	if err := h.set.cfg.Store.SaveDriver(h.name, data); err != nil {
		h.logger.Warn("reattach data of the driver host not saved: it will not be found after a restart", "err", err)
	}
}

// acquire returns a backend for one call; release it with done. It finds the process of an earlier agent or starts one.
func (h *host) acquire(ctx context.Context) (backend, error) {
	if b, ok := h.use(); ok {
		return b, nil
	}
	select {
	case h.connecting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.connecting }()
	if b, ok := h.use(); ok {
		return b, nil
	}
	if h.isClosed() {
		return nil, fmt.Errorf("driver %q: %w: the agent is shutting down", h.name, drivers.ErrUnavailable)
	}
	if err := h.connect(ctx, true); err != nil {
		return nil, err
	}
	b, ok := h.use()
	if !ok {
		return nil, fmt.Errorf("driver %q: %w: its host ended at once: see its log in %s", h.name, drivers.ErrUnavailable, h.set.cfg.Dir)
	}
	return b, nil
}

// use counts a call on the current backend, when that lives.
func (h *host) use() (backend, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil || gone(h.current) {
		return nil, false
	}
	h.calls++
	return h.current, true
}

func gone(b backend) bool {
	select {
	case <-b.Exited():
		return true
	default:
		return false
	}
}

// done ends a call. A host that has nothing left to do is stopped after a while.
func (h *host) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls--
	h.checkIdle()
}

// checkIdle starts or stops the idle clock; h.mu is held.
func (h *host) checkIdle() {
	if h.calls > 0 || len(h.live) > 0 || h.external || h.isClosed() || h.current == nil {
		if h.idle != nil {
			h.idle.Stop()
			h.idle = nil
		}
		return
	}
	if h.idle == nil {
		h.idle = time.AfterFunc(h.set.cfg.IdleStop, h.stopIdle)
	}
}

func (h *host) stopIdle() {
	h.connecting <- struct{}{}
	defer func() { <-h.connecting }()
	h.mu.Lock()
	b := h.current
	if h.calls > 0 || len(h.live) > 0 || h.isClosed() || b == nil {
		h.mu.Unlock()
		return
	}
	h.current, h.idle = nil, nil
	h.mu.Unlock()
	h.save(nil)
	if err := b.Kill(); err != nil {
		h.logger.Warn("idle driver host not stopped", "err", err)
		return
	}
	h.logger.Info("driver host stopped: no tasks", "after", h.set.cfg.IdleStop)
}

// connect makes a backend the current one, and hands it the living tasks. h.connecting is held.
func (h *host) connect(ctx context.Context, mayLaunch bool) error {
	h.mu.Lock()
	old := h.current
	h.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
	b, err := h.reattach(ctx)
	launched := err == nil && b == nil
	if launched {
		if !mayLaunch {
			return nil
		}
		b, err = h.launch(ctx)
	}
	if err != nil {
		return fmt.Errorf("driver %q: %w: %w", h.name, drivers.ErrUnavailable, err)
	}
	if p, ok := b.(process); ok && h.set.cfg.Node != nil {
		p.SetNode(h.set.cfg.Node())
	}
	if err := b.Configure(ctx, h.config); err != nil {
		if launched { // it has no tasks yet: nobody would look for it again
			_ = b.Kill()
		} else {
			_ = b.Close()
		}
		return fmt.Errorf("driver %q: configure: %w", h.name, err)
	}
	h.recoverLive(ctx, b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = b
	h.checkIdle()
	go h.watch(b)
	return nil
}

// reattach finds the process that an earlier agent started. It looks once: later ones are ours.
func (h *host) reattach(ctx context.Context) (backend, error) {
	h.mu.Lock()
	looked := h.looked
	h.looked = true
	h.mu.Unlock()
	if looked || h.set.cfg.Store == nil || h.set.cfg.InProcess {
		return nil, nil
	}
	data, err := h.set.cfg.Store.LoadDriver(h.name)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	c, err := plugin.Reattach(ctx, data)
	if err != nil {
		h.logger.Info("driver host of the earlier agent not found again, a new one takes over its tasks", "err", err)
		return nil, nil
	}
	if h.external && !c.Runs(h.path) {
		h.logger.Info("driver plugin has been replaced: the new one takes over its tasks", "pid", c.PID(), "plugin", h.path)
		return nil, c.Kill()
	}
	if !sameMounts(c.PID()) {
		// A service manager may give each start of the agent mounts of its own. What is
		// mounted for tasks from now on would not be there for that process.
		h.logger.Info("the driver host of the earlier agent has another mount namespace: a new one takes over its tasks", "pid", c.PID())
		return nil, c.Kill()
	}
	h.logger.Info("driver host found again", "pid", c.PID())
	return process{c}, nil
}

// recoverLive hands a new backend the tasks that its predecessor had.
func (h *host) recoverLive(ctx context.Context, b backend) {
	h.mu.Lock()
	live := slices.Collect(maps.Values(h.live))
	h.mu.Unlock()
	for _, t := range live {
		if err := b.Recover(ctx, t); err != nil {
			h.logger.Error("task not recovered by the new driver host", "task_id", t.Config.ID, "err", err)
		}
	}
}

// watch starts a new host as soon as one with tasks has died, so that ends of tasks are noticed as they happen.
func (h *host) watch(b backend) {
	if b.Exited() == nil {
		return
	}
	select {
	case <-b.Exited():
	case <-h.closed:
		return
	}
	h.mu.Lock()
	mine, live := h.current == b, len(h.live)
	h.mu.Unlock()
	if !mine {
		return
	}
	h.logger.Warn("driver host ended", "tasks", live)
	for backoff := 50 * time.Millisecond; live > 0; backoff = min(2*backoff, 30*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := h.acquire(ctx)
		cancel()
		if err == nil {
			h.done()
			return
		}
		select {
		case <-time.After(backoff):
		case <-h.closed:
			return
		}
		h.logger.Error("driver host not started again", "err", err, "again_in", backoff)
		h.mu.Lock()
		live = len(h.live)
		h.mu.Unlock()
	}
}

// adopt finds the host of an earlier agent, so that one without tasks does not stay for ever.
func (h *host) adopt(ctx context.Context) {
	select {
	case h.connecting <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-h.connecting }()
	h.mu.Lock()
	there := h.current != nil
	h.mu.Unlock()
	if there {
		return
	}
	if err := h.connect(ctx, false); err != nil && !errors.Is(err, context.Canceled) {
		h.logger.Warn("driver host of the earlier agent not taken over", "err", err)
	}
}

// release lets go of the host, which runs on while it has tasks.
func (h *host) release() {
	h.mu.Lock()
	b, live := h.current, len(h.live)
	h.current = nil
	if !h.isClosed() {
		close(h.closed)
	}
	if h.idle != nil {
		h.idle.Stop()
	}
	h.mu.Unlock()
	if b == nil {
		return
	}
	if live > 0 {
		_ = b.Close()
		return
	}
	h.save(nil)
	if err := b.Kill(); err != nil {
		h.logger.Warn("driver host without tasks not stopped", "err", err)
	}
}
