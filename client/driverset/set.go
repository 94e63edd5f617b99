package driverset

import (
	"cmp"
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

// Store keeps the reattach data of host processes over a restart of the agent. The data is small and opaque.
type Store interface {
	// SaveDriver keeps data under a driver's name, replacing what was there; empty data deletes it.
	SaveDriver(name string, data []byte) error
	// LoadDriver returns what was kept last, or nothing.
	LoadDriver(name string) ([]byte, error)
}

// Config is what New needs.
type Config struct {
	Logger *slog.Logger
	// Dir is a directory of the agent's own (<data_dir>/drivers) for sockets and the log files of host processes. It is made with mode 0700.
	Dir string
	// PluginDir is searched for external drivers; empty means none.
	PluginDir string
	// Plugins is the operator's configuration by plugin name: the config { } body of each plugin "<name>" block.
	Plugins map[string]map[string]any
	// Args are further arguments for external plugins, by plugin name.
	Args map[string][]string
	// Node tells external drivers of the node that they run on; nil tells nothing.
	Node func() plugin.Node
	// Store keeps reattach data; nil means that hosts are not found again.
	Store Store
	// Executable is the binary that runs built-in drivers as <Executable> driver-host <name>; empty means the running one.
	Executable string
	// InProcess runs built-in drivers inside the agent: for tests and tools only, tasks do not outlive the process.
	InProcess bool
	// IdleStop is how long a host without tasks is kept; 0 means 2 minutes.
	IdleStop time.Duration
	// RetryFirst is after how long an external driver that could not be started is tried again at first; 0 means 5 seconds.
	RetryFirst time.Duration
	// LoadPatience is how long external drivers that have started wait for the others, so that of several with one name the newest is found; one that
	// says nothing must not keep them all away. 0 means 3 seconds.
	LoadPatience time.Duration
	// Allow and Deny are lists of driver names (client options driver.allowlist and driver.denylist); an empty Allow means all.
	Allow, Deny []string
}

// Status is what is known about one driver.
type Status struct {
	Name        string
	Fingerprint drivers.Fingerprint
	UpdatedAt   time.Time
}

// Set is the node's drivers.
type Set struct {
	cfg    Config
	logger *slog.Logger
	// discovered is closed once the plugin directory has been gone through.
	discovered chan struct{}
	wg         sync.WaitGroup

	mu       sync.Mutex
	hosts    map[string]*host
	statuses map[string]Status
	changed  chan struct{}
}

// firstFingerprint is how long New waits for a built-in driver to say what it finds.
const firstFingerprint = 5 * time.Second

// New makes the set with the built-in drivers fingerprinted. It starts no process; a plugin block with a fault is an error that names it.
func New(cfg Config) (*Set, error) {
	if cfg.IdleStop == 0 {
		cfg.IdleStop = 2 * time.Minute
	}
	if cfg.RetryFirst == 0 {
		cfg.RetryFirst = 5 * time.Second
	}
	if cfg.LoadPatience == 0 {
		cfg.LoadPatience = 3 * time.Second
	}
	s := &Set{cfg: cfg, logger: cfg.Logger.With("component", "drivers"), discovered: make(chan struct{}),
		hosts: map[string]*host{}, statuses: map[string]Status{}, changed: make(chan struct{})}
	var errs []error
	for _, b := range builtin.All() {
		d := b.New(s.logger.With("driver", b.Name))
		if err := d.Configure(context.Background(), cfg.Plugins[b.Name]); err != nil {
			errs = append(errs, fmt.Errorf("plugin %q: %w", b.Name, err))
			continue
		}
		s.hosts[b.Name] = newBuiltinHost(s, b, d)
		s.setStatus(b.Name, fingerprintOnce(d))
	}
	return s, errors.Join(errs...)
}

func fingerprintOnce(d drivers.Driver) drivers.Fingerprint {
	ctx, cancel := context.WithTimeout(context.Background(), firstFingerprint)
	defer cancel()
	ch, err := d.Fingerprint(ctx)
	if err != nil {
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Err: err}
	}
	select {
	case fp := <-ch:
		return fp
	case <-ctx.Done():
		return drivers.Fingerprint{Health: drivers.HealthUndetected, Description: "the driver did not answer in time"}
	}
}

