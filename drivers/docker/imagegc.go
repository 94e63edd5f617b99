package docker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/moby/moby/client"
)

// lookEvery is how often is looked which images are in use; with a shorter delay, more often.
const lookEvery = 30 * time.Second

// imageKeeper removes images that tasks have used and no container uses any more. What is in use only the engine knows, and it refuses to remove that;
// a task that starts just then finds its image gone and pulls it again. It belongs to one goroutine.
type imageKeeper struct {
	driver *Driver
	// names are those that tasks have used, with the last time that a container was there.
	names map[string]time.Time
	next  time.Time
	// list is the file that names are kept in over a restart of the agent; empty: they are not.
	list string
}

func newImageKeeper(d *Driver) *imageKeeper {
	k := &imageKeeper{driver: d, names: map[string]time.Time{}, list: d.settings.Load().ImageList}
	if k.list != "" {
		var err error
		if k.names, err = loadImages(k.list); err != nil {
			d.logger.Warn("it is not known which images tasks have used before: they are not collected", "err", err)
		}
	}
	return k
}

// save keeps the names.
func (k *imageKeeper) save() {
	if k.list == "" {
		return
	}
	if err := saveImages(k.list, k.names); err != nil {
		k.driver.logger.Warn("the list of images that tasks have used is not kept", "err", err)
	}
}

// used notes that a container was made: one that is short-lived may never be seen otherwise.
func (k *imageKeeper) used(labels map[string]string) {
	name := labels[labelImage]
	if _, known := k.names[name]; name == "" || !known && len(k.names) >= maxImages {
		return
	} else if k.names[name] = time.Now(); !known {
		k.save()
	}
}

// look notes what is in use, when it is time, and removes what is not.
func (k *imageKeeper) look(ctx context.Context, cli *client.Client) {
	gc := k.driver.settings.Load().GC
	delay, now := time.Duration(gc.ImageDelay), time.Now()
	if !gc.Image || now.Before(k.next) {
		return
	}
	k.next = now.Add(min(lookEvery, delay/3))
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", labelOwner+"="+Name)})
	if err != nil {
		return // asked again later
	}
	for _, c := range list.Items {
		k.used(c.Labels)
	}
	if len(k.names) > 0 {
		defer k.save()
	}
	for _, name := range slices.Sorted(maps.Keys(k.names)) {
		if now.Sub(k.names[name]) < delay {
			continue
		}
		delete(k.names, name)
		// Without force: an image that any container has is kept, and another name of it stays.
		if _, err := cli.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true}); err == nil {
			k.driver.logger.Info("image removed: no container has used it for a while", "image", name, "delay", delay)
		} else if !gone(err) {
			k.driver.logger.Info("image kept", "image", name, "err", err)
		}
	}
}
