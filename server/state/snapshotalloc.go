package state

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
	"github.com/seraihq/serai/scheduler/fit"
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
		if kept, ok := tablesOf(v.t).versions.Get(v.r, k.versionKey); ok && kept.CreateIndex == k.created {
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
	for j := range tablesOf(tx.t).versions.All(tx.r) {
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

// shared numbers the objects that allocations of one block share. Objects are
// the same when their bytes are, whether or not they are one in memory: so the
// same state gives the same snapshot on every server. The pointers only save
// encoding them again.
type shared struct {
	tasks   map[tasksKey]uint64
	metrics map[*api.AllocationMetric]uint64
	jobs    map[*api.Job]uint64
	bytes   map[string]uint64
}

// tasksKey is what of an allocation's resources is not its own.
type tasksKey struct {
	tasks uintptr
	disk  int64
}

func newShared() *shared {
	return &shared{map[tasksKey]uint64{}, map[*api.AllocationMetric]uint64{}, map[*api.Job]uint64{}, map[string]uint64{}}
}

// object writes a value the first time and its number from then on. The bytes
// are marked with what they are, as each kind is numbered by itself.
func (sh *shared) object(w *wire.Writer, mark string, x any) (uint64, error) {
	b, err := wire.Marshal(x)
	if err != nil {
		return 0, err
	}
	key := mark + string(b)
	if n, ok := sh.bytes[key]; ok {
		w.Uint(n)
		return n, nil
	}
	sh.bytes[mark]++
	n := sh.bytes[mark]
	sh.bytes[key] = n
	w.Uint(0)
	w.Blob(b)
	return n, nil
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
	return w.end(tablesOf(v.t).allocs.Index(v.r))
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
		bit(a.DesiredTransition != api.DesiredTransition{}, allocTransition) | bit(a.TaskStates != nil || a.Packed != "", allocTasks) |
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
	if a.Job != nil {
		sh.job(w, a.Job)
	}
	if a.AllocatedResources != nil {
		if err := sh.resources(w, a); err != nil {
			return err
		}
	}
	if m := a.Metrics; m != nil {
		if n, ok := sh.metrics[m]; ok {
			w.Uint(n)
		} else {
			n, err := sh.object(w, "m", m)
			if err != nil {
				return err
			}
			sh.metrics[m] = n
		}
	}
	if tasks := a.States(); tasks != nil {
		w.Tasks(tasks)
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

// job writes which version of which job, the first time, and its number from
// then on.
func (sh *shared) job(w *wire.Writer, j *api.Job) {
	if n, ok := sh.jobs[j]; ok {
		w.Uint(n)
		return
	}
	k := oldKey(j)
	name := wire.NewWriter([]byte("j"))
	name.String(k.Namespace)
	name.String(k.ID)
	name.Uint(k.version)
	name.Uint(k.created)
	key := string(name.Bytes())
	n, ok := sh.bytes[key]
	if ok {
		w.Uint(n)
	} else {
		sh.bytes["j"]++
		n = sh.bytes["j"]
		sh.bytes[key] = n
		w.Uint(0)
		w.Ref(k.Namespace)
		w.Ref(k.ID)
		w.Uint(k.version)
		w.Uint(k.created)
	}
	sh.jobs[j] = n
}

// resources writes what an allocation was given: what it shares with others of
// its group, its ports, and its networks only if they are not what follows
// from the group and the ports.
func (sh *shared) resources(w *wire.Writer, a *api.Allocation) error {
	r := a.AllocatedResources
	base := *r
	base.Shared.Ports, base.Shared.Networks = nil, nil
	key := tasksKey{reflect.ValueOf(r.Tasks).Pointer(), r.Shared.DiskMB}
	if n, ok := sh.tasks[key]; ok && r.Tasks != nil {
		w.Uint(n)
	} else {
		n, err := sh.object(w, "r", &base)
		if err != nil {
			return err
		}
		sh.tasks[key] = n
	}
	w.Ports(r.Shared.Ports)
	follows := wire.Same(withPorts(&base, a, r.Shared.Ports).Shared.Networks, r.Shared.Networks)
	w.Bool(follows)
	if follows {
		return nil
	}
	return w.Object(r.Shared.Networks)
}

// withPorts gives what an allocation of a group has with these ports.
func withPorts(base *api.AllocatedResources, a *api.Allocation, ports []api.PortMapping) *api.AllocatedResources {
	var g *api.TaskGroup
	if a.Job != nil {
		g = a.Job.LookupTaskGroup(a.TaskGroup)
	}
	if g == nil {
		if len(ports) == 0 {
			return base
		}
		g = &api.TaskGroup{}
	}
	return fit.WithPorts(base, g, ports)
}
