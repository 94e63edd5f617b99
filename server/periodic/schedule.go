package periodic

import (
	"container/heap"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// schedule holds the jobs that have runs to come, the next one first.
type schedule struct {
	queue byDue
	byID  map[api.NamespacedID]*entry
}

// entry is a job in the schedule.
type entry struct {
	id      api.NamespacedID
	version uint64 // index of the job's specification that due follows from
	clock   string // its expressions and zone
	due     time.Time
	after   time.Time // runs until then are done, or not this server's to make up for
	at      int       // in the queue; -1: not in it
}

func newSchedule() schedule { return schedule{byID: map[api.NamespacedID]*entry{}} }

// active says whether a job starts runs.
func active(j *api.Job) bool {
	return j.IsPeriodic() && !j.IsParameterized() && !j.Stop && j.Periodic.Enabled
}

// fill takes over the jobs of a view. Of the runs that were missed before began
// the last one is due.
func (s *schedule) fill(v *state.View, began time.Time) {
	known := map[api.NamespacedID]bool{}
	for j := range v.Jobs() {
		if !active(j) {
			continue
		}
		known[j.NamespacedID()] = true
		s.set(v, j)
		if e := s.byID[j.NamespacedID()]; e != nil {
			s.catchUp(j, e, began)
		}
	}
	for id := range s.byID {
		if !known[id] {
			s.remove(id)
		}
	}
}

// catchUp leaves of the runs that were due before began only the last.
func (s *schedule) catchUp(j *api.Job, e *entry, began time.Time) {
	if e.due.IsZero() || e.due.After(began) {
		return
	}
	last, err := j.Periodic.Last(e.after, began)
	if err != nil || last.IsZero() {
		return
	}
	e.after = last.Add(-time.Second)
	s.put(e, last)
}

// set takes over a job as it is now.
func (s *schedule) set(v *state.View, j *api.Job) {
	id := j.NamespacedID()
	e := s.byID[id]
	switch {
	case !active(j):
		s.remove(id)
		return
	case e != nil && e.version == j.JobModifyIndex:
		return // only its status has changed
	case e == nil:
		e = &entry{id: id, at: -1}
		s.byID[id] = e
	}
	e.version = j.JobModifyIndex
	// Runs are due from the submission on, and none twice. A change of something
	// else leaves what is due just now.
	if clock := clockOf(j.Periodic); clock != e.clock {
		e.clock, e.after = clock, time.Unix(0, j.SubmitTime)
	}
	if last, ok := v.PeriodicLaunch(id.Namespace, id.ID); ok {
		e.after = later(e.after, time.Unix(0, last.Launch))
	}
	due, err := j.Periodic.Next(e.after)
	if err != nil {
		due = e.after // looked at, and told of, when it comes up
	}
	s.put(e, due)
}

func clockOf(p *api.PeriodicConfig) string {
	return p.TimeZone + "\n" + strings.Join(p.Expressions(), "\n")
}

// dueOf says which run of a job that has come up is to be started: the first
// that is not too late, else the last.
func (s *schedule) dueOf(v *state.View, j *api.Job, e *entry, now time.Time) (time.Time, error) {
	if last, ok := v.PeriodicLaunch(e.id.Namespace, e.id.ID); ok {
		e.after = later(e.after, time.Unix(0, last.Launch))
	}
	due, err := j.Periodic.Next(e.after)
	if err != nil || due.IsZero() || !due.Before(now.Add(-lateness)) {
		return due, err
	}
	recent, err := j.Periodic.Next(now.Add(-lateness - time.Second))
	if err != nil || !recent.IsZero() && !recent.After(now) {
		return recent, err
	}
	return j.Periodic.Last(e.after, now)
}

// started notes that a run is on its way; what comes next is found when that
// comes up.
func (s *schedule) started(e *entry, due time.Time) {
	e.after = due
	s.put(e, due.Add(time.Second))
}

// again puts a run back that was not started.
func (s *schedule) again(id api.NamespacedID, due time.Time) {
	if e := s.byID[id]; e != nil {
		e.after = due.Add(-time.Second)
		s.put(e, due)
	}
}

// put queues an entry for a time; the zero time means that nothing is to come.
func (s *schedule) put(e *entry, due time.Time) {
	e.due = due
	switch {
	case due.IsZero() && e.at >= 0:
		heap.Remove(&s.queue, e.at)
	case due.IsZero():
	case e.at < 0:
		heap.Push(&s.queue, e)
	default:
		heap.Fix(&s.queue, e.at)
	}
}

func (s *schedule) remove(id api.NamespacedID) {
	if e := s.byID[id]; e != nil {
		s.put(e, time.Time{})
		delete(s.byID, id)
	}
}

// first gives the entry that comes up first; nil when there is none.
func (s *schedule) first() *entry {
	if len(s.queue) == 0 {
		return nil
	}
	return s.queue[0]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// byDue is a heap of entries.
type byDue []*entry

func (q byDue) Len() int           { return len(q) }
func (q byDue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q byDue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}
func (q *byDue) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}
func (q *byDue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	last.at = -1
	return last
}
