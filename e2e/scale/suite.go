package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What is wanted of the runs of the suite.
const (
	leastPlacements = 20000 // a second, plain
	leastShare      = 0.5   // of the plain rate, every other shape
	leastJobs       = 5000  // a second, of one allocation
	leastEvents     = 10000 // a second, of the trace
	mostToRunning   = 10.0  // seconds from the last placement
	mostMillion     = 90.0  // seconds until a million is placed
	mostBytes       = 1024  // of resident memory for each of a million
)

// suiteRun is one run of the suite: a process of its own, so that none has what
// another left behind.
type suiteRun struct {
	name  string
	args  []string
	limit time.Duration
	judge func(r *verdicts, f *figures)
}

// verdicts are what is found of a run, and what runs need to know of others.
type verdicts struct {
	plain float64 // placements a second
	found []string
	met   bool
}

// want notes a value and whether it is as wanted.
func (v *verdicts) want(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !ok {
		text = "**missed:** " + text
	}
	v.found, v.met = append(v.found, text), v.met && ok
}

// common is wanted of every load.
func (v *verdicts) common(f *figures) {
	late := f.SecondsToRunning - f.SecondsToPlaced
	v.want(late <= mostToRunning, "running %.1f s later (≤ %.0f)", late, mostToRunning)
	if f.Overcommitted > 0 {
		v.want(false, "%d nodes over-committed", f.Overcommitted)
	}
}

func judgePlain(v *verdicts, f *figures) {
	v.plain = f.PlacementsPerSec
	v.want(f.PlacementsPerSec >= leastPlacements, "%.0f/s (≥ %d)", f.PlacementsPerSec, leastPlacements)
	v.common(f)
}

func judgeShape(v *verdicts, f *figures) {
	least := leastShare * v.plain
	v.want(f.PlacementsPerSec >= least, "%.0f/s (≥ %.0f, half of plain)", f.PlacementsPerSec, least)
	v.common(f)
}

func judgeJobs(v *verdicts, f *figures) {
	v.want(f.JobsPerSec >= leastJobs, "%.0f jobs/s (≥ %d)", f.JobsPerSec, leastJobs)
	v.common(f)
}

func judgeMillion(v *verdicts, f *figures) {
	v.want(f.SecondsToPlaced > 0 && f.SecondsToPlaced <= mostMillion, "placed in %.1f s (≤ %.0f)", f.SecondsToPlaced, mostMillion)
	v.want(f.BytesPerAlloc <= mostBytes, "%.0f B resident each (≤ %d)", f.BytesPerAlloc, mostBytes)
	if f.Overcommitted > 0 {
		v.want(false, "%d nodes over-committed", f.Overcommitted)
	}
}

// suiteRuns lists the loads.
func suiteRuns() []suiteRun {
	load := func(name, shape string, nodes, jobs, count int, limit time.Duration, judge func(*verdicts, *figures), more ...string) suiteRun {
		args := append([]string{
			"-shape", shape, "-nodes", fmt.Sprint(nodes), "-jobs", fmt.Sprint(jobs), "-count", fmt.Sprint(count), "-timeout", limit.String(),
		}, more...)
		return suiteRun{name, args, limit + time.Minute, judge}
	}
	const usual, long = 3 * time.Minute, 8 * time.Minute
	runs := []suiteRun{load("5,000 × 100 × 1,000, plain", "plain", 5000, 100, 1000, usual, judgePlain)}
	for _, shape := range []string{"spread", "affinity", "distinct", "constraints", "devices", "full", "churn"} {
		runs = append(runs, load("the same, "+shape, shape, 5000, 100, 1000, usual, judgeShape))
	}
	return append(runs,
		load("5,000 × 20 × 1,000, preemption", "preemption", 5000, 20, 1000, usual, judgeShape),
		load("5,000 × 10,000 × 1, plain", "plain", 5000, 10000, 1, usual, judgeJobs, "-submitters", "64"),
		load("10,000 × 1,000 × 1,000, plain", "plain", 10000, 1000, 1000, long, judgeMillion),
	)
}

