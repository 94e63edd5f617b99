package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
	"github.com/seraihq/serai/drivers/container"
	"github.com/seraihq/serai/drivers/internal/contain"
)

// engineGrace is how long an engine that has just been there is waited for: it is being restarted. After that, or when there never was one, tasks run on
// the container driver, where the operator does not forbid it.
const engineGrace = 5 * time.Minute

// fallback runs tasks on the container driver, in this process, where there is no engine. A task stays with whoever has started it.
type fallback struct {
	inner *container.Driver
}

func newFallback(logger *slog.Logger) fallback { return fallback{inner: container.New(logger)} }

// fallbackState is a handle of the container driver's, inside of one of ours.
type fallbackState struct {
	Version     int
	DriverState []byte
}

// configure gives the container driver its own plugin block's configuration. Images that nobody uses are collected by the container driver itself.
func (f fallback) configure(ctx context.Context, c config) error {
	raw := map[string]any{"gc": map[string]any{"image": false}}
	for k, v := range c.Container {
		if k != "gc" {
			raw[k] = v
		}
	}
	if err := f.inner.Configure(ctx, raw); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	return nil
}

// has is whether the task is one of the container driver's.
func (f fallback) has(id string) bool {
	_, there := f.inner.Lookup(id)
	return there
}

// fingerprint is that of a node without an engine.
func (f fallback) fingerprint(ctx context.Context) (drivers.Fingerprint, bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ch, err := f.inner.Fingerprint(ctx)
	if err != nil {
		return drivers.Fingerprint{}, false
	}
	fp := <-ch
	if fp.Health != drivers.HealthHealthy {
		return fp, false
	}
	attrs := map[string]any{"driver.docker": true, "driver.docker.fallback": container.Name, "driver.docker.os_type": "linux"}
	for _, name := range []string{"volumes.enabled", "privileged.enabled"} {
		if fp.Attributes["driver."+container.Name+"."+name] == true {
			attrs["driver.docker."+name] = true
		}
	}
	return drivers.Fingerprint{Attributes: attrs, Health: drivers.HealthHealthy,
		Description: "Healthy: no Docker Engine answers, so tasks run on the container driver"}, true
}

// instead is whether a task is to be started on the container driver. The engine decides when it answers, and when it was there a moment ago.
func (d *Driver) instead(ctx context.Context, cfg *drivers.TaskConfig) bool {
	if !d.settings.Load().Fallback {
		return false
	}
	if n := cfg.Network; n != nil && n.Mode != drivers.NetworkHost && n.Mode != "" {
		if n.Labels[labelSandbox] != "" {
			return false // an engine's container holds the network
		}
		return true
	}
	return !d.engineThere(ctx)
}

// engineThere asks the engine, and is true also for one that was there within the grace.
func (d *Driver) engineThere(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	cli, err := d.engine.client()
	if err == nil {
		_, err = cli.Ping(ctx, client.PingOptions{})
	}
	if err == nil {
		d.seen.Store(time.Now().UnixNano())
		return true
	}
	return d.seenWithin(engineGrace)
}

// seenWithin is whether the engine has answered in that time.
func (d *Driver) seenWithin(t time.Duration) bool {
	at := d.seen.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < t
}

// startInstead starts a task on the container driver.
func (d *Driver) startInstead(ctx context.Context, cfg *drivers.TaskConfig) (*drivers.TaskHandle, error) {
	translated, notes, err := translate(cfg.Config)
	if err != nil {
		return nil, &drivers.StartError{Err: err}
	}
	own := *cfg
	own.Config = translated
	for _, note := range notes {
		d.tell(cfg, note)
	}
	h, err := d.fallback.inner.Start(ctx, &own)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(state{Fallback: &fallbackState{Version: h.Version, DriverState: h.DriverState}})
	if err != nil {
		return nil, errors.Join(err, d.fallback.inner.Destroy(ctx, cfg.ID, true))
	}
	return &drivers.TaskHandle{Version: handleVersion, Config: cfg, State: h.State, DriverState: text, Network: h.Network}, nil
}

// recoverInstead takes charge of a task that the container driver has started.
func (d *Driver) recoverInstead(ctx context.Context, h *drivers.TaskHandle, s *fallbackState) error {
	translated, _, err := translate(h.Config.Config)
	if err != nil {
		return err
	}
	own := *h.Config
	own.Config = translated
	return d.fallback.inner.Recover(ctx, &drivers.TaskHandle{Version: s.Version, Config: &own, State: h.State, DriverState: s.DriverState, Network: h.Network})
}

// without are the options that make no difference to the task on the container driver, and what is told about them.
var without = map[string]string{
	"logging":                   "",
	"container_exists_attempts": "",
	"advertise_ipv6_address":    "",
	// Only for processors that the container driver has no first process for.
	"init": "The option init has no effect without a Docker Engine on this kind of processor: what the task's first process does not wait for stays until the task ends",
}

// containerTask is what the container driver takes.
var containerTask = sync.OnceValue(func() *drivers.Schema { return container.New(slog.New(slog.DiscardHandler)).TaskSchema() })

// translate writes the options of a task as the container driver takes them. What only an engine can do is refused by name.
func translate(raw map[string]any) (map[string]any, []string, error) {
	if _, err := decodeTask(raw); err != nil {
		return nil, nil, err
	}
	schema := containerTask()
	out := map[string]any{}
	var notes, missing []string
	for name, v := range raw {
		note, dropped := without[name]
		_, known := schema.Lookup(name)
		switch {
		case name == "load" && v != "": // ours is in the task's local directory, theirs anywhere in the task's
			out[name] = path.Join("local", fmt.Sprint(v))
		case known && (name != "init" || contain.HasReaper()):
			out[name] = v
		case name == "runtime" && v == "runc", name == "tty" && v == false, v == nil, v == "":
		case dropped && note != "" && v != false:
			notes = append(notes, note)
		case dropped:
		default:
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, nil, fmt.Errorf("no Docker Engine answers on this node, and the container driver, which runs the task instead, has no %s: remove that, or start an engine",
			strings.Join(missing, ", "))
	}
	return out, notes, nil
}
