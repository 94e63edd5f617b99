package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/moby/moby/client"
)

// lookForDangling begins to remove, from time to time, containers of this driver that no task of it knows: those of starts that were cut short together
// with the agent. The first look comes a whole period after the first task, when all tasks of an earlier process have been recovered; the last when
// there are no tasks any more.
func (d *Driver) lookForDangling() {
	if !d.settings.Load().GC.Dangling.Enabled || d.looking.Swap(true) {
		return
	}
	go func() {
		for {
			time.Sleep(max(time.Duration(d.settings.Load().GC.Dangling.Period), time.Second))
			ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
			if _, err := d.removeDangling(ctx, time.Now()); err != nil {
				d.logger.Warn("containers that nobody knows not removed", "err", err)
			}
			cancel()
			if _, known := d.Tasks(); known == 0 {
				d.looking.Store(false) // a task that begins now looks again
				return
			}
		}
	}()
}

// removeDangling removes what nobody knows, once, and returns what it has removed, or would have.
func (d *Driver) removeDangling(ctx context.Context, now time.Time) ([]string, error) {
	gc := d.settings.Load().GC.Dangling
	cli, _, err := d.engine.ready(ctx)
	if err != nil {
		return nil, err
	}
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", labelOwner+"="+Name, labelTask)})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range list.Items {
		_, known := d.tasks.Lookup(c.Labels[labelTask])
		young := now.Sub(time.Unix(c.Created, 0)) < time.Duration(gc.CreationGrace)
		// Another agent on this machine may use the same engine. One whose allocation's directory is gone belongs to none.
		if known || young || !d.isMine(c.Labels[labelNode]) && !lost(c.Labels[labelDir]) {
			continue
		}
		out = append(out, c.ID)
		if gc.DryRun {
			d.logger.Info("a container that nobody knows would be removed", "container", c.ID, "names", fmt.Sprint(c.Names))
			continue
		}
		d.logger.Warn("a container that nobody knows is removed", "container", c.ID, "names", fmt.Sprint(c.Names))
		if err := remove(ctx, cli, c.ID); err != nil {
			return out, err
		}
	}
	return out, nil
}

// lost is whether an allocation's directory is not there any more.
func lost(dir string) bool {
	_, err := os.Lstat(dir)
	return dir != "" && errors.Is(err, fs.ErrNotExist)
}

// isMine is whether a node is that of tasks that this process has had.
func (d *Driver) isMine(node string) bool {
	_, ok := d.nodes.Load(node)
	return ok
}
