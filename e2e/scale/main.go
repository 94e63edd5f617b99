// Command scale loads a server as a large cluster would: the built binary with
// Raft on disk, and any number of simulated clients in this process, which
// speak the real protocol over loopback TCP and whose tasks only pretend to
// run. Jobs go through the HTTP API. It prints one line of JSON.
//
//	go run ./e2e/scale -binary bin/serai -nodes 5000 -jobs 100 -count 1000 [-shape spread]
//	go run ./e2e/scale -binary bin/serai -suite
//	go run ./e2e/scale -binary bin/serai -nodes 2300 -replay events.csv.gz -timeout 15m
//	go run ./e2e/scale -binary bin/serai -cluster -timeout 20m [-parts idle,kills]
//
// An allocation counts as placed when its node has received it, so that the log
// is fsynced, the state changed and the stream read; it counts as running when
// the server has acknowledged, durably, that it runs.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	Binary     string
	Nodes      int
	Jobs       int
	Count      int
	Shape      string
	Type       string
	Conns      int
	Submitters int
	Timeout    time.Duration
	Profile    string
	Replay     string
	Events     int
	Window     int
	Cluster    bool
	Reader     bool
	Clients    int
	Kills      int
	Rest       time.Duration
	Parts      string
	Suite      bool
}

func main() {
	var o options
	flag.StringVar(&o.Binary, "binary", "bin/serai", "the built serai")
	flag.IntVar(&o.Nodes, "nodes", 5000, "simulated clients")
	flag.IntVar(&o.Jobs, "jobs", 100, "jobs to submit")
	flag.IntVar(&o.Count, "count", 1000, "allocations of each job")
	flag.StringVar(&o.Shape, "shape", "plain", "what the jobs ask for: "+strings.Join(shapeNames(), ", "))
	flag.StringVar(&o.Type, "type", "batch", "type of the jobs; service jobs have deployments")
	flag.IntVar(&o.Conns, "conns", 0, "connections that the clients share; 0: each has its own")
	flag.IntVar(&o.Submitters, "submitters", 16, "jobs that are submitted at once")
	flag.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "when to give up")
	flag.StringVar(&o.Profile, "profile", "", "folder for profiles of the server: cpu, heap before and after")
	flag.StringVar(&o.Replay, "replay", "", "a trace of VMs that come and go to replay, events.csv.gz, instead of jobs and count")
	flag.IntVar(&o.Events, "events", 0, "arrivals and departures of VMs to replay; 0: all")
	flag.IntVar(&o.Window, "window", 4096, "VMs of a replay whose arrival or departure is under way at once, at the most")
	flag.BoolVar(&o.Cluster, "cluster", false, "measure three servers, with TLS and access control")
	flag.StringVar(&o.Parts, "parts", "", "of a cluster, some alone: acl, idle, wake, kills, load")
	flag.IntVar(&o.Clients, "clients", 10000, "idle clients of a cluster")
	flag.IntVar(&o.Kills, "kills", 25, "how often the leader of a cluster is killed")
	flag.DurationVar(&o.Rest, "rest", time.Minute, "how long idle clients of a cluster are looked at")
	flag.BoolVar(&o.Reader, "reader", false, "be the process that reads; for its own use")
	flag.BoolVar(&o.Suite, "suite", false, "run every shape, and the trace of -replay where it is given, and print a table with a verdict for each")
	flag.Parse()
	// Thousands of clients in one process: that they share a collector is not of
	// what is measured, and it would take the server's time.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(4 << 30)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// run measures what the options ask for and prints it, as far as it got.
func run(ctx context.Context, o *options) error {
	switch {
	case o.Reader:
		return reader(ctx)
	case o.Cluster:
		return cluster(ctx, o)
	case o.Suite:
		return suite(ctx, o)
	case o.Replay != "":
		return show(replay(ctx, o))
	}
	return show(load(ctx, o))
}

func show[T any](out *T, err error) error {
	if out != nil {
		text, _ := json.Marshal(out)
		fmt.Println(string(text))
	}
	return err
}

// load starts the server and the clients and loads them.
func load(ctx context.Context, o *options) (*figures, error) {
	shape, ok := shapes[o.Shape]
	if !ok {
		return nil, fmt.Errorf("unknown shape %q; there are %s", o.Shape, strings.Join(shapeNames(), ", "))
	}
	out := &figures{Shape: o.Shape, Nodes: o.Nodes, Jobs: o.Jobs, LoadAverage: loadAverage()}
	out.Connections, out.Note = descriptors(o)
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s, err := startServer(ctx, o, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	f := newFleet(o, shape, connections(o, s.rpcAddress()))
	defer f.stop()
	began := time.Now()
	if err := f.start(ctx); err != nil {
		return out, err
	}
	out.SecondsToRegister = seconds(time.Since(began))
	if shape.fill != nil {
		if err := f.fill(ctx, s, shape); err != nil {
			return out, fmt.Errorf("fill the fleet: %w", err)
		}
	}
	return out, measure(ctx, o, shape, s, f, out)
}
