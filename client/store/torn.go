package store

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/seraihq/serai/api"
)

// dropTorn leaves out all that is kept of allocations of which a damaged file
// has lost a part. Without its record a task would be started beside the process
// that it has already; an allocation of which nothing is known is ended, whatever
// runs of it, and started anew.
func (s *Store) dropTorn(saved []op) []op {
	here := make(map[string]bool, len(saved))
	groups := map[string]*api.Job{}
	for _, o := range saved {
		switch o.bucket {
		case bucketRunners, bucketTasks:
			here[o.bucket+"/"+o.key] = true
		case bucketJobs:
			j := &api.Job{}
			if json.Unmarshal(o.value[recordHead:], j) == nil {
				groups[o.key] = j
			}
		}
	}
	whole := map[string]bool{}
	for _, o := range saved {
		if o.bucket != bucketAllocs {
			continue
		}
		if whole[o.key] = isWhole(o, groups, here); !whole[o.key] {
			s.logger.Warn("a part of what was kept of an allocation is lost: the rest is dropped, and it is started anew", "alloc_id", o.key)
		}
	}
	return slices.DeleteFunc(saved, func(o op) bool {
		id, _, _ := strings.Cut(o.key, "/")
		return !whole[id] && slices.Contains([]string{bucketAllocs, bucketRunners, bucketTasks}, o.bucket)
	})
}

// isWhole says whether an allocation has its job, and a record for itself and
// for each of its tasks. One whose agent ended before they were written has none
// either, and nothing that would be lost.
func isWhole(alloc op, jobs map[string]*api.Job, here map[string]bool) bool {
	var r allocRecord
	if json.Unmarshal(alloc.value[recordHead:], &r) != nil || r.Alloc == nil {
		return false
	}
	j := r.Alloc.Job
	if r.Job != "" {
		j = jobs[r.Job]
	}
	if j == nil || !here[bucketRunners+"/"+alloc.key] {
		return false
	}
	g := j.LookupTaskGroup(r.Alloc.TaskGroup)
	return g != nil && !slices.ContainsFunc(g.Tasks, func(t *api.Task) bool { return !here[bucketTasks+"/"+alloc.key+"/"+t.Name] })
}
