package state

import (
	"iter"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// jobTables are the tables about jobs.
type jobTables struct {
	jobs        *table.Table[jobID, *api.Job]
	jobsParent  *table.Index[jobID, jobID, *api.Job]
	jobsPool    *table.Index[string, jobID, *api.Job]
	jobsToken   *table.Index[jobID, jobID, *api.Job] // by parent and token of the dispatch
	versions    *table.Table[versionKey, *api.Job]
	versionsJob *table.Index[jobID, versionKey, *api.Job]
	submissions *table.Table[versionKey, *submission]
	subsJob     *table.Index[jobID, versionKey, *submission]
	summaries   *table.Table[jobID, *api.JobSummary]
	counts      *table.Table[jobID, *jobCounts]
	scaling     *table.Table[jobID, *api.JobScalingEvents]
	launches    *table.Table[jobID, *PeriodicLaunch]
}

// submission is the row of a job version's source text.
type submission struct {
	Namespace string
	JobID     string
	Version   uint64
	*api.JobSubmission
}

// PeriodicLaunch is when a periodic job last started a child.
type PeriodicLaunch struct {
	Namespace   string
	JobID       string
	Launch      int64 // Unix nanoseconds
	CreateIndex uint64
	ModifyIndex uint64
}

func newJobTables(s *table.Store) jobTables {
	var t jobTables
	t.jobs = addByJob(s, TableJobs, (*api.Job).NamespacedID, func(j *api.Job) uint64 { return j.ModifyIndex })
	t.jobsParent = table.AddIndex(t.jobs, "parent", compareJobID, func(j *api.Job, dst []jobID) []jobID {
		if j.ParentID == "" {
			return dst
		}
		return append(dst, jobID{Namespace: j.Namespace, ID: j.ParentID})
	})
	t.jobsPool = table.AddIndex(t.jobs, "node_pool", compareString, func(j *api.Job, dst []string) []string { return append(dst, j.NodePool) })
	t.jobsToken = table.AddIndex(t.jobs, "token", compareJobID, func(j *api.Job, dst []jobID) []jobID {
		if j.DispatchIdempotencyToken == "" || j.ParentID == "" {
			return dst
		}
		return append(dst, tokenKey(j.Namespace, j.ParentID, j.DispatchIdempotencyToken))
	})
	t.versions = table.Add(s, table.Config[versionKey, *api.Job]{
		Name: TableJobVersions, Key: func(j *api.Job) versionKey { return versionKey{j.NamespacedID(), j.Version} },
		Compare: compareVersion, Modified: func(j *api.Job) uint64 { return j.ModifyIndex },
	})
	t.versionsJob = table.AddIndex(t.versions, "job", compareJobID, func(j *api.Job, dst []jobID) []jobID { return append(dst, j.NamespacedID()) })
	t.submissions = table.Add(s, table.Config[versionKey, *submission]{
		Name: TableJobSubmissions,
		Key: func(x *submission) versionKey {
			return versionKey{jobID{Namespace: x.Namespace, ID: x.JobID}, x.Version}
		},
		Compare: compareVersion,
	})
	t.subsJob = table.AddIndex(t.submissions, "job", compareJobID, func(x *submission, dst []jobID) []jobID {
		return append(dst, jobID{Namespace: x.Namespace, ID: x.JobID})
	})
	t.summaries = addByJob(s, TableJobSummaries, func(x *api.JobSummary) jobID { return jobID{Namespace: x.Namespace, ID: x.JobID} }, func(x *api.JobSummary) uint64 { return x.ModifyIndex })
	t.counts = addByJob(s, TableJobCounts, func(c *jobCounts) jobID { return c.job }, nil)
	t.scaling = addByJob(s, TableScalingEvents, func(e *api.JobScalingEvents) jobID { return jobID{Namespace: e.Namespace, ID: e.JobID} }, func(e *api.JobScalingEvents) uint64 { return e.ModifyIndex })
	t.launches = addByJob(s, TablePeriodicLaunches, func(l *PeriodicLaunch) jobID { return jobID{Namespace: l.Namespace, ID: l.JobID} }, func(l *PeriodicLaunch) uint64 { return l.ModifyIndex })
	return t
}

// Job returns the current version of a job.
func (r Reader) Job(namespace, id string) (*api.Job, bool) {
	return tablesOf(r.t).jobs.Get(r.r, jobID{Namespace: namespace, ID: id})
}

// Jobs returns every job, by namespace and ID.
func (r Reader) Jobs() iter.Seq[*api.Job] { return tablesOf(r.t).jobs.All(r.r) }

// JobCount returns how many jobs there are.
func (r Reader) JobCount() int { return tablesOf(r.t).jobs.Len(r.r) }

// JobsFrom returns the jobs from a namespace and ID on, that one included.
func (r Reader) JobsFrom(namespace, id string) iter.Seq[*api.Job] {
	return tablesOf(r.t).jobs.From(r.r, jobID{Namespace: namespace, ID: id})
}

// JobsIn returns the jobs of a namespace, by ID.
//
//go:noinline
func (r Reader) JobsIn(namespace string) iter.Seq[*api.Job] {
	return func(yield func(*api.Job) bool) {
		for j := range r.JobsFrom(namespace, "") {
			if j.Namespace != namespace || !yield(j) {
				return
			}
		}
	}
}

// JobChildren returns the jobs that a periodic or parameterized job started.
func (r Reader) JobChildren(namespace, id string) iter.Seq[*api.Job] {
	return tablesOf(r.t).jobsParent.Range(r.r, jobID{Namespace: namespace, ID: id})
}

// JobByDispatchToken returns the child of a parameterized job that was
// dispatched with an idempotency token.
func (r Reader) JobByDispatchToken(namespace, parent, token string) (*api.Job, bool) {
	for j := range tablesOf(r.t).jobsToken.Range(r.r, tokenKey(namespace, parent, token)) {
		return j, true
	}
	return nil, false
}

// tokenKey joins what no job ID holds.
func tokenKey(namespace, parent, token string) jobID {
	return jobID{Namespace: namespace, ID: parent + "\x00" + token}
}

// JobsByNodePool returns the jobs that run in a node pool.
func (r Reader) JobsByNodePool(pool string) iter.Seq[*api.Job] {
	return tablesOf(r.t).jobsPool.Range(r.r, pool)
}

// JobVersion returns one version of a job, while it is kept.
func (r Reader) JobVersion(namespace, id string, version uint64) (*api.Job, bool) {
	return tablesOf(r.t).versions.Get(r.r, versionKey{jobID{Namespace: namespace, ID: id}, version})
}

// JobVersions returns the kept versions of a job, newest first.
func (r Reader) JobVersions(namespace, id string) []*api.Job {
	out := slices.Collect(tablesOf(r.t).versionsJob.Range(r.r, jobID{Namespace: namespace, ID: id}))
	slices.Reverse(out)
	return out
}

// JobVersionByTag returns the version of a job that has the tag.
func (r Reader) JobVersionByTag(namespace, id, tag string) (*api.Job, bool) {
	for _, j := range r.JobVersions(namespace, id) {
		if j.VersionTag != nil && j.VersionTag.Name == tag {
			return j, true
		}
	}
	return nil, false
}

// JobSubmission returns the source text of a version of a job.
func (r Reader) JobSubmission(namespace, id string, version uint64) (*api.JobSubmission, bool) {
	x, ok := tablesOf(r.t).submissions.Get(r.r, versionKey{jobID{Namespace: namespace, ID: id}, version})
	if !ok {
		return nil, false
	}
	return x.JobSubmission, true
}

// JobSummary returns the counts of a job's allocations.
func (r Reader) JobSummary(namespace, id string) (*api.JobSummary, bool) {
	return tablesOf(r.t).summaries.Get(r.r, jobID{Namespace: namespace, ID: id})
}

// JobSummaries returns the counts of every job.
func (r Reader) JobSummaries() iter.Seq[*api.JobSummary] { return tablesOf(r.t).summaries.All(r.r) }

// ScalingEvents returns the last scaling events of a job.
func (r Reader) ScalingEvents(namespace, id string) (*api.JobScalingEvents, bool) {
	return tablesOf(r.t).scaling.Get(r.r, jobID{Namespace: namespace, ID: id})
}

// PeriodicLaunch returns when a periodic job last started a child.
func (r Reader) PeriodicLaunch(namespace, id string) (*PeriodicLaunch, bool) {
	return tablesOf(r.t).launches.Get(r.r, jobID{Namespace: namespace, ID: id})
}

// PeriodicLaunches returns the last launch of every periodic job.
func (r Reader) PeriodicLaunches() iter.Seq[*PeriodicLaunch] { return tablesOf(r.t).launches.All(r.r) }
