package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/internal/failpoint"
)

// handleVersion is the version of state.
const handleVersion = 1

// existsDelay is how long is waited before a name that is taken is tried again.
const existsDelay = 250 * time.Millisecond

// Start implements drivers.Driver.
func (d *Driver) Start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	if _, there := d.tasks.Lookup(cfg.ID); there {
		return nil, fmt.Errorf("task %s is there already", cfg.ID)
	}
	d.tidied.Do(func() { unstageOld(abandoned) })
	if d.instead(ctx, cfg) {
		return d.startInstead(ctx, cfg)
	}
	h, err := d.start(ctx, cfg)
	if err != nil {
		return nil, startError(err)
	}
	return h, nil
}

func (d *Driver) start(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	settings := *d.settings.Load()
	// What the job asks for is checked first with what is known without the engine.
	if _, err := newPlan(cfg, settings, facts{cpus: 1, apiVersion: client.MaxAPIVersion}); err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	logs, err := openLogs(cfg)
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	t, err := d.launch(ctx, cfg, settings, logs)
	if err != nil {
		logs.close()
		return nil, err
	}
	d.nodes.Store(cfg.NodeID, true)
	d.lookForDangling()
	return t, nil
}

func (d *Driver) launch(ctx context.Context, cfg *drivers.TaskConfig, settings config, logs *logReader) (*drivers.TaskHandle, error) {
	cli, known, err := d.engine.ready(ctx)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(cfg, settings, known)
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	if err := p.checkSiblings(ctx, cli); err != nil {
		return nil, err
	}
	id, err := d.create(ctx, cli, p)
	failpoint.Kill("docker:created")
	defer func() { _ = unstage(cfg.ID) }()
	if err != nil {
		return nil, err
	}
	if err := giveSecrets(ctx, cli, id, cfg.TaskDir().Secrets); err != nil {
		d.tell(cfg, fmt.Sprintf("The task's user may not be able to read its secrets: %v", err))
	}
	t, err := d.run(ctx, cli, p, id, logs)
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
		defer cancel()
		return nil, errors.Join(err, remove(undo, cli, id))
	}
	return t, nil
}

// create makes the container, pulling the image first. An image that is collected between the two is pulled once more.
func (d *Driver) create(ctx context.Context, cli *client.Client, p *plan) (string, error) {
	auth, err := p.settings.credentials(ctx, p.task.Image, p.task.Auth)
	if err != nil {
		if !p.task.AuthSoftFail {
			return "", err
		}
		d.tell(p.cfg, fmt.Sprintf("Image is pulled without credentials: %v", err))
	}
	timeout := p.settings.PullTimeout
	if p.task.PullTimeout > 0 {
		timeout = p.task.PullTimeout
	}
	req := request{image: p.task.Image, auth: auth, force: p.task.ForcePull, load: p.task.Load, localDir: p.cfg.TaskDir().Local,
		timeout: time.Duration(timeout), activity: time.Duration(p.settings.PullActivity), tell: func(text string) { d.tell(p.cfg, text) }}
	for attempt := 0; ; attempt++ {
		imageID, err := d.ensure(ctx, cli, req)
		if err != nil {
			return "", err
		}
		if attempt == 0 {
			if err := p.stage(); err != nil {
				return "", err
			}
		}
		failpoint.Kill("docker:staged")
		p.container.Image = imageID // what was pulled, whatever the name means by now
		id, err := d.createNamed(ctx, cli, p)
		if gone(err) && attempt < 2 && imageGone(ctx, cli, imageID) {
			continue
		}
		return id, err
	}
}

func imageGone(ctx context.Context, cli *client.Client, id string) bool {
	_, err := cli.ImageInspect(ctx, id)
	return gone(err)
}

// createNamed makes the container. When its name is taken by what an earlier start of the task has left, that is removed.
func (d *Driver) createNamed(ctx context.Context, cli *client.Client, p *plan) (string, error) {
	attempts := p.settings.ExistsAttempts
	if p.task.ExistsAttempts > 0 {
		attempts = p.task.ExistsAttempts
	}
	opts := client.ContainerCreateOptions{Name: p.name, Config: p.container, HostConfig: p.host}
	if len(p.endpoints) > 0 {
		opts.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: p.endpoints}
	}
	for i := 1; ; i++ {
		c, err := cli.ContainerCreate(ctx, opts)
		if err == nil {
			for _, w := range c.Warnings {
				d.tell(p.cfg, "The engine warns: "+w)
			}
			return c.ID, nil
		}
		if !cerrdefs.IsConflict(err) || i >= attempts {
			return "", fmt.Errorf("create container %s: %w", p.name, err)
		}
		if err := d.purge(ctx, cli, p); err != nil {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(existsDelay):
		}
	}
}

