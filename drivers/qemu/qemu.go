package qemu

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/internal/supervise"
)

// Name is what job files write.
const Name = "qemu"

// Driver is qemu.
type Driver struct {
	*supervise.Set

	mu     sync.Mutex
	config config

	// trying keeps one trial at a time.
	trying sync.Mutex
}

// New returns the driver with its default configuration.
func New(logger *slog.Logger) *Driver {
	d := &Driver{Set: supervise.NewSet(logger)}
	d.config, _ = decodeConfig(nil) // the defaults are sound
	return d
}

// Info implements drivers.Driver.
func (d *Driver) Info() drivers.Info {
	return drivers.Info{Name: Name, Version: "0.1.0", Abilities: drivers.Abilities{
		FS: drivers.FSNone, NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup},
	}}
}

// ConfigSchema implements drivers.Driver.
func (d *Driver) ConfigSchema() *drivers.Schema { return configSchema }

// TaskSchema implements drivers.Driver.
func (d *Driver) TaskSchema() *drivers.Schema { return taskSchema }

// Configure implements drivers.Driver.
func (d *Driver) Configure(_ context.Context, raw map[string]any) error {
	c, err := decodeConfig(raw)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = c
	return nil
}

func (d *Driver) settings() config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Start implements drivers.Driver. Every error is a drivers.StartError.
func (d *Driver) Start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	if _, there := d.Lookup(cfg.ID); there {
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	d.Tidy(removeAbandoned)
	m, c, err := d.plan(ctx, cfg, d.settings())
	if err != nil {
		return nil, startError(err)
	}
	defer m.close()
	if err := m.openSockets(cfg.ID); err != nil {
		return nil, startError(fmt.Errorf("monitor: %w", err))
	}
	t, proc, err := d.launch(ctx, cfg, m, c)
	if err != nil {
		_ = removeSockets(cfg.ID)
		return nil, startError(err)
	}
	t.State.Driver = m.state(cfg.ID)
	return d.Begin(t, proc)
}

// plan checks what the job asks for and opens its files, so that nothing has to be undone when something is wrong.
func (d *Driver) plan(ctx context.Context, cfg *drivers.TaskConfig, settings config) (*machine, *confinement, error) {
	tc, err := decodeTask(cfg.Config)
	if err != nil {
		return nil, nil, err
	}
	m := &machine{taskConfig: tc, name: cfg.Name, memoryMB: max(1, cfg.Resources.MemoryMB)}
	c := &confinement{task: cfg}
	if cfg.Network != nil {
		c.netns = cfg.Network.Path
	}
	if c.emulator, err = findEmulator(tc.Emulator, settings.EmulatorsAllowlist); err != nil {
		return nil, nil, err
	}
	if c.who, err = credentials(cfg.User, settings); err != nil {
		return nil, nil, err
	}
	if m.Args, err = arguments(tc.Args, settings.ArgsAllowlist); err != nil {
		return nil, nil, err
	}
	if m.forwards, err = forwards(tc.PortMap, cfg.Resources.Ports, c.netns != ""); err != nil {
		return nil, nil, err
	}
	if c.netns == "" {
		if err := checkPorts(m.forwards); err != nil {
			return nil, nil, err
		}
	}
	for _, f := range m.forwards {
		c.lowPorts = c.lowPorts || f.host < 1024
	}
	if m.accel, err = d.accelerator(ctx, tc.Accelerator, c); err != nil {
		return nil, nil, err
	}
	if err := m.openFiles(cfg, settings.ImagePaths); err != nil {
		m.close()
		return nil, nil, err
	}
	for _, f := range []*os.File{m.kernel, m.initrd} {
		if f != nil {
			c.files = append(c.files, f)
		}
	}
	return m, c, nil
}

// openFiles opens what the machine starts from.
func (m *machine) openFiles(cfg *drivers.TaskConfig, paths []string) error {
	var err error
	if m.ImagePath != "" {
		if m.disk, err = openFile(cfg, paths, "image_path", m.ImagePath, unix.O_RDWR); err != nil {
			return err
		}
		if m.format, err = inspect(m.disk, m.ImageFormat); err != nil {
			return fmt.Errorf("image_path %s: %w", m.ImagePath, err)
		}
		if m.again, err = reopen(m.disk); err != nil {
			return fmt.Errorf("image_path %s: %w", m.ImagePath, err)
		}
	}
	for _, one := range []struct {
		what, name string
		file       **os.File
	}{{"kernel", m.Kernel, &m.kernel}, {"initrd", m.Initrd, &m.initrd}} {
		if one.name == "" {
			continue
		}
		if *one.file, err = openFile(cfg, paths, one.what, one.name, unix.O_RDONLY); err != nil {
			return err
		}
		st, err := (*one.file).Stat()
		if err != nil {
			return err
		}
		if os.Geteuid() == 0 && st.Mode()&0o004 == 0 {
			return fmt.Errorf("%s %s: others than its owner cannot read it, and QEMU runs as another user: chmod o+r it", one.what, one.name)
		}
	}
	return nil
}

// openSockets makes what QEMU listens on.
func (m *machine) openSockets(taskID string) error {
	dir, err := privateDir()
	if err != nil {
		return err
	}
	if m.monitor, err = listen(socketPath(dir, taskID, monitorSocket)); err != nil {
		return err
	}
	if m.GuestAgent {
		m.agent, err = listen(socketPath(dir, taskID, agentSocket))
	}
	return err
}

func (m *machine) state(taskID string) map[string]string {
	dir, _ := privateDir()
	s := map[string]string{stateMonitor: socketPath(dir, taskID, monitorSocket), "accelerator": m.accel}
	if m.GuestAgent {
		s[stateAgent] = socketPath(dir, taskID, agentSocket)
	}
	if m.GracefulShutdown {
		s[stateGraceful] = "true"
	}
	return s
}

// startError makes every error of Start a StartError, so that it looks the same on both sides of a plugin connection.
func startError(err error) error {
	if drivers.IsRecoverable(err) {
		return err
	}
	return &drivers.StartError{Err: err}
}

// Stop implements drivers.Driver. With graceful_shutdown the guest is asked, as by its power button and by its agent, and killed when it still
// runs after timeout. Otherwise QEMU gets the signal, on which it ends at once with its images in order.
func (d *Driver) Stop(ctx context.Context, id string, timeout time.Duration, signal string) error {
	t, err := d.Get(id)
	if err != nil {
		return err
	}
	if t.State.Driver[stateGraceful] == "" || !t.Running() {
		return d.Set.Stop(ctx, id, timeout, signal)
	}
	until, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if socket := t.State.Driver[stateAgent]; socket != "" {
		if err := askAgent(until, socket); err != nil {
			d.Tell(t.Config, "the guest's agent could not be asked to shut down: "+err.Error())
		}
	}
	if err := powerdown(until, t.State.Driver[stateMonitor]); err != nil && t.Running() {
		d.Tell(t.Config, "the guest could not be asked to shut down: "+err.Error())
		return d.Set.Stop(ctx, id, timeout, signal)
	}
	if _, err := d.Wait(until, id); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.Tell(t.Config, fmt.Sprintf("the guest did not shut down within %v and was killed", timeout))
	return d.Set.Stop(ctx, id, 0, "SIGKILL")
}

// Destroy implements drivers.Driver.
func (d *Driver) Destroy(ctx context.Context, id string, force bool) error {
	if err := d.Set.Destroy(ctx, id, force); err != nil {
		return err
	}
	return removeSockets(id)
}
