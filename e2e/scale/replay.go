package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/seraihq/serai/internal/pause"
)

const (
	samples = 12
	// stuckAfter is for how long nothing may get done.
	stuckAfter = 30 * time.Second
	// The server frees what is over for this long, and looks this often.
	keepOver  = 5 * time.Second
	sweepEach = 5 * time.Second
)

// replayConfig has dead jobs freed as fast as they come: days pass in minutes.
var replayConfig = fmt.Sprintf(`
server {
  job_gc_interval         = %q
  job_gc_threshold        = %q
  eval_gc_threshold       = %[2]q
  batch_eval_gc_threshold = %[2]q
  deployment_gc_threshold = %[2]q
}`, sweepEach, keepOver)

// replayFigures are what a replay prints.
type replayFigures struct {
	Trace       string `json:"trace"`
	Nodes       int    `json:"nodes"`
	Batches     int    `json:"jobs"`
	Calls       int    `json:"api_calls"`
	Events      int    `json:"vm_events"`
	TracePeak   int    `json:"trace_peak_population"`
	Peak        int64  `json:"peak_population"`
	Window      int    `json:"window_vms"`
	Connections int    `json:"connections"`

	Seconds      float64 `json:"seconds"`
	EventsPerSec float64 `json:"vm_events_per_second"`
	CallsPerSec  float64 `json:"api_calls_per_second"`
	P50          float64 `json:"event_p50_ms"`
	P99          float64 `json:"event_p99_ms"`

	Unplaced      int    `json:"events_not_done"`
	Overcommitted int    `json:"overcommitted_nodes"`
	Strays        int64  `json:"vms_more_or_less_at_the_end"`
	BrokenStreams int64  `json:"broken_streams,omitempty"`
	LoadAverage   string `json:"load_average"`

	Messages int64 `json:"messages_to_nodes"`
	Reports  int64 `json:"reports_from_nodes"`

	ServerCPU  float64  `json:"server_cpu_seconds"`
	ClientsCPU float64  `json:"clients_cpu_seconds"`
	ServerPeak float64  `json:"server_mib_peak"`
	Samples    []sample `json:"samples"`
}

// sample is a look at the server.
type sample struct {
	At      float64 `json:"s"`
	Events  int64   `json:"vm_events"`
	Alive   int64   `json:"alive"`
	MiB     float64 `json:"rss_mib"`
	Live    float64 `json:"live_heap_mib"`
	Blocked int     `json:"blocked_evals"`
}

// replayer has a trace happen.
type replayer struct {
	o      *options
	s      *server
	fleet  *fleet
	out    *replayFigures
	began  time.Time
	window *semaphore.Weighted // VMs whose events are under way
	calls  chan struct{}       // requests under way
	done   atomic.Int64        // VM events
	left   atomic.Int64        // events

	mu   sync.Mutex
	took []time.Duration
}

// replay has the VMs of a trace come and go as fast as the server takes them.
func replay(ctx context.Context, o *options) (*replayFigures, error) {
	events, err := readTrace(o.Replay)
	if err != nil {
		return nil, err
	}
	out := &replayFigures{Trace: o.Replay, Nodes: o.Nodes, Window: o.Window, LoadAverage: loadAverage()}
	out.Connections, _ = descriptors(o)
	events, out.Events, out.TracePeak = cut(events, o.Events)
	out.Calls = len(events)
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s, err := startServer(ctx, o, replayConfig)
	if err != nil {
		return nil, err
	}
	defer s.end()
	f := newFleet(o, shape{cpu: replayCPU, memory: replayMemory}, connections(o, s.rpcAddress()))
	defer f.stop()
	if err := f.start(ctx); err != nil {
		return out, err
	}
	r := &replayer{o: o, s: s, fleet: f, out: out, window: semaphore.NewWeighted(int64(o.Window)), calls: make(chan struct{}, o.Submitters)}
	return out, r.run(ctx, events)
}

// run measures the events; r.out is filled also when they do not end.
func (r *replayer) run(ctx context.Context, events []*event) error {
	r.left.Store(int64(len(events)))
	r.s.settled(ctx)
	before, own := usageOf(r.s.PID()), ownCPU()
	told, reports := r.fleet.told.Load(), r.fleet.reports.Load()
	cpu := r.s.profile(ctx, r.o.Profile, "cpu.pprof", "/debug/pprof/profile?seconds=30")
	endProfile := profileSelf(r.o.Profile)
	r.began = time.Now()
	watch, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(watch, stop)
	}()
	err := r.happen(watch, events)
	if cause := context.Cause(watch); err != nil && cause != nil {
		err = cause
	}
	took := time.Since(r.began)
	endProfile()
	stop(nil)
	<-watched
	after := usageOf(r.s.PID())
	r.out.ServerCPU, r.out.ClientsCPU, r.out.ServerPeak = after.cpu-before.cpu, ownCPU()-own, after.peak
	r.out.Messages, r.out.Reports = r.fleet.told.Load()-told, r.fleet.reports.Load()-reports
	r.out.Seconds = seconds(took)
	r.out.EventsPerSec = float64(int(float64(r.done.Load()) / took.Seconds()))
	r.out.CallsPerSec = float64(int(float64(r.out.Calls-int(r.left.Load())) / took.Seconds()))
	r.out.P50, r.out.P99 = percentile(r.took, 0.5), percentile(r.took, 0.99)
	r.out.Peak, r.out.Unplaced = r.fleet.peak.Load(), int(r.left.Load())
	r.out.BrokenStreams, r.out.Overcommitted = r.fleet.broken.Load(), r.fleet.overcommitted()
	if err != nil {
		return err
	}
	<-cpu
	if pause.For(ctx, keepOver+2*sweepEach) { // what is over is freed
		r.s.settled(ctx)
		r.sample(ctx)
	}
	r.out.Strays = r.fleet.live.Load() - alive(events)
	<-r.s.profile(ctx, r.o.Profile, "heap-after.pprof", "/debug/pprof/heap")
	return nil
}

