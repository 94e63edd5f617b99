package gc

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// Excess gives the finished children of jobs that are more than are kept: the
// oldest ones.
func Excess(v *state.View, t Thresholds, jobs []api.NamespacedID, now time.Time) *fsm.Reap {
	f := newFinder(v, t, now)
	f.excess(jobs)
	return &f.found
}

// Aged gives the finished children of all jobs that are older than is kept.
func Aged(v *state.View, t Thresholds, now time.Time) *fsm.Reap {
	f := newFinder(v, t, now)
	for j := range v.Jobs() {
		if j.ParentID != "" && finished(j) && f.olderThan(f.lastTouched(j), t.Child) {
			f.addJob(j)
		}
	}
	return &f.found
}

// parents gives the jobs that have children, also those that are gone.
func parents(v *state.View) []api.NamespacedID {
	var out []api.NamespacedID
	for j := range v.Jobs() {
		if id := parent(j); j.ParentID != "" && (len(out) == 0 || out[len(out)-1] != id) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b api.NamespacedID) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.ID, b.ID))
	})
	return slices.Compact(out)
}

func parent(j *api.Job) api.NamespacedID {
	return api.NamespacedID{Namespace: j.Namespace, ID: j.ParentID}
}

func (f *finder) excess(jobs []api.NamespacedID) {
	if f.limits.MaxChildren <= 0 {
		return
	}
	for _, id := range jobs {
		var done []*api.Job
		for c := range f.view.JobChildren(id.Namespace, id.ID) {
			if finished(c) && !f.jobsFound[c.NamespacedID()] {
				done = append(done, c)
			}
		}
		more := len(done) - f.limits.MaxChildren
		if more <= 0 {
			continue
		}
		slices.SortFunc(done, func(a, b *api.Job) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
		for _, c := range done[:more] {
			f.addJob(c)
		}
	}
}
