package state

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// readShared holds the objects that allocations of one block share, in the
// order in which they came.
type readShared struct {
	resources []*api.AllocatedResources
	metrics   []*api.AllocationMetric
	jobs      []*api.Job
	all       *readObjects
}

// readObjects holds every shared object by its bytes, so that blocks share
// them too.
type readObjects struct {
	resources map[string]*api.AllocatedResources
	metrics   map[string]*api.AllocationMetric
}

// readAllocations reads the allocations and gives those that share an object
// the same one again, and equal identifiers one string.
func readAllocations(r *snapshotReader, tx *Tx) error {
	var sh *readShared
	same := interner{}
	all := &readObjects{map[string]*api.AllocatedResources{}, map[string]*api.AllocationMetric{}}
	for {
		fresh := r.left == 0
		if !r.next() {
			break
		}
		if fresh {
			sh = &readShared{all: all}
		}
		a := readAllocation(r, sh)
		if r.err != nil || r.Reader.Err() != nil {
			break
		}
		same.allocation(a)
		tablesOf(tx.t).allocs.Put(tx.tx, a)
	}
	index, err := r.end()
	tablesOf(tx.t).allocs.SetIndex(tx.tx, index)
	return err
}

// interner keeps one string of each value.
type interner map[string]string

func (in interner) one(s *string) {
	if kept, ok := in[*s]; ok {
		*s = kept
	} else {
		in[*s] = *s
	}
}

func (in interner) allocation(a *api.Allocation) {
	in.one(&a.EvalID)
	in.one(&a.NodeID)
	in.one(&a.NodeName)
	if a.Job != nil && a.Job.Namespace == a.Namespace && a.Job.ID == a.JobID {
		a.Namespace, a.JobID = a.Job.Namespace, a.Job.ID
	}
	in.one(&a.TaskGroup)
	in.one(&a.DesiredStatus)
	in.one(&a.ClientStatus)
}

func readAllocation(r *snapshotReader, sh *readShared) *api.Allocation {
	a := &api.Allocation{ID: r.ID()}
	flags := r.Uint()
	for _, s := range [...]*string{&a.Namespace, &a.EvalID, &a.NodeID, &a.NodeName, &a.JobID, &a.TaskGroup, &a.DesiredStatus, &a.DesiredDescription, &a.ClientStatus, &a.ClientDescription, &a.DeploymentID} {
		*s = r.Ref()
	}
	a.Name = r.String()
	a.CreateIndex, a.ModifyIndex, a.AllocModifyIndex = r.Uint(), r.Uint(), r.Uint()
	a.CreateTime, a.ModifyTime = r.Int(), r.Int()
	if flags&allocJob != 0 {
		a.Job = readJobRef(r, sh)
	}
	if flags&allocResources != 0 {
		a.AllocatedResources = readResources(r, a, sh)
	}
	if flags&allocMetrics != 0 {
		a.Metrics = readObject(r, &sh.metrics, sh.all.metrics)
	}
	if flags&allocTasks != 0 {
		a.Packed = api.PackTaskStates(r.Tasks())
	}
	if flags&allocLinks != 0 {
		a.FollowupEvalID = r.Ref()
		a.PreviousAllocation, a.NextAllocation, a.PreemptedByAllocation = r.ID(), r.ID(), r.ID()
		for range r.Len() {
			a.PreemptedAllocations = append(a.PreemptedAllocations, r.ID())
		}
	}
	if flags&allocTransition != 0 {
		r.Object(&a.DesiredTransition)
	}
	if flags&allocDeployment != 0 {
		a.DeploymentStatus = new(api.AllocDeploymentStatus)
		r.Object(a.DeploymentStatus)
	}
	if flags&allocReschedule != 0 {
		a.RescheduleTracker = new(api.RescheduleTracker)
		r.Object(a.RescheduleTracker)
	}
	if flags&allocNetwork != 0 {
		a.NetworkStatus = new(api.AllocNetworkStatus)
		r.Object(a.NetworkStatus)
	}
	return a
}

func readObject[T any](r *snapshotReader, seen *[]*T, all map[string]*T) *T {
	n := r.Uint()
	if n > uint64(len(*seen)) {
		r.fail("table %s is damaged (reference)", r.name)
		return new(T)
	}
	if n > 0 {
		return (*seen)[n-1]
	}
	b := r.Blob()
	x, ok := all[string(b)]
	if !ok {
		x = new(T)
		if err := wire.Unmarshal(b, x); err != nil {
			r.fail("table %s is damaged (%v)", r.name, err)
		}
		all[string(b)] = x
	}
	*seen = append(*seen, x)
	return x
}

func readResources(r *snapshotReader, a *api.Allocation, sh *readShared) *api.AllocatedResources {
	base := readObject(r, &sh.resources, sh.all.resources)
	ports := r.Ports()
	if r.Bool() {
		return withPorts(base, a, ports)
	}
	c := *base
	c.Shared.Ports = ports
	r.Object(&c.Shared.Networks)
	return &c
}

func readJobRef(r *snapshotReader, sh *readShared) *api.Job {
	n := r.Uint()
	if n > 0 {
		if n > uint64(len(sh.jobs)) {
			r.fail("table %s is damaged (job reference)", r.name)
			return nil
		}
		return sh.jobs[n-1]
	}
	k := oldJobKey{versionKey: versionKey{jobID: jobID{Namespace: r.Ref(), ID: r.Ref()}, version: r.Uint()}, created: r.Uint()}
	j, ok := r.oldJobs[k]
	if !ok {
		r.fail("an allocation refers to version %d of job %q, which is missing", k.version, k.ID)
		return nil
	}
	sh.jobs = append(sh.jobs, j)
	return j
}
