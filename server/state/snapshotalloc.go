package state

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// sectionOldJobs holds the job versions that allocations still refer to though
// they are kept no longer.
const sectionOldJobs = "old_jobs"

// oldJobKey names a version of a job for ever: one that is purged and
// registered again starts with version 0 once more, but at another index.
type oldJobKey struct {
	versionKey
	created uint64
}

func oldKey(j *api.Job) oldJobKey {
	return oldJobKey{versionKey{j.NamespacedID(), j.Version}, j.CreateIndex}
}

// oldJobs collects the versions that allocations refer to and the table of
// versions lacks, in order.
func oldJobs(v *View) []*api.Job {
	found := map[oldJobKey]*api.Job{}
	for a := range v.Allocations() {
		if a.Job == nil {
			continue
		}
		k := oldKey(a.Job)
		if found[k] != nil {
			continue
		}
		if kept, ok := v.t.versions.Get(v.r, k.versionKey); ok && kept.CreateIndex == k.created {
			continue
		}
		found[k] = a.Job
	}
	list := make([]*api.Job, 0, len(found))
	for _, j := range found {
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b *api.Job) int {
		if c := compareVersion(oldKey(a).versionKey, oldKey(b).versionKey); c != 0 {
			return c
		}
		return cmp.Compare(a.CreateIndex, b.CreateIndex)
	})
	return list
}

func writeOldJobs(w *snapshotWriter, v *View) error {
	for _, j := range oldJobs(v) {
		// What may differ between two copies of a version that is gone.
		c := *j
		c.Status, c.StatusDescription, c.Stable, c.VersionTag, c.ModifyIndex = "", "", false, nil, c.JobModifyIndex
		if err := w.object(&c); err != nil {
			return err
		}
	}
	return w.end(0)
}

func readOldJobs(r *snapshotReader, tx *Tx) error {
	r.oldJobs = map[oldJobKey]*api.Job{}
	for r.next() {
		j := new(api.Job)
		if r.Object(j); r.Reader.Err() != nil {
			break
		}
		r.oldJobs[oldKey(j)] = j
	}
	_, err := r.end()
	for j := range tx.t.versions.All(tx.r) {
		r.oldJobs[oldKey(j)] = j
	}
	return err
}

// Flags of an allocation in a snapshot.
const (
	allocJob = 1 << iota
	allocResources
	allocMetrics
	allocTransition
	allocTasks
	allocDeployment
	allocReschedule
	allocNetwork
	allocLinks
)

// shared numbers the objects that allocations of one block share.
type shared struct {
	resources map[*api.AllocatedResources]uint64
	metrics   map[*api.AllocationMetric]uint64
	jobs      map[*api.Job]uint64
}

func newShared() *shared {
	return &shared{map[*api.AllocatedResources]uint64{}, map[*api.AllocationMetric]uint64{}, map[*api.Job]uint64{}}
}

// writeShared writes an object the first time and its number from then on.
func writeShared[T any](w *wire.Writer, seen map[*T]uint64, x *T, write func() error) error {
	if n, ok := seen[x]; ok {
		w.Uint(n)
		return nil
	}
	seen[x] = uint64(len(seen)) + 1
	w.Uint(0)
	return write()
}

func writeAllocations(w *snapshotWriter, v *View) error {
	sh, block := newShared(), w.Writer
	for a := range v.Allocations() {
		if w.Writer != block {
			sh, block = newShared(), w.Writer
		}
		if err := writeAllocation(w.Writer, a, sh); err != nil {
			return err
		}
		if err := w.row(); err != nil {
			return err
		}
	}
	return w.end(v.t.allocs.Index(v.r))
}

func bit(set bool, b uint64) uint64 {
	if set {
		return b
	}
	return 0
}

func linked(a *api.Allocation) bool {
	return a.FollowupEvalID != "" || a.PreviousAllocation != "" || a.NextAllocation != "" ||
		a.PreemptedByAllocation != "" || len(a.PreemptedAllocations) > 0
}

func writeAllocation(w *wire.Writer, a *api.Allocation, sh *shared) error {
	w.ID(a.ID)
	w.Uint(bit(a.Job != nil, allocJob) | bit(a.AllocatedResources != nil, allocResources) | bit(a.Metrics != nil, allocMetrics) |
		bit(a.DesiredTransition != api.DesiredTransition{}, allocTransition) | bit(a.TaskStates != nil, allocTasks) |
		bit(a.DeploymentStatus != nil, allocDeployment) | bit(a.RescheduleTracker != nil, allocReschedule) |
		bit(a.NetworkStatus != nil, allocNetwork) | bit(linked(a), allocLinks))
	for _, s := range [...]string{a.Namespace, a.EvalID, a.NodeID, a.NodeName, a.JobID, a.TaskGroup, a.DesiredStatus, a.DesiredDescription, a.ClientStatus, a.ClientDescription, a.DeploymentID} {
		w.Ref(s)
	}
	w.String(a.Name)
	for _, n := range [...]uint64{a.CreateIndex, a.ModifyIndex, a.AllocModifyIndex} {
		w.Uint(n)
	}
	w.Int(a.CreateTime)
	w.Int(a.ModifyTime)
	return writeAllocationParts(w, a, sh)
}

func writeAllocationParts(w *wire.Writer, a *api.Allocation, sh *shared) error {
	if j := a.Job; j != nil {
		err := writeShared(w, sh.jobs, j, func() error {
			w.Ref(j.Namespace)
			w.Ref(j.ID)
			w.Uint(j.Version)
			w.Uint(j.CreateIndex)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if r := a.AllocatedResources; r != nil {
		if err := writeShared(w, sh.resources, r, func() error { return w.Object(r) }); err != nil {
			return err
		}
	}
	if m := a.Metrics; m != nil {
		if err := writeShared(w, sh.metrics, m, func() error { return w.Object(m) }); err != nil {
			return err
		}
	}
	if a.TaskStates != nil {
		w.Tasks(a.TaskStates)
	}
	if linked(a) {
		w.Ref(a.FollowupEvalID)
		w.ID(a.PreviousAllocation)
		w.ID(a.NextAllocation)
		w.ID(a.PreemptedByAllocation)
		w.Uint(uint64(len(a.PreemptedAllocations)))
		for _, id := range a.PreemptedAllocations {
			w.ID(id)
		}
	}
	return writeAllocationRare(w, a)
}

// writeAllocationRare writes what few allocations have.
func writeAllocationRare(w *wire.Writer, a *api.Allocation) error {
	var err error
	object := func(set bool, x any) {
		if set && err == nil {
			err = w.Object(x)
		}
	}
	object(a.DesiredTransition != api.DesiredTransition{}, &a.DesiredTransition)
	object(a.DeploymentStatus != nil, a.DeploymentStatus)
	object(a.RescheduleTracker != nil, a.RescheduleTracker)
	object(a.NetworkStatus != nil, a.NetworkStatus)
	return err
}
