package container

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/seraihq/serai/drivers/container/image"
)

// ownerPatience is how long an image may be held by a task of which nothing is there: its start may be waiting for the image.
const ownerPatience = time.Hour

// collectLoop removes images that no task uses until ctx ends. It runs beside the fingerprint, in the agent: a node without tasks has no process of
// this driver, and has images all the same.
func (d *Driver) collectLoop(ctx context.Context) {
	for {
		d.mu.Lock()
		every := time.Duration(d.settings.GC.Interval)
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		if err := d.collect(ctx); err != nil && ctx.Err() == nil {
			d.Logger.Warn("images cannot be collected", "err", err)
		}
	}
}

// collect removes unused images by age, and by how full the disk is. A node that never had an image gets no store by it.
func (d *Driver) collect(ctx context.Context) error {
	d.mu.Lock()
	dir := d.settings.ImageDir
	d.mu.Unlock()
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	store, settings, err := d.store()
	if err != nil {
		return err
	}
	if err := d.releaseLost(ctx, store); err != nil {
		return err
	}
	gone, err := store.Collect(ctx, image.CollectOptions{MaxAge: time.Duration(settings.GC.ImageDelay), MaxUsedPercent: settings.GC.MaxDiskPercent})
	if len(gone.Images) > 0 {
		d.Logger.Info("unused images are removed", "images", len(gone.Images), "layers", gone.Layers)
	}
	return err
}

// releaseLost gives back the images of tasks that ended with the machine, or that nobody has destroyed.
func (d *Driver) releaseLost(ctx context.Context, store images) error {
	owners, err := store.Owners(ctx)
	if err != nil {
		return err
	}
	for _, o := range owners {
		if time.Since(o.Since) < ownerPatience || d.Exists(o.Name) {
			continue
		}
		if err := store.Release(ctx, o.Name); err != nil {
			return err
		}
	}
	return nil
}
