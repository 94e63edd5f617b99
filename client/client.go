package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/alloc"
	"github.com/seraihq/serai/client/artifact"
	"github.com/seraihq/serai/client/device"
	"github.com/seraihq/serai/client/driverset"
	"github.com/seraihq/serai/client/logs"
	"github.com/seraihq/serai/client/network"
	"github.com/seraihq/serai/client/store"
	"github.com/seraihq/serai/client/template"
	"github.com/seraihq/serai/client/users"
)

// stopFor is how long StopTasks waits for tasks over the longest kill timeout.
const stopFor = 10 * time.Second

// Client is the node agent.
type Client struct {
	cfg     Config
	logger  *slog.Logger
	id      store.Identity
	store   *store.Store
	drivers *driverset.Set
	// driverNews is closed when a driver has changed since the node was first described.
	driverNews <-chan struct{}
	logs       *logs.Collector
	// templates renders those of all tasks.
	templates *template.Service
	users     *users.Pool
	updates   *updater
	devices   *device.Set
	// artifacts fetches those of all tasks.
	artifacts *artifact.Fetcher
	cores     cores
	networks  *network.Manager

	node   atomic.Pointer[api.Node] // as it is registered; immutable
	static map[string]string        // metadata of the configuration
	meta   sync.Mutex               // held while the metadata is changed

	hold     chan struct{} // closed when tasks may be started
	synced   sync.Once
	register chan struct{} // asks for a registration
	probe    chan struct{} // asks for a heartbeat before it is due
	resync   chan struct{} // asks for a full sync
	seen     uint64        // index of the newest message of the stream; syncLoop's
	collect  chan struct{} // asks for a pass of the collector

	mu     sync.Mutex // guards the fields below
	allocs map[string]*entry
	run    context.Context // that of the allocations; nil before Run
	ending bool            // nothing new is started

	work  sync.WaitGroup // the allocations' loops
	stats cpuTimes
	lastN lastNode
}

// entry is an allocation of this node.
type entry struct {
	*alloc.Runner
	// acked: the servers know that it is over. Until then it is not collected,
	// or they would have it started again.
	acked     bool
	unknown   bool // the servers do not know it any more: it is collected as soon as it is over
	destroyed bool
}

// lastNode remembers when the servers were last reached.
type lastNode struct {
	mu        sync.Mutex
	contact   time.Time
	heard     time.Time // contact, or what an earlier agent knows
	asked     time.Time // the first heartbeat since then that has no answer; zero when there was none
	refused   bool      // one of those has failed
	heartbeat time.Duration
	first     chan struct{} // closed at the first contact
}

// New makes a client: it opens the state, looks at the node and its drivers,
// and starts nothing. Run must be called, or Close.
func New(cfg Config) (*Client, error) {
	cfg.defaults()
	c := &Client{
		cfg: cfg, logger: cfg.Logger.With("component", "client"), lastN: lastNode{first: make(chan struct{})},
		hold: make(chan struct{}), register: make(chan struct{}, 1), probe: make(chan struct{}, 1),
		resync: make(chan struct{}, 1), collect: make(chan struct{}, 1),
		allocs: map[string]*entry{}, static: cfg.Meta,
	}
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("client state: %w", err)
	}
	// Tasks of any user pass through, and nobody lists. The agent's umask forbids
	// that to what it makes, so it is said twice.
	if err := errors.Join(os.MkdirAll(cfg.AllocDir, 0o711), os.Chmod(cfg.AllocDir, 0o711)); err != nil {
		return nil, fmt.Errorf("allocation directory: %w", err)
	}
	var err error
	if c.store, err = store.Open(cfg.StateDir, cfg.Logger); err != nil {
		return nil, err
	}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	return c, nil
}

func (c *Client) prepare() error {
	var err error
	if c.id, err = c.store.Identity(); err != nil {
		return err
	}
	if c.devices, err = device.NewSet(c.cfg.Devices); err != nil {
		return err
	}
	if err := checkVolumes(c.cfg.HostVolumes); err != nil {
		return err
	}
	c.rememberServers()
	c.lastN.heard = c.lastContact()
	dc := c.cfg.Drivers
	dc.Logger, dc.Store, dc.Node = c.cfg.Logger, c.store, c.driverNode
	if dc.Dir == "" {
		dc.Dir = filepath.Join(c.cfg.StateDir, "drivers")
	}
	if c.drivers, err = driverset.New(dc); err != nil {
		return err
	}
	if c.networks, err = c.newNetworks(); err != nil {
		return err
	}
	c.logs = logs.New(c.cfg.Logger)
	c.users = users.New(c.cfg.UserMin, c.cfg.UserMax)
	c.cfg.Artifacts.Logger = c.cfg.Logger
	c.artifacts = artifact.New(c.cfg.Artifacts)
	c.templates = template.NewService(c.cfg.Templates)
	c.updates = newUpdater(c)
	c.node.Store(c.firstNode())
	return nil
}

// Close closes the state of a client that was never run.
func (c *Client) Close() error { return c.store.Close() }

// Run is the agent at work. It ends with ctx and joins all that it started;
// tasks run on, unless the configuration says that they end with it.
func (c *Client) Run(ctx context.Context) error {
	// What serves the tasks ends after them, so each part has its own end.
	base := context.WithoutCancel(ctx)
	driversCtx, endDrivers := context.WithCancel(base)
	allocsCtx, endAllocs := context.WithCancel(base)
	loopsCtx, endLoops := context.WithCancel(base)
	var driversDone, loops sync.WaitGroup
	driversDone.Go(func() { _ = c.drivers.Run(driversCtx) })

	c.mu.Lock()
	c.run = allocsCtx
	c.mu.Unlock()
	err := c.restore()
	if err == nil {
		for _, loop := range []func(context.Context){
			c.updates.loop, c.registerLoop, c.syncLoop, c.driversLoop, c.collectLoop, c.reapLoop, c.metricsLoop, c.usageLoop, c.aloneLoop, c.diskLoop,
			c.networks.Run, c.pluginsLoop,
		} {
			loops.Go(func() { loop(loopsCtx) })
		}
		<-ctx.Done()
	}
	if c.cfg.StopTasks {
		c.stopAll()
	}
	endAllocs()
	c.work.Wait()
	if c.cfg.StopTasks {
		c.removeAll()
	}
	endLoops()
	loops.Wait()
	c.endNetworks()
	endDrivers()
	driversDone.Wait()
	c.logs.Close()
	c.templates.Close()
	return errors.Join(err, c.store.Close())
}

// stopAll ends all tasks in order and waits for them.
func (c *Client) stopAll() {
	// The servers may place anew what they see ending here.
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	entries := c.entries()
	for _, e := range entries {
		e.Kill(true)
	}
	deadline := time.NewTimer(c.cfg.MaxKillTimeout + stopFor)
	defer deadline.Stop()
	for _, e := range entries {
		select {
		case <-e.Ended():
		case <-deadline.C:
			c.logger.Warn("not all tasks have ended in time", "alloc_id", e.ID())
			return
		}
	}
}

func (c *Client) removeAll() {
	for _, e := range c.entries() {
		if e.Over() {
			if err := c.destroy(e); err != nil {
				c.logger.Warn("the allocation's directory is not removed", "alloc_id", e.ID(), "err", err)
			}
		}
	}
}

// poke sends to a channel that holds one wish.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
