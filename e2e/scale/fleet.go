package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// fleet is the simulated clients and what they have seen.
type fleet struct {
	o     *options
	shape shape
	nodes []*node
	loops sync.WaitGroup
	halt  context.CancelFunc

	mu   sync.RWMutex // guards jobs
	jobs map[string]*job

	running atomic.Int64 // allocations that the server knows to run
	ended   atomic.Int64 // allocations that were stopped
	live    atomic.Int64 // allocations on nodes
	peak    atomic.Int64 // the most there were
	broken  atomic.Int64 // streams
	told    atomic.Int64 // messages of streams
	reports atomic.Int64 // requests with what became of allocations
	moved   atomic.Int64 // whatever got on: jobs submitted, allocations received, stopped and reported
}

// job is what is known of a submitted job.
type job struct {
	want      int64
	submitted time.Time
	live      atomic.Int64 // allocations on nodes
	placed    atomic.Int64 // Unix nanoseconds at which all of them were for the first time
	next      atomic.Pointer[goal]
}

// goal is a number of live allocations that is waited for.
type goal struct {
	live int64
	met  chan struct{}
	once sync.Once
}

// connections makes the clients' ways to a server that has no TLS.
func connections(o *options, server string) []*rpc.Client {
	first := rpc.NewClient([]string{server}, &tlsx.Dialer{})
	clients := []*rpc.Client{first}
	for len(clients) < o.Conns || o.Conns == 0 && len(clients) < o.Nodes {
		clients = append(clients, first.Share())
	}
	return clients
}

// newFleet makes the nodes; they take turns with the connections.
func newFleet(o *options, s shape, clients []*rpc.Client) *fleet {
	f := &fleet{o: o, shape: s, jobs: map[string]*job{}}
	for i := range o.Nodes {
		f.nodes = append(f.nodes, &node{
			fleet: f, server: clients[i%len(clients)], def: s.define(i),
			allocs: map[string]*held{}, wake: make(chan struct{}, 1), up: make(chan struct{}, 1),
		})
	}
	return f
}

// define describes a node; like ones are the same in every run.
func (s *shape) define(i int) *api.Node {
	id := func(kind int) string { return fmt.Sprintf("%08x-%04x-4000-8000-%012x", uint32(i)*2654435761, kind, i) }
	var gpus []*api.NodeDevice
	for g := range nodeGPUs {
		gpus = append(gpus, &api.NodeDevice{ID: fmt.Sprintf("gpu-%d-%d", i, g), Healthy: true})
	}
	now := time.Now()
	cpu, memory := s.node()
	return &api.Node{
		ID: id(1), SecretID: api.Sensitive(id(2)), Datacenter: "dc1", Name: fmt.Sprintf("node-%05d", i), NodePool: api.NodePoolDefault,
		HTTPAddr: fmt.Sprintf("127.0.%d.%d:4646", i/250%250, i%250+1),
		Attributes: map[string]string{
			"kernel.name": "linux", "kernel.version": "6.18", "cpu.arch": "amd64", "cpu.numcores": "16", "os.name": "debian", "os.version": "12",
			"driver.mock_driver": "true", "unique.hostname": fmt.Sprintf("node-%05d", i), "memory.totalbytes": "68719476736",
		},
		Meta: map[string]string{"zone": string(rune('a' + i%zones)), "rack": fmt.Sprintf("rack-%d", i%50)},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: cpu, TotalCpuCores: 32}, Memory: api.NodeMemoryResources{MemoryMB: memory},
			Disk: api.NodeDiskResources{DiskMB: nodeDisk}, MinDynamicPort: 20000, MaxDynamicPort: 32000,
			Devices: []*api.NodeDeviceResource{{Vendor: "nvidia", Type: "gpu", Name: "a100", Instances: gpus}},
		},
		ReservedResources: &api.NodeReservedResources{}, SchedulingEligibility: api.NodeEligible, Status: api.NodeStatusReady,
		Drivers: map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true, UpdateTime: now, Attributes: map[string]string{"driver.mock_driver": "true"}}},
	}
}

// start registers all nodes, opens their streams and leaves them running.
func (f *fleet) start(ctx context.Context) error {
	run, halt := context.WithCancel(context.WithoutCancel(ctx))
	f.halt = halt
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(256)
	for _, n := range f.nodes {
		g.Go(func() error { return n.open(ctx, run) })
	}
	return g.Wait()
}