// Run watches the drivers until ctx ends. Host processes and their tasks run on after it.
func (s *Set) Run(ctx context.Context) error {
	s.mu.Lock()
	builtins := slices.Collect(maps.Values(s.hosts))
	s.mu.Unlock()
	for _, h := range builtins {
		s.wg.Go(func() { s.follow(ctx, h, h.name) })
		s.wg.Go(func() { h.adopt(ctx) })
	}
	s.discover(ctx)
	<-ctx.Done()
	s.wg.Wait()
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.hosts))
	s.mu.Unlock()
	for _, h := range all {
		h.release()
	}
	return nil
}

// follow keeps a driver's status up to date.
func (s *Set) follow(ctx context.Context, h *host, name string) {
	for backoff := time.Second; ctx.Err() == nil; backoff = min(2*backoff, time.Minute) {
		ch, err := h.fingerprints(ctx)
		if err == nil {
			for fp := range ch {
				if now, _ := s.lookup(name); now != h {
					return // a newer external driver has taken the name
				}
				if fp.Err == nil {
					backoff = time.Second
				}
				s.setStatus(name, fp)
			}
		} else if ctx.Err() == nil {
			s.setStatus(name, drivers.Fingerprint{Health: drivers.HealthUndetected, Err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
	}
}

func (s *Set) setStatus(name string, fp drivers.Fingerprint) {
	if fp.Err != nil {
		fp = drivers.Fingerprint{Health: drivers.HealthUndetected, Description: fp.Err.Error(), Err: fp.Err}
	}
	if why := s.excluded(name); why != "" {
		fp = drivers.Fingerprint{Health: drivers.HealthUndetected, Description: why}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.statuses[name]
	s.statuses[name] = Status{Name: name, Fingerprint: fp, UpdatedAt: time.Now()}
	if there && same(old.Fingerprint, fp) {
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func same(a, b drivers.Fingerprint) bool {
	return a.Health == b.Health && a.Description == b.Description && maps.Equal(a.Attributes, b.Attributes)
}

// excluded says why a driver may not be used here, or nothing.
func (s *Set) excluded(name string) string {
	switch {
	case slices.Contains(s.cfg.Deny, name):
		return "excluded by the client option driver.denylist"
	case len(s.cfg.Allow) > 0 && !slices.Contains(s.cfg.Allow, name):
		return "not in the client option driver.allowlist"
	}
	return ""
}

// Statuses returns what is known about every driver, in order of name, and a channel that is closed when that changes.
func (s *Set) Statuses() ([]Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.SortedFunc(maps.Values(s.statuses), func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return out, s.changed
}

// Get returns the driver for a new task. The error for one that does not exist or may not be used names it and says what to do.
func (s *Set) Get(ctx context.Context, name string) (drivers.Driver, error) {
	d, err := s.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if why := s.excluded(name); why != "" {
		return nil, fmt.Errorf("driver %q: %w on this node: %s", name, drivers.ErrDisabled, why)
	}
	s.mu.Lock()
	st := s.statuses[name]
	s.mu.Unlock()
	if st.Fingerprint.Health == drivers.HealthUndetected {
		return nil, fmt.Errorf("driver %q: %w on this node (%s): set it up with plugin %q { config { … } } in the agent's configuration",
			name, drivers.ErrDisabled, orElse(st.Fingerprint.Description, "it was not detected"), name)
	}
	return d, nil
}

// Find returns the driver for a task that exists already, even when new ones are refused: what runs must be watched and stopped.
func (s *Set) Find(ctx context.Context, name string) (drivers.Driver, error) {
	h, ok := s.lookup(name)
	if !ok {
		select { // it may be one of those in the plugin directory
		case <-s.discovered:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		h, ok = s.lookup(name)
	}
	if !ok {
		return nil, fmt.Errorf("driver %q: %w: this node has %v; an external one must lie in plugin_dir and have a plugin block of its file's name",
			name, drivers.ErrUnknownDriver, s.Names())
	}
	return h, nil
}

func (s *Set) lookup(name string) (*host, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.hosts[name]
	return h, ok
}

// Names lists the drivers, usable or not.
func (s *Set) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.hosts))
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
