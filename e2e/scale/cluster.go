package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// clusterRun is what the measures of a cluster share.
type clusterRun struct {
	o      *options
	t      *trio
	f      *fleet
	report *report
}

// errGoals says that the figures are there and some are not what they should be.
var errGoals = errors.New("not every goal was met")

// cluster measures three servers and prints what came of it.
func cluster(ctx context.Context, o *options) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	descriptors(&options{Conns: 1})
	r := &report{out: os.Stderr}
	err := errors.Join(checks(ctx, o, r), many(ctx, o, r), busy(ctx, o, r))
	if met := r.print(os.Stdout, time.Since(began), err); err == nil && !met {
		err = errGoals
	}
	return err
}

// chosen says whether a part of the measurement is asked for.
func (o *options) chosen(part string) bool {
	return o.Parts == "" || strings.Contains(","+o.Parts+",", ","+part+",")
}

// with runs part of the measurement on a new cluster with n clients.
func with(ctx context.Context, o *options, r *report, n int, part func(context.Context, *clusterRun) error) (err error) {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o = &options{Nodes: n, Jobs: o.Jobs, Count: o.Count, Type: "batch", Submitters: o.Submitters, Binary: o.Binary, Kills: o.Kills, Rest: o.Rest, Profile: o.Profile}
	r.say("three servers start")
	t, err := startTrio(ctx, o.Binary)
	defer func() { t.end(err != nil || o.Profile != "") }()
	if err != nil {
		return err
	}
	ways, err := t.ways(n)
	if err != nil {
		return err
	}
	f := newFleet(o, shapes["plain"], ways)
	defer f.stop()
	began := time.Now()
	if err := f.start(ctx); err != nil {
		return fmt.Errorf("start %d clients: %w", n, err)
	}
	r.say("%d clients are registered after %.1f s", n, time.Since(began).Seconds())
	return part(ctx, &clusterRun{o: o, t: t, f: f, report: r})
}

// many measures a cluster of many clients that do nothing.
func many(ctx context.Context, o *options, r *report) error {
	if !o.chosen("idle") && !o.chosen("wake") && !o.chosen("kills") {
		return nil
	}
	return with(ctx, o, r, o.Clients, func(ctx context.Context, c *clusterRun) error {
		var problems error
		for _, part := range []struct {
			name string
			run  func(context.Context) error
		}{{"idle", c.idle}, {"wake", c.wake}, {"kills", c.kills}} {
			if !o.chosen(part.name) {
				continue
			}
			if err := part.run(ctx); err != nil {
				problems = errors.Join(problems, fmt.Errorf("%s: %w", part.name, err))
			}
		}
		return problems
	})
}

// busy measures a cluster under load.
func busy(ctx context.Context, o *options, r *report) error {
	if !o.chosen("load") {
		return nil
	}
	return with(ctx, o, r, o.Nodes, func(ctx context.Context, c *clusterRun) error { return c.load(ctx) })
}

// checks runs the benchmark of access control.
func checks(ctx context.Context, o *options, r *report) error {
	if !o.chosen("acl") {
		return nil
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the sources, which have the benchmark of access control: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkCheck$", "-count", "5", "./server/auth")
	cmd.Dir = strings.TrimSpace(string(root))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("benchmark of access control: %w: %s", err, out)
	}
	var values []float64
	for _, m := range regexp.MustCompile(`BenchmarkCheck\S*\s+\d+\s+([0-9.]+) ns/op`).FindAllSubmatch(out, -1) {
		ns, _ := strconv.ParseFloat(string(m[1]), 64)
		values = append(values, ns/1000)
	}
	r.add(row{Key: "acl_check", What: "a check of a token with 1,000 policies", Unit: "µs", Goal: 1}, values...)
	return nil
}

// profile writes a CPU profile of each server while something is measured, where
// they are asked for; wait waits for them.
func (c *clusterRun) profile(ctx context.Context, name string, d time.Duration) (wait func()) {
	if c.o.Profile == "" {
		return func() {}
	}
	done := make(chan struct{}, len(c.t.members))
	for _, m := range c.t.members {
		go func() {
			defer func() { done <- struct{}{} }()
			text, err := c.t.raw(ctx, m, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(d.Seconds())))
			if err == nil {
				err = os.WriteFile(filepath.Join(c.o.Profile, name+"-"+m.name+".pprof"), text, 0o644)
			}
			if err != nil {
				c.report.say("profile of %s: %v", m.name, err)
			}
		}()
	}
	return func() {
		for range c.t.members {
			<-done
		}
	}
}

// heaps writes the heap profiles of the servers, where they are asked for.
func (c *clusterRun) heaps(ctx context.Context, name string) {
	if c.o.Profile == "" {
		return
	}
	for _, m := range c.t.members {
		for file, path := range map[string]string{"memory.txt": "heap?debug=1", "heap.pprof": "heap?gc=1", "goroutines.txt": "goroutine?debug=1"} {
			if text, err := c.t.raw(ctx, m, "/debug/pprof/"+path); err == nil {
				_ = os.WriteFile(filepath.Join(c.o.Profile, name+"-"+m.name+"-"+file), text, 0o644)
			}
		}
	}
}
