package docker

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
)

// pingTimeout is how long an engine that works takes at most to say so.
const pingTimeout = 5 * time.Second

// Fingerprint implements drivers.Driver. It follows the engine: an engine that ends is noticed at once, one that comes within seconds. While it is there,
// images that no container has used for a while are collected.
func (d *Driver) Fingerprint(ctx context.Context) (<-chan drivers.Fingerprint, error) {
	out := make(chan drivers.Fingerprint, 1)
	go func() {
		defer close(out)
		var last *drivers.Fingerprint
		keeper := newImageKeeper(d)
		for ctx.Err() == nil {
			fp, engine := d.probe(ctx)
			if ctx.Err() != nil {
				return
			}
			if last == nil || last.Health != fp.Health || last.Description != fp.Description || !maps.Equal(last.Attributes, fp.Attributes) {
				select {
				case out <- fp:
					last = &fp
				case <-ctx.Done():
					return
				}
			}
			if engine && d.engineLasts(ctx, keeper) {
				continue
			}
			select {
			case <-ctx.Done():
			case <-time.After(d.every):
			}
		}
	}()
	return out, nil
}

// probe asks the engine what it is; engine tells whether it has answered.
func (d *Driver) probe(ctx context.Context) (fp drivers.Fingerprint, engine bool) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	d.engine.forget() // another version may be there now
	cli, err := d.engine.client()
	var info client.SystemInfoResult
	if err == nil {
		info, err = cli.Info(ctx, client.InfoOptions{})
	}
	if err != nil {
		return d.withoutEngine(ctx, d.engine.explain(err)), false
	}
	d.seen.Store(time.Now().UnixNano())
	return d.describe(ctx, cli, info), true
}

// withoutEngine is what to tell when the engine does not answer: one that was there a moment ago is waited for; else there is the container driver, where
// the operator does not forbid it. An engine that was never seen is undetected, another unhealthy.
func (d *Driver) withoutEngine(ctx context.Context, err error) drivers.Fingerprint {
	if d.settings.Load().Fallback && !d.seenWithin(engineGrace) {
		if fp, ok := d.fallback.fingerprint(ctx); ok {
			return fp
		}
	}
	health := drivers.HealthUndetected
	if d.seen.Load() != 0 {
		health = drivers.HealthUnhealthy
	}
	return drivers.Fingerprint{Health: health, Description: err.Error()}
}

// describe turns what the engine says of itself into a fingerprint.
func (d *Driver) describe(ctx context.Context, cli *client.Client, info client.SystemInfoResult) drivers.Fingerprint {
	settings := d.settings.Load()
	if info.Info.OSType != "" && info.Info.OSType != "linux" {
		return drivers.Fingerprint{Health: drivers.HealthUnhealthy, Description: "the engine runs " + info.Info.OSType + " containers, and this driver Linux ones"}
	}
	attrs := map[string]any{
		"driver.docker": true, "driver.docker.version": info.Info.ServerVersion, "driver.docker.os_type": info.Info.OSType,
		"driver.docker.runtimes": strings.Join(slices.Sorted(maps.Keys(info.Info.Runtimes)), ","),
	}
	if settings.AllowPrivileged {
		attrs["driver.docker.privileged.enabled"] = true
	}
	if settings.Volumes.Enabled {
		attrs["driver.docker.volumes.enabled"] = true
	}
	if settings.PidsLimit > 0 {
		attrs["driver.docker.pids.limit"] = settings.PidsLimit
	}
	if n, err := cli.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{}); err == nil {
		for _, c := range n.Network.IPAM.Config {
			if c.Gateway.IsValid() {
				attrs["driver.docker.bridge_ip"] = c.Gateway.String()
				break
			}
		}
	}
	return drivers.Fingerprint{Attributes: attrs, Health: drivers.HealthHealthy, Description: "Healthy"}
}

// engineLasts returns once the engine does not answer any more, has ended its stream of events, or ctx ends. It returns true when to look again at once.
func (d *Driver) engineLasts(ctx context.Context, keeper *imageKeeper) bool {
	cli, err := d.engine.client()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := cli.Events(ctx, client.EventsListOptions{Filters: client.Filters{}.
		Add("type", string(events.ContainerEventType)).Add("event", string(events.ActionCreate)).Add("label", labelOwner+"="+Name)})
	keeper.look(ctx, cli)
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case m := <-stream.Messages:
			keeper.used(m.Actor.Attributes)
		case <-stream.Err:
			return true
		case <-tick.C:
			ping, done := context.WithTimeout(ctx, pingTimeout)
			_, err := cli.Ping(ping, client.PingOptions{})
			done()
			if err != nil {
				return true
			}
			keeper.look(ctx, cli)
		}
	}
}
