package state

import (
	"cmp"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state/table"
)

// Tx is the one open write transaction: what a log entry does, or several in
// their order. It reads its
// own writes. Objects handed to its methods belong to the store from then on
// and must not be changed any more.
//
// Four things follow from the rows and are kept in step by Next and Commit: the status
// of jobs, their summaries, what each node has in use, and the numbers of
// deployments.
type Tx struct {
	Reader
	tx    *table.Tx
	store *Store

	usage       map[string]*NodeUsage
	counts      map[jobID]*jobCounts
	summaries   map[jobID]*api.JobSummary
	deployments map[string]*recount
}

// Begin opens the transaction of the log entry with the index. It waits for
// the one before it to end; end it with Commit or Abort.
func (s *Store) Begin(index uint64) *Tx {
	tx := s.store.Begin(index)
	return &Tx{
		Reader: Reader{r: tx, t: s.tables}, tx: tx, store: s,
		usage:     map[string]*NodeUsage{},
		counts:    map[jobID]*jobCounts{},
		summaries: map[jobID]*api.JobSummary{},
	}
}

// Next goes on with the following log entry in the same transaction. What comes
// out is the same as with a transaction for each; it only costs less, for what
// several of them change is copied and published once.
func (tx *Tx) Next(index uint64) {
	tx.settle()
	tx.tx.Next(index)
}

// Forget drops what the entry has read for changing. It returns false when the
// entry has changed something already, which only Abort undoes.
func (tx *Tx) Forget() bool {
	if tx.tx.Changed() {
		return false
	}
	tx.clear()
	return true
}

// Size is how many rows the transaction has changed so far.
func (tx *Tx) Size() int { return len(tx.tx.Changes()) }

func (tx *Tx) clear() {
	clear(tx.usage)
	clear(tx.counts)
	clear(tx.summaries)
	tx.deployments = nil
}

// Index returns the index of the log entry.
func (tx *Tx) Index() uint64 { return tx.tx.Index() }

// Abort drops everything that the transaction did; nothing after Commit.
func (tx *Tx) Abort() { tx.tx.Abort() }

// Commit brings what follows from the rows up to date, publishes everything at
// once and returns the new view.
func (tx *Tx) Commit() *View {
	tx.settle()
	return tx.store.view(tx.tx.Commit())
}

// settle writes what follows from the rows of the entry.
func (tx *Tx) settle() {
	for _, id := range sortedKeys(tx.counts, compareJobID) {
		tx.settleJob(tx.counts[id])
	}
	for _, id := range sortedKeys(tx.summaries, compareJobID) {
		if _, ok := tablesOf(tx.t).jobs.Get(tx.r, id); ok {
			tablesOf(tx.t).summaries.Put(tx.tx, tx.summaries[id])
		}
	}
	for _, id := range sortedKeys(tx.usage, compareString) {
		if u := tx.usage[id]; !u.Empty() {
			tablesOf(tx.t).usage.Put(tx.tx, u)
		} else {
			tablesOf(tx.t).usage.Delete(tx.tx, id)
		}
	}
	for _, id := range sortedKeys(tx.deployments, compareString) {
		tx.settleDeployment(id, tx.deployments[id])
	}
	tx.clear()
}

// sortedKeys makes the order of derived writes the same on every server.
func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

// jobCounts counts what a job's status follows from.
type jobCounts struct {
	job       jobID
	allocs    int // all of it
	live      int // not over, and not asked to stop
	evals     int
	openEvals int
}

// countsOf returns the counts of a job for changing; Commit settles the job.
func (tx *Tx) countsOf(id jobID) *jobCounts {
	if c, ok := tx.counts[id]; ok {
		return c
	}
	c := &jobCounts{job: id}
	if old, ok := tablesOf(tx.t).counts.Get(tx.r, id); ok {
		*c = *old
	}
	tx.counts[id] = c
	return c
}

// settleJob writes a job's counts and the status that follows from them.
func (tx *Tx) settleJob(c *jobCounts) {
	if old, ok := tablesOf(tx.t).counts.Get(tx.r, c.job); !ok || *old != *c {
		if c.allocs == 0 && c.evals == 0 {
			tablesOf(tx.t).counts.Delete(tx.tx, c.job)
		} else {
			tablesOf(tx.t).counts.Put(tx.tx, c)
		}
	}
	job, ok := tablesOf(tx.t).jobs.Get(tx.r, c.job)
	if !ok {
		return
	}
	status := jobStatus(job, c)
	if status == job.Status {
		return
	}
	changed := *job
	changed.Status, changed.ModifyIndex = status, tx.Index()
	tablesOf(tx.t).jobs.Put(tx.tx, &changed)
	tx.countChild(job, job.Status, status)
}

// jobStatus derives a job's status. Jobs that start others or run everywhere
// run until they are stopped. A job whose evaluations and allocations were all
// collected stays what it was.
func jobStatus(job *api.Job, c *jobCounts) string {
	if job.Type == api.JobTypeSystem || job.IsPeriodic() || job.IsParameterized() {
		if !job.Stop {
			return api.JobStatusRunning
		}
		if c.live == 0 && c.openEvals == 0 {
			return api.JobStatusDead
		}
	}
	switch {
	case c.live > 0:
		return api.JobStatusRunning
	case c.openEvals > 0:
		return api.JobStatusPending
	case c.allocs > 0 || c.evals > 0 || job.Stop:
		return api.JobStatusDead
	case job.Status != "":
		return job.Status
	}
	return api.JobStatusPending
}

// usageOf returns what a node has in use, for changing.
func (tx *Tx) usageOf(nodeID string) *NodeUsage {
	if u, ok := tx.usage[nodeID]; ok {
		return u
	}
	u := &NodeUsage{NodeID: nodeID}
	if old, ok := tablesOf(tx.t).usage.Get(tx.r, nodeID); ok {
		u.Usage = *old.Clone()
	}
	tx.usage[nodeID] = u
	return u
}

// Usage returns what a node has in use, with what the transaction has placed
// and stopped so far. The caller does not change it.
func (tx *Tx) Usage(nodeID string) *NodeUsage { return tx.usageOf(nodeID) }

// byVersion orders job versions, oldest first.
func byVersion(a, b *api.Job) int { return cmp.Compare(a.Version, b.Version) }