// alive counts the VMs that the events leave.
func alive(events []*event) (n int64) {
	for _, e := range events {
		if e.leave == nil {
			n += int64(e.vms)
		} else {
			n -= int64(e.vms)
		}
	}
	return n
}

// happen starts the events in their order. Those of one batch wait for each
// other; of all others at most a window is under way, so that the population
// is that of the trace but for the window.
func (r *replayer) happen(ctx context.Context, events []*event) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range events {
		weight := min(int64(e.vms), int64(r.o.Window))
		if r.window.Acquire(ctx, weight) != nil {
			break
		}
		before, over := e.batch.done, make(chan struct{})
		e.batch.done = over
		if e.leave == nil {
			r.out.Batches++
		}
		g.Go(func() error {
			defer r.window.Release(weight)
			if before != nil {
				select {
				case <-before:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			began := time.Now()
			if err := r.one(ctx, e); err != nil {
				return fmt.Errorf("%s: %w", e.batch.id, err)
			}
			r.note(e, time.Since(began))
			close(over)
			return nil
		})
	}
	return g.Wait()
}

func (r *replayer) note(e *event, took time.Duration) {
	r.done.Add(int64(e.vms))
	r.left.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
}

// one has an event happen: it is over when the nodes know.
func (r *replayer) one(ctx context.Context, e *event) error {
	b := e.batch
	changed, group := 0, 0
	for i, n := range e.leave {
		if n > 0 {
			b.groups[i].count -= n
			changed, group = changed+1, i
		}
	}
	left := 0
	for _, g := range b.groups {
		left += g.count
	}
	reached := r.fleet.reach(b.id, left)
	if err := r.call(ctx, e, changed, group, left); err != nil {
		return err
	}
	select {
	case <-reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	if left == 0 {
		r.fleet.drop(b.id)
	}
	return nil
}

// call says it as a user would: a job is registered, scaled, or stopped when
// its last VM leaves; it is registered anew when several of its groups shrink.
func (r *replayer) call(ctx context.Context, e *event, changed, group, left int) error {
	select {
	case r.calls <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.calls }()
	b := e.batch
	switch {
	case e.leave != nil && left == 0:
		return r.s.put(ctx, "DELETE", "/v1/job/"+b.id, nil)
	case changed == 1:
		return r.s.put(ctx, "PUT", "/v1/job/"+b.id+"/scale", object{
			"Count": b.groups[group].count, "Target": object{"Group": groupName(group)},
		})
	}
	return r.s.put(ctx, "PUT", "/v1/jobs", b.body())
}

func groupName(i int) string { return fmt.Sprintf("vm-%d", i) }

// body gives the job: a service without deployments, as health is the tenant's.
func (b *batch) body() object {
	var groups []object
	for i, g := range b.groups {
		groups = append(groups, object{
			"Name": groupName(i), "Count": g.count,
			"Tasks": []object{{
				"Name": "vm", "Driver": "mock_driver", "Config": object{"run_for": "240h"},
				"Resources": object{"CPU": g.cpu, "MemoryMB": g.memory},
			}},
		})
	}
	return object{"Job": object{
		"ID": b.id, "Name": b.id, "Type": "service", "Datacenters": []string{"dc1"},
		"Update": object{"MaxParallel": 0}, "TaskGroups": groups,
	}}
}

// watch takes samples and ends it all when nothing gets done.
func (r *replayer) watch(ctx context.Context, stop context.CancelCauseFunc) {
	const each = 100 * time.Millisecond
	var last, next int64
	since := time.Now()
	for pause.For(ctx, each) {
		n := r.done.Load()
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stuckAfter {
			r.sample(ctx)
			stop(errors.New("nothing was placed or stopped for " + stuckAfter.String()))
			return
		}
		if n >= next {
			r.sample(ctx)
			next += max(1, int64(r.out.Events/samples))
		}
	}
}

func (r *replayer) sample(ctx context.Context) {
	s := sample{At: seconds(time.Since(r.began)), Events: r.done.Load(), Alive: r.fleet.live.Load(), Blocked: r.s.blocked(ctx)}
	s.MiB, s.Live = float64(int(usageOf(r.s.PID()).rss)), float64(int(r.s.liveHeap(ctx)))
	if ctx.Err() == nil {
		r.out.Samples = append(r.out.Samples, s)
	}
}
