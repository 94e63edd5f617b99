// Package diff tells field by field how two versions of a job differ, in the
// shape that plans and version histories show. It works by reflection over the
// types of api, so that no field can be forgotten. It is pure and keeps no state.
package diff

import (
	"fmt"
	"reflect"
	"sort"

	"github.com/seraihq/serai/api"
)

// Jobs gives the difference between two versions of a job; either may be nil.
// Groups and tasks are matched by name and listed whether they changed or not;
// of other things only what changed is listed. With contextual, a block that
// changed also lists its fields that did not. What the server sets is left out.
// It is an error when the jobs are two different ones.
func Jobs(old, new *api.Job, contextual bool) (*api.JobDiff, error) {
	d := &api.JobDiff{}
	switch {
	case old == nil && new == nil:
		return &api.JobDiff{Type: api.DiffNone}, nil
	case old == nil:
		d.ID = new.ID
	case new == nil:
		d.ID = old.ID
	case old.ID != new.ID:
		return nil, fmt.Errorf("jobs %q and %q are not versions of one job: %w", old.ID, new.ID, api.ErrInvalid)
	default:
		d.ID = new.ID
	}
	c := comparer{contextual: contextual}
	a, b := structOf(old), structOf(new)
	d.Fields, d.Objects = c.inside(a, b, false, "TaskGroups")
	changed := len(d.Fields)+len(d.Objects) > 0
	for _, pair := range named(groupsOf(old), groupsOf(new), func(g *api.TaskGroup) string { return g.Name }) {
		g := c.group(pair.old, pair.new)
		changed = changed || g.Type != api.DiffNone
		d.TaskGroups = append(d.TaskGroups, g)
	}
	d.Type = kind(old == nil, new == nil, changed)
	return d, nil
}

func (c comparer) group(old, new *api.TaskGroup) *api.TaskGroupDiff {
	d := &api.TaskGroupDiff{Name: nameOf(old, new, func(g *api.TaskGroup) string { return g.Name })}
	d.Fields, d.Objects = c.inside(structOf(old), structOf(new), false, "Tasks")
	changed := len(d.Fields)+len(d.Objects) > 0
	for _, pair := range named(tasksOf(old), tasksOf(new), func(t *api.Task) string { return t.Name }) {
		t := c.task(pair.old, pair.new)
		changed = changed || t.Type != api.DiffNone
		d.Tasks = append(d.Tasks, t)
	}
	d.Type = kind(old == nil, new == nil, changed)
	return d
}

func (c comparer) task(old, new *api.Task) *api.TaskDiff {
	d := &api.TaskDiff{Name: nameOf(old, new, func(t *api.Task) string { return t.Name })}
	d.Fields, d.Objects = c.inside(structOf(old), structOf(new), false)
	d.Type = kind(old == nil, new == nil, len(d.Fields)+len(d.Objects) > 0)
	return d
}

// kind gives the type of a difference.
func kind(added, deleted, changed bool) string {
	switch {
	case added:
		return api.DiffAdded
	case deleted:
		return api.DiffDeleted
	case changed:
		return api.DiffEdited
	}
	return api.DiffNone
}

// structOf gives the struct behind a pointer, or the zero Value for nil.
func structOf[T any](p *T) reflect.Value {
	if p == nil {
		return reflect.Value{}
	}
	return reflect.ValueOf(p).Elem()
}

func groupsOf(j *api.Job) []*api.TaskGroup {
	if j == nil {
		return nil
	}
	return j.TaskGroups
}

func tasksOf(g *api.TaskGroup) []*api.Task {
	if g == nil {
		return nil
	}
	return g.Tasks
}

func nameOf[T any](old, new *T, name func(*T) string) string {
	if new != nil {
		return name(new)
	}
	return name(old)
}

// pair is an object in both versions; nil where it is absent.
type pair[T any] struct{ old, new *T }

// named pairs objects by name, in the order of their names.
func named[T any](old, new []*T, name func(*T) string) []pair[T] {
	pairs := map[string]pair[T]{}
	for _, o := range old {
		if o != nil {
			pairs[name(o)] = pair[T]{old: o}
		}
	}
	for _, n := range new {
		if n != nil {
			p := pairs[name(n)]
			p.new = n
			pairs[name(n)] = p
		}
	}
	names := make([]string, 0, len(pairs))
	for n := range pairs {
		names = append(names, n)
	}
	sort.Strings(names)
	out := make([]pair[T], len(names))
	for i, n := range names {
		out[i] = pairs[n]
	}
	return out
}
