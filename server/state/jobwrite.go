package state

import (
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/wire"
)

// KeptVersions is how many untagged versions of a job are kept.
const KeptVersions = 6

// RegisterJob writes a job as submitted. A job whose specification is what is
// stored already is left alone: the stored one is returned and changed is
// false. Otherwise the job becomes the next version.
func (tx *Tx) RegisterJob(job *api.Job, source *api.JobSubmission) (stored *api.Job, changed bool) {
	id := job.NamespacedID()
	old, exists := tablesOf(tx.t).jobs.Get(tx.r, id)
	if exists && sameSpec(old, job) {
		return old, false
	}
	job.CreateIndex, job.Version, job.Status = tx.Index(), 0, ""
	if exists {
		job.CreateIndex, job.Version, job.Status = old.CreateIndex, old.Version+1, old.Status
	}
	job.ModifyIndex, job.JobModifyIndex = tx.Index(), tx.Index()
	job.Stable, job.VersionTag = false, nil
	tx.putVersion(job)
	if source != nil {
		source.JobIndex = job.JobModifyIndex
		tablesOf(tx.t).submissions.Put(tx.tx, &submission{Namespace: job.Namespace, JobID: job.ID, Version: job.Version, JobSubmission: source})
	}
	tx.ensureSummary(job)
	if !exists {
		tx.countChild(job, "", job.Status)
	}
	return job, true
}

// StopJob marks a job as stopped, which is a new version of it.
func (tx *Tx) StopJob(namespace, id string, submitTime int64) (*api.Job, bool) {
	old, ok := tx.Job(namespace, id)
	if !ok {
		return nil, false
	}
	if old.Stop {
		return old, true
	}
	job := *old
	job.Stop, job.Stable, job.VersionTag = true, false, nil
	job.Version++
	job.SubmitTime = submitTime
	job.ModifyIndex, job.JobModifyIndex = tx.Index(), tx.Index()
	tx.putVersion(&job)
	return &job, true
}

// putVersion writes a job that is a new version, and drops the oldest ones.
func (tx *Tx) putVersion(job *api.Job) {
	counts := tx.countsOf(job.NamespacedID())
	from := job.Status
	job.Status = jobStatus(job, counts)
	if from != "" {
		tx.countChild(job, from, job.Status)
	}
	tablesOf(tx.t).jobs.Put(tx.tx, job)
	tablesOf(tx.t).versions.Put(tx.tx, job)
	tx.pruneVersions(job)
}

// pruneVersions keeps the newest versions, those with a tag, and the newest
// stable one: an automatic revert needs it.
func (tx *Tx) pruneVersions(job *api.Job) {
	untagged, stable := 0, false
	for _, v := range tx.JobVersions(job.Namespace, job.ID) {
		keep := v.VersionTag != nil
		if !keep {
			untagged++
			keep = untagged <= KeptVersions || (v.Stable && !stable)
		}
		stable = stable || v.Stable
		if !keep {
			key := versionKey{v.NamespacedID(), v.Version}
			tablesOf(tx.t).versions.Delete(tx.tx, key)
			tablesOf(tx.t).submissions.Delete(tx.tx, key)
		}
	}
}

// DeleteJob removes a job with its versions, sources, summary, scaling events
// and launches. Its evaluations and allocations stay until they are collected.
func (tx *Tx) DeleteJob(namespace, id string) (*api.Job, bool) {
	key := jobID{Namespace: namespace, ID: id}
	job, ok := tablesOf(tx.t).jobs.Delete(tx.tx, key)
	if !ok {
		return nil, false
	}
	for _, v := range tx.JobVersions(namespace, id) {
		tablesOf(tx.t).versions.Delete(tx.tx, versionKey{key, v.Version})
	}
	for _, s := range slices.Collect(tablesOf(tx.t).subsJob.Range(tx.r, key)) {
		tablesOf(tx.t).submissions.Delete(tx.tx, versionKey{key, s.Version})
	}
	tablesOf(tx.t).summaries.Delete(tx.tx, key)
	delete(tx.summaries, key)
	tablesOf(tx.t).scaling.Delete(tx.tx, key)
	tablesOf(tx.t).launches.Delete(tx.tx, key)
	tx.countChild(job, job.Status, api.JobStatusDead)
	return job, true
}

// SetJobStable marks a version of a job as one that a revert may go back to.
//
//go:noinline
func (tx *Tx) SetJobStable(namespace, id string, version uint64, stable bool) bool {
	return tx.changeVersion(namespace, id, version, func(j *api.Job) { j.Stable = stable })
}

// TagJobVersion names a version of a job; nil takes the name away.
//
//go:noinline
func (tx *Tx) TagJobVersion(namespace, id string, version uint64, tag *api.JobVersionTag) bool {
	return tx.changeVersion(namespace, id, version, func(j *api.Job) { j.VersionTag = tag })
}

func (tx *Tx) changeVersion(namespace, id string, version uint64, change func(*api.Job)) bool {
	old, ok := tx.JobVersion(namespace, id, version)
	if !ok {
		return false
	}
	v := *old
	change(&v)
	v.ModifyIndex = tx.Index()
	tablesOf(tx.t).versions.Put(tx.tx, &v)
	if current, ok := tx.Job(namespace, id); ok && current.Version == version {
		c := *current
		change(&c)
		c.ModifyIndex = tx.Index()
		tablesOf(tx.t).jobs.Put(tx.tx, &c)
	}
	return true
}

// AddScalingEvent records a scaling event of a group, newest first.
func (tx *Tx) AddScalingEvent(namespace, id, group string, e *api.ScalingEvent) {
	e.CreateIndex = tx.Index()
	events := &api.JobScalingEvents{Namespace: namespace, JobID: id, ModifyIndex: tx.Index(), Events: map[string][]*api.ScalingEvent{}}
	if old, ok := tx.ScalingEvents(namespace, id); ok {
		for g, list := range old.Events {
			events.Events[g] = list
		}
	}
	list := append([]*api.ScalingEvent{e}, events.Events[group]...)
	events.Events[group] = list[:min(len(list), api.MaxScalingEvents)]
	tablesOf(tx.t).scaling.Put(tx.tx, events)
}

// PutPeriodicLaunch records when a periodic job last started a child.
func (tx *Tx) PutPeriodicLaunch(l *PeriodicLaunch) {
	l.CreateIndex, l.ModifyIndex = tx.Index(), tx.Index()
	if old, ok := tx.PeriodicLaunch(l.Namespace, l.JobID); ok {
		l.CreateIndex = old.CreateIndex
	}
	tablesOf(tx.t).launches.Put(tx.tx, l)
}

// DeletePeriodicLaunch forgets the launches of a job.
func (tx *Tx) DeletePeriodicLaunch(namespace, id string) {
	tablesOf(tx.t).launches.Delete(tx.tx, jobID{Namespace: namespace, ID: id})
}

// sameSpec says whether two jobs differ in nothing that a user submits.
func sameSpec(a, b *api.Job) bool {
	x, y := submitted(a), submitted(b)
	return wire.Same(&x, &y)
}

// submitted is a job without what the server sets.
func submitted(j *api.Job) api.Job {
	c := *j
	c.Status, c.StatusDescription = "", ""
	c.Stable, c.VersionTag = false, nil
	c.Version, c.SubmitTime = 0, 0
	c.CreateIndex, c.ModifyIndex, c.JobModifyIndex = 0, 0, 0
	c.NomadTokenID = ""
	return c
}
