package steps

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/files"
	"github.com/seraihq/serai/internal/pause"
)

// How long data may take to come from another node; the wait for the end of the
// allocation there is in it.
const (
	fetchDeadline = 20 * time.Minute
	diskDeadline  = fetchDeadline + localDeadline
)

// fetchPauses are those between attempts to get data from another node: its agent
// may be starting anew, or the servers may be choosing who leads.
func fetchPauses() []time.Duration {
	return []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second}
}

// incoming is where data of another node are gathered until they are whole.
const incoming = ".incoming"

// Disk takes over what the allocation that this one replaces has kept on its
// ephemeral disk: alloc/data, and the local directory of each task. On the same
// node they are moved, from another one fetched. It is done as well as it can
// be: what cannot be had is told and done without, and the allocation starts.
type Disk struct {
	Dir string // holds the allocations' directories
	// Fetch gives the data of an allocation of another node, as files.Archive
	// writes them, when it has ended; nil when there is no way to them.
	Fetch func(ctx context.Context, allocID string) (io.ReadCloser, error)
}

// Name implements Step.
func (*Disk) Name() string { return "disk" }

// Up implements Step.
func (d *Disk) Up(ctx context.Context, in *In) (Result, error) {
	group := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup)
	id := replaced(in.Alloc)
	if in.Restored || group == nil || group.EphemeralDisk == nil || id == "" {
		return nil, nil
	}
	disk := group.EphemeralDisk
	if !disk.Sticky && !disk.Migrate {
		return nil, nil
	}
	all, err := files.Open(d.Dir)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	_, err = all.Stat(id)
	switch {
	case err == nil:
		err = d.move(ctx, all, id, in, group)
	case !errors.Is(err, api.ErrNotFound):
	case !disk.Migrate:
		in.note("The disk of allocation %s is not on this node, and stays there: ephemeral_disk.migrate is not set", id)
		return nil, nil
	default:
		err = d.fetch(ctx, id, in, group)
	}
	if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, ctx.Err() // the allocation is to end
	}
	if err != nil {
		in.Logger.Warn("the data of the allocation's predecessor are lost", "previous", id, "err", err)
		in.note("The data of allocation %s are lost, and the disk begins empty: %v", id, err)
	}
	return nil, nil
}

// Down implements Step.
func (*Disk) Down(context.Context, *In, Result) error { return nil }

// diskDirs lists what is kept of an allocation, relative to its directory.
func diskDirs(group *api.TaskGroup) []string {
	dirs := []string{"alloc/data"}
	for _, t := range group.Tasks {
		dirs = append(dirs, t.Name+"/local")
	}
	return dirs
}

func (d *Disk) move(ctx context.Context, all *files.Root, id string, in *In, group *api.TaskGroup) error {
	from, err := all.Sub(id)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := fits(ctx, from, diskBytes(in.Alloc, group), group); err != nil {
		return err
	}
	return moveDirs(from, to, group)
}

// fits refuses data that are larger than the new disk: the allocation would be
// ended for them as soon as it runs.
func fits(ctx context.Context, from *files.Root, limit int64, group *api.TaskGroup) error {
	var total int64
	for _, dir := range diskDirs(group) {
		sub, err := from.Sub(dir)
		if errors.Is(err, api.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		n, err := sub.Usage(ctx, nil)
		if err = errors.Join(err, sub.Close()); err != nil {
			return err
		}
		total += n
	}
	if limit > 0 && total > limit {
		return api.Errorf(api.ErrTooLarge, "they take %d MiB, more than ephemeral_disk.size, which is %d MB", total>>20, limit>>20)
	}
	return nil
}

// moveDirs moves what there is. It can be repeated.
func moveDirs(from, to *files.Root, group *api.TaskGroup) error {
	var all error
	for _, t := range group.Tasks {
		all = errors.Join(all, to.Mkdir(t.Name, 0o755, -1, -1))
	}
	for _, dir := range diskDirs(group) {
		if err := files.Move(from, dir, to, dir); err != nil && !errors.Is(err, api.ErrNotFound) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// fetch gets the data from another node, and tries again where that may help.
func (d *Disk) fetch(ctx context.Context, id string, in *In, group *api.TaskGroup) error {
	if d.Fetch == nil {
		return errors.New("this agent has no way to other nodes")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchDeadline)
	defer cancel()
	in.note("Fetching the data of allocation %s from its node", id)
	for _, wait := range fetchPauses() {
		err := d.gather(ctx, id, in, group)
		if err == nil || lasting(err) || ctx.Err() != nil {
			return err
		}
		in.note("The data of allocation %s have not come, it is tried again: %v", id, err)
		if !pause.For(ctx, wait) {
			return err
		}
	}
	return d.gather(ctx, id, in, group)
}

// lasting says whether another attempt would end like this one.
func lasting(err error) bool {
	for _, kind := range []error{api.ErrNotFound, api.ErrTooLarge, api.ErrInvalid, unix.ENOSPC, unix.EDQUOT} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// gather gathers the data aside, and moves them into place when they are whole.
func (d *Disk) gather(ctx context.Context, id string, in *In, group *api.TaskGroup) error {
	src, err := d.Fetch(ctx, id)
	if err != nil {
		return err
	}
	defer src.Close()
	to, err := files.Open(in.Dir)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := to.RemoveAll(incoming); err != nil {
		return err
	}
	defer to.RemoveAll(incoming)
	if err := to.Mkdir(incoming, 0o700, -1, -1); err != nil {
		return err
	}
	aside, err := to.Sub(incoming)
	if err != nil {
		return err
	}
	defer aside.Close()
	if err := aside.Extract(ctx, src, diskBytes(in.Alloc, group), os.Geteuid() == 0, diskDirs(group)...); err != nil {
		return err
	}
	return moveDirs(aside, to, group)
}

// diskBytes is what the allocation's disk may hold.
func diskBytes(a *api.Allocation, group *api.TaskGroup) int64 {
	if r := a.AllocatedResources; r != nil && r.Shared.DiskMB > 0 {
		return r.Shared.DiskMB << 20
	}
	return int64(group.EphemeralDisk.SizeMB) << 20
}

// DiskArchive writes what an allocation keeps on its disk, for the node of its
// successor.
func DiskArchive(ctx context.Context, root *files.Root, group *api.TaskGroup, w io.Writer) error {
	return root.Archive(ctx, w, diskDirs(group)...)
}
