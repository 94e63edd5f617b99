package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seraihq/serai/internal/pause"
)

// The server has until mostSettle to give memory back, and is looked at as soon
// as it gave back none for leastSettle.
const (
	leastSettle = 12 * time.Second
	mostSettle  = 40 * time.Second
)

// settled waits for that.
func (s *server) settled(ctx context.Context) {
	end := time.Now().Add(mostSettle)
	least, since := usageOf(s.PID()).rss, time.Now()
	for time.Now().Before(end) && time.Since(since) < leastSettle && pause.For(ctx, time.Second) {
		if rss := usageOf(s.PID()).rss; rss < least*0.99 {
			least, since = rss, time.Now()
		}
	}
}

// measure submits the jobs and waits until all is placed and runs.
func measure(ctx context.Context, o *options, shape shape, s *server, f *fleet, out *figures) error {
	list := shape.load(o)
	for _, w := range list {
		if w.never {
			out.Unplaceable++
		} else {
			out.Allocations += w.count
		}
	}
	s.settled(ctx)
	out.LiveBase = s.liveHeap(ctx)
	before, own, log := usageOf(s.PID()), ownCPU(), logSize(s.logDir())
	ran, stopped := f.running.Load(), f.ended.Load()
	told, reports := f.told.Load(), f.reports.Load()
	out.ServerBase = before.rss
	<-s.profile(ctx, o.Profile, "heap-before.pprof", "/debug/pprof/heap?gc=1")
	cpu := s.profile(ctx, o.Profile, "cpu.pprof", fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(15, o.Jobs*o.Count/20000)))
	if shape.churn {
		churn, stop := context.WithCancel(ctx)
		defer stop()
		f.loops.Go(func() { f.churn(churn) })
	}

	endProfile := profileSelf(o.Profile)
	defer endProfile()
	watched, ended := f.guard(ctx, s, list)
	defer ended()
	began := time.Now()
	if err := f.submit(watched, s, &shape, list); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	out.SecondsToSubmit = seconds(time.Since(began))
	err := f.allPlaced(watched, list)
	f.latencies(list, began, out)
	if err == nil {
		err = await(watched, func() (bool, string) {
			n := int(f.running.Load() - ran)
			return n >= out.Allocations, fmt.Sprintf("%d of %d run", n, out.Allocations)
		})
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %s", err, f.stall(s, list))
	}
	ended()
	out.SecondsToRunning = seconds(time.Since(began))
	after := usageOf(s.PID())
	out.ServerCPU, out.ClientsCPU, out.ServerPeak = after.cpu-before.cpu, ownCPU()-own, after.peak
	out.Preempted, out.BrokenStreams = f.ended.Load()-stopped, f.broken.Load()
	out.Messages, out.Reports = f.told.Load()-told, f.reports.Load()-reports
	out.Overcommitted = f.overcommitted()
	if err != nil {
		return err
	}
	<-cpu
	s.settled(ctx)
	<-s.profile(ctx, o.Profile, "heap-after.pprof", "/debug/pprof/heap?gc=1")
	out.ServerMiB = usageOf(s.PID()).rss
	out.ServerLive = s.liveHeap(ctx)
	out.BytesPerAlloc = (out.ServerMiB - out.ServerBase) * (1 << 20) / float64(out.Allocations)
	out.LivePerAlloc = (out.ServerLive - out.LiveBase) * (1 << 20) / float64(out.Allocations)
	out.LogBytesPerAlloc = (logSize(s.logDir()) - log) / float64(out.Allocations)
	return nil
}

// latencies takes the times of the jobs together.
func (f *fleet) latencies(list []wanted, began time.Time, out *figures) {
	var each []time.Duration
	var last time.Time
	placed := 0
	for _, w := range list {
		j := f.job(w.id)
		at := j.placed.Load()
		if at == 0 {
			continue
		}
		t := time.Unix(0, at)
		each = append(each, t.Sub(j.submitted))
		placed += w.count
		if t.After(last) {
			last = t
		}
	}
	took := last.Sub(began)
	if len(each) == 0 || took <= 0 {
		return
	}
	out.SecondsToPlaced = seconds(took)
	out.PlacementsPerSec = float64(int(float64(placed) / took.Seconds()))
	out.JobsPerSec = float64(int(float64(len(each)) / took.Seconds()))
	out.P50, out.P99 = percentile(each, 0.5), percentile(each, 0.99)
}

// overcommitted counts the nodes that were ever given more than they have.
func (f *fleet) overcommitted() int {
	bad := 0
	for _, n := range f.nodes {
		n.mu.Lock()
		if n.over {
			bad++
		}
		n.mu.Unlock()
	}
	return bad
}