// stop ends the clients and waits for them.
func (f *fleet) stop() {
	if f.halt != nil {
		f.halt()
	}
	f.loops.Wait()
	for _, n := range f.nodes {
		n.server.Close()
	}
}

func (f *fleet) job(id string) *job {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.jobs[id]
}

// expect makes jobs known before they are submitted.
func (f *fleet) expect(list []wanted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range list {
		f.jobs[w.id] = &job{want: int64(w.count)}
	}
}

// took notes that a node has received an allocation of a job.
func (f *fleet) took(jobID string) {
	f.moved.Add(1)
	live := f.live.Add(1)
	for most := f.peak.Load(); live > most && !f.peak.CompareAndSwap(most, live); most = f.peak.Load() {
	}
	j := f.job(jobID)
	if j == nil {
		return
	}
	n := j.live.Add(1)
	if n >= j.want {
		j.placed.CompareAndSwap(0, time.Now().UnixNano())
	}
	j.check(n)
}

// lost notes that an allocation is to run no longer.
func (f *fleet) lost(jobID string) {
	f.moved.Add(1)
	f.ended.Add(1)
	f.live.Add(-1)
	if j := f.job(jobID); j != nil {
		j.check(j.live.Add(-1))
	}
}

// check says so when the number that is waited for is reached.
func (j *job) check(live int64) {
	if g := j.next.Load(); g != nil && live == g.live {
		g.once.Do(func() { close(g.met) })
	}
}

// reach gives a channel that is closed as soon as a job has n live allocations.
func (f *fleet) reach(jobID string, n int) <-chan struct{} {
	f.mu.Lock()
	j := f.jobs[jobID]
	if j == nil {
		j = &job{want: int64(n)}
		f.jobs[jobID] = j
	}
	f.mu.Unlock()
	g := &goal{live: int64(n), met: make(chan struct{})}
	j.next.Store(g)
	j.check(j.live.Load())
	return g.met
}

// drop forgets a job that is over.
func (f *fleet) drop(jobID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.jobs, jobID)
}

// putter sends an object to the HTTP API.
type putter interface {
	put(ctx context.Context, method, path string, in any) error
}

// submit registers the jobs, some at a time.
func (f *fleet) submit(ctx context.Context, s putter, shape *shape, list []wanted) error {
	f.expect(list)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.o.Submitters)
	for i := range list {
		w := &list[i]
		g.Go(func() error {
			f.job(w.id).submitted = time.Now()
			defer f.moved.Add(1)
			return s.put(ctx, "PUT", "/v1/jobs", w.body(f.o, shape))
		})
	}
	return g.Wait()
}

// allPlaced waits until every job that can be placed was.
func (f *fleet) allPlaced(ctx context.Context, list []wanted) error {
	return await(ctx, func() (bool, string) {
		left := 0
		for i := range list {
			if !list[i].never && f.job(list[i].id).placed.Load() == 0 {
				left++
			}
		}
		return left == 0, fmt.Sprintf("%d jobs are not placed", left)
	})
}

// await looks again and again.
func await(ctx context.Context, check func() (bool, string)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, left := check()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), left)
		case <-tick.C:
		}
	}
}

// fill takes the room that the shape says and waits until it is taken.
func (f *fleet) fill(ctx context.Context, s putter, shape shape) error {
	if shape.config != nil {
		if err := s.put(ctx, "PUT", "/v1/operator/scheduler/configuration", shape.config); err != nil {
			return err
		}
	}
	list := shape.fill(f.o)
	if err := f.submit(ctx, s, &shape, list); err != nil {
		return err
	}
	if err := f.allPlaced(ctx, list); err != nil {
		return err
	}
	total := 0
	for _, w := range list {
		total += w.count
	}
	return await(ctx, func() (bool, string) {
		n := int(f.running.Load())
		return n >= total, fmt.Sprintf("%d of %d run", n, total)
	})
}

// churn takes 1 % of the nodes down each second, and brings each back a second
// later, until ctx ends.
func (f *fleet) churn(ctx context.Context) {
	each := max(1, len(f.nodes)/100)
	tick := time.NewTicker(time.Second / time.Duration(each))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := f.nodes[rand.IntN(len(f.nodes))]
		f.loops.Go(func() { n.blink(ctx) })
	}
}