// purge removes the container that has the name, unless it is that of a task that is known or of somebody else.
func (d *Driver) purge(ctx context.Context, cli *client.Client, p *plan) error {
	c, err := cli.ContainerInspect(ctx, p.name, client.ContainerInspectOptions{})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	labels := c.Container.Config.Labels
	if labels[labelAlloc] != p.cfg.AllocID {
		return &drivers.StartError{Err: fmt.Errorf("container name %s is taken by a container that is not of this allocation: remove it", p.name)}
	}
	if _, known := d.tasks.Lookup(labels[labelTask]); known {
		return &drivers.StartError{Err: fmt.Errorf("container name %s is taken by task %s, which is still there", p.name, labels[labelTask])}
	}
	return remove(ctx, cli, c.Container.ID)
}

// run starts the container and begins to watch over it.
func (d *Driver) run(ctx context.Context, cli *client.Client, p *plan, id string, logs *logReader) (*drivers.TaskHandle, error) {
	if _, err := cli.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return nil, explainStart(ctx, cli, p, id, err)
	}
	failpoint.Kill("docker:started")
	c, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, err
	}
	s := state{Container: id, Name: p.name, Started: time.Now(), StopSignal: "SIGTERM", TTY: p.task.TTY}
	if c.Container.State != nil {
		s.Pid = c.Container.State.Pid
	}
	if c.Container.Config != nil && c.Container.Config.StopSignal != "" {
		s.StopSignal = c.Container.Config.StopSignal
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	t := d.newTask(p.cfg, s)
	t.logs, t.net = logs, p.address(c.Container.NetworkSettings)
	if !d.tasks.Add(p.cfg.ID, t) {
		return nil, fmt.Errorf("task %s is there already", p.cfg.ID)
	}
	t.begin()
	return &drivers.TaskHandle{Version: handleVersion, Config: p.cfg, State: drivers.TaskRunning, DriverState: text, Network: t.net}, nil
}

// explainStart says why a container did not start: by the exit code that the engine gives one whose program cannot be run.
func explainStart(ctx context.Context, cli *client.Client, p *plan, id string, err error) error {
	err = fmt.Errorf("start container %s: %w", p.name, err)
	c, inspectErr := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if inspectErr != nil || c.Container.State == nil {
		return err
	}
	program := c.Container.Path
	switch c.Container.State.ExitCode {
	case drivers.ExitCommandNotFound:
		return drivers.CommandNotFound(program, "in the image "+p.task.Image)
	case drivers.ExitCommandNotExecutable:
		return drivers.CommandNotExecutable(program, err)
	}
	return err
}

// checkSiblings makes sure that containers whose namespaces are to be shared belong to the same allocation.
func (p *plan) checkSiblings(ctx context.Context, cli *client.Client) error {
	for _, s := range p.siblings {
		c, err := cli.ContainerInspect(ctx, s.name, client.ContainerInspectOptions{})
		if err != nil {
			return fmt.Errorf("%s: container %q: %w", s.option, clip(s.name), err)
		}
		labels := c.Container.Config.Labels
		if labels[labelAlloc] != p.cfg.AllocID || labels[labelOwner] != Name {
			return &drivers.StartError{Err: fmt.Errorf("%s: container %q is not of this allocation: only a privileged plugin configuration may share its namespaces", s.option, clip(s.name))}
		}
		pinned := "container:" + c.Container.ID
		switch s.option {
		case "network_mode":
			p.host.NetworkMode = container.NetworkMode(pinned)
		case "pid_mode":
			p.host.PidMode = container.PidMode(pinned)
		case "ipc_mode":
			p.host.IpcMode = container.IpcMode(pinned)
		default:
			return &drivers.StartError{Err: fmt.Errorf("%s cannot be that of another container", s.option)}
		}
	}
	return nil
}

// address is what to tell about the address that the engine gave to the task.
func (p *plan) address(n *container.NetworkSettings) *drivers.Network {
	if p.joined || n == nil || p.host.NetworkMode.IsHost() || p.host.NetworkMode.IsContainer() || p.host.NetworkMode.IsNone() {
		return nil
	}
	out := &drivers.Network{PortMap: map[string]int{}, AutoAdvertise: p.host.NetworkMode.IsUserDefined()}
	for _, e := range n.Networks {
		if e.IPAddress.IsValid() && out.IP == "" {
			out.IP = e.IPAddress.String()
		}
		if e.GlobalIPv6Address.IsValid() && (p.task.AdvertiseIPv6 || out.IP == "") {
			out.IP = e.GlobalIPv6Address.String()
			out.AutoAdvertise = out.AutoAdvertise || p.task.AdvertiseIPv6
		}
	}
	if out.IP == "" {
		return nil
	}
	for _, port := range p.cfg.Resources.Ports {
		to := port.To
		if n, err := number("", p.task.PortMap[port.Label]); err == nil {
			to = int(n)
		}
		if to <= 0 {
			to = port.Value
		}
		out.PortMap[port.Label] = to
	}
	return out
}