// suite runs everything and prints a table with what became of each; it goes on
// after a run that failed. The error says how many were missed or failed.
func suite(ctx context.Context, o *options) error {
	fmt.Println("| nodes × jobs × count | verdict | found (wanted) | placed / running in | register → placed, p50 / p99 | CPU: server / clients | live / resident each | log each | load |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	v, bad := &verdicts{}, 0
	for _, r := range suiteRuns() {
		var f figures
		v.found, v.met = nil, true
		err := r.run(ctx, o, &f)
		if err != nil {
			v.want(false, "%v", err)
		} else {
			r.judge(v, &f)
		}
		fmt.Printf("| %s | %s | %s | %.1f / %.1f s | %.0f / %.0f ms | %.1f / %.1f s | %.0f / %.0f B | %.0f B | %s |\n",
			r.name, verdict(v.met), strings.Join(v.found, "; "), f.SecondsToPlaced, f.SecondsToRunning, f.P50, f.P99,
			f.ServerCPU, f.ClientsCPU, f.LivePerAlloc, f.BytesPerAlloc, f.LogBytesPerAlloc, first(f.LoadAverage))
		if !v.met {
			bad++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if o.Replay != "" && !suiteReplay(ctx, o, v) {
		bad++
	}
	if bad > 0 {
		return fmt.Errorf("%d rows missed what is wanted, or failed", bad)
	}
	return nil
}

// suiteReplay has the trace happen, all of it unless the options say otherwise.
func suiteReplay(ctx context.Context, o *options, v *verdicts) bool {
	var f replayFigures
	v.found, v.met = nil, true
	limit := max(o.Timeout, 45*time.Minute)
	r := suiteRun{args: []string{"-nodes", "2300", "-replay", o.Replay, "-events", fmt.Sprint(o.Events), "-timeout", limit.String()}, limit: limit + time.Minute}
	err := r.run(ctx, o, &f)
	if err != nil {
		v.want(false, "%v", err)
	} else {
		v.want(f.EventsPerSec >= leastEvents, "%.0f events/s (≥ %d)", f.EventsPerSec, leastEvents)
		v.want(f.Overcommitted == 0 && f.Unplaced == 0 && f.Strays == 0, "%d nodes over-committed, %d events not done, %d VMs astray (none)", f.Overcommitted, f.Unplaced, f.Strays)
		last := f.Samples[len(f.Samples)-1]
		most := slices.MaxFunc(f.Samples, func(a, b sample) int { return int(a.Live - b.Live) })
		v.want(last.Live <= most.Live, "live heap %.0f MiB at the end, %.0f at most", last.Live, most.Live)
	}
	fmt.Printf("| trace of %d events, 2,300 nodes | %s | %s | %.1f s | %.0f / %.0f ms | %.1f / %.1f s | peak %.0f MiB | | %s |\n",
		f.Events, verdict(v.met), strings.Join(v.found, "; "), f.Seconds, f.P50, f.P99, f.ServerCPU, f.ClientsCPU, f.ServerPeak, first(f.LoadAverage))
	return v.met
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

func first(load string) string {
	word, _, _ := strings.Cut(load, " ")
	return word
}

// run starts this program with the arguments of the run and reads its figures.
func (r *suiteRun) run(ctx context.Context, o *options, out any) error {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, append([]string{"-binary", o.Binary}, r.args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its server
	cmd.WaitDelay = time.Minute
	failed := cmd.Run()
	if text := bytes.TrimSpace(stdout.Bytes()); len(text) > 0 {
		err = json.Unmarshal(text, out)
	}
	if failed != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return errors.Join(fmt.Errorf("%.400s", lines[len(lines)-1]), context.Cause(ctx))
	}
	return err
}
