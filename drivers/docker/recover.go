package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/moby/moby/client"

	"github.com/seraihq/serai/drivers"
)

// Recover implements drivers.Driver. It does not need the engine to answer: how the task is comes out when it does.
func (d *Driver) Recover(ctx context.Context, h *drivers.TaskHandle) error {
	if h == nil || h.Config == nil {
		return errors.New("recover: the handle has no task")
	}
	id := h.Config.ID
	if _, there := d.tasks.Lookup(id); there || d.fallback.has(id) {
		return nil
	}
	if h.Version != handleVersion {
		return fmt.Errorf("task %s: its handle has version %d, and this driver knows %d: %w", id, h.Version, handleVersion, drivers.ErrTaskNotFound)
	}
	var s state
	err := json.Unmarshal(h.DriverState, &s)
	if err == nil && s.Fallback != nil {
		return d.recoverInstead(ctx, h, s.Fallback)
	}
	if err != nil || s.Container == "" {
		return fmt.Errorf("task %s: its handle cannot be read: %w", id, errors.Join(err, drivers.ErrTaskNotFound))
	}
	logs, err := openLogs(h.Config)
	if err != nil { // a task that runs goes on without its output being read
		d.tell(h.Config, fmt.Sprintf("Output is not read any more: %v", err))
		logs = &logReader{cfg: h.Config}
	}
	t := d.newTask(h.Config, s)
	t.logs, t.net = logs, h.Network
	if !d.tasks.Add(id, t) {
		logs.close()
		return nil
	}
	t.begin()
	d.nodes.Store(h.Config.NodeID, true)
	d.lookForDangling()
	return nil
}

// sweep removes what a start that was cut short has left of a task.
func (d *Driver) sweep(ctx context.Context, id string) error {
	if err := errors.Join(unstage(id), d.fallback.inner.Destroy(ctx, id, true)); err != nil {
		return err
	}
	if d.settings.Load().Fallback && !d.engineThere(ctx) {
		return nil // there is none that could have been told
	}
	cli, _, err := d.engine.ready(ctx)
	if err != nil {
		return err
	}
	return removeLabelled(ctx, cli, labelTask+"="+id)
}

// removeLabelled removes all containers with a label.
func removeLabelled(ctx context.Context, cli *client.Client, label string) error {
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label)})
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list.Items {
		errs = append(errs, remove(ctx, cli, c.ID))
	}
	return errors.Join(errs...)
}
