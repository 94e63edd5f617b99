package scheduler_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler"
)

func TestAnnotate(t *testing.T) {
	edited := func(name string) []*api.FieldDiff { return []*api.FieldDiff{{Type: api.DiffEdited, Name: name}} }
	object := func(name string, fields ...*api.FieldDiff) []*api.ObjectDiff {
		return []*api.ObjectDiff{{Type: api.DiffEdited, Name: name, Fields: fields}}
	}
	for _, c := range []struct {
		group string
		task  api.TaskDiff
		want  string
	}{
		{api.DiffAdded, api.TaskDiff{Type: api.DiffAdded}, "forces create"},
		{api.DiffDeleted, api.TaskDiff{Type: api.DiffDeleted}, "forces destroy"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Fields: edited("Driver")}, "forces create/destroy update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Fields: edited("KillTimeout")}, "forces in-place update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Objects: object("Constraint")}, "forces in-place update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Objects: object("LogConfig", edited("MaxFiles")...)}, "forces in-place update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Objects: object("LogConfig", edited("Disabled")...)}, "forces create/destroy update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffEdited, Objects: object("Config", edited("image")...)}, "forces create/destroy update"},
		{api.DiffEdited, api.TaskDiff{Type: api.DiffNone}, ""},
	} {
		task := c.task
		scheduler.Annotate(&api.JobDiff{TaskGroups: []*api.TaskGroupDiff{{Type: c.group, Name: "g", Tasks: []*api.TaskDiff{&task}}}}, nil)
		if c.want == "" && len(task.Annotations) > 0 || c.want != "" && !slices.Equal(task.Annotations, []string{c.want}) {
			t.Errorf("%s, %+v: %v", c.group, c.task, task.Annotations)
		}
	}
}

func TestAnnotateGroup(t *testing.T) {
	d := &api.JobDiff{TaskGroups: []*api.TaskGroupDiff{
		{Type: api.DiffEdited, Name: "more", Fields: []*api.FieldDiff{{Type: api.DiffEdited, Name: "Count", Old: "1", New: "3"}}},
		{Type: api.DiffEdited, Name: "less", Fields: []*api.FieldDiff{{Type: api.DiffEdited, Name: "Count", Old: "3", New: "1"}}},
	}}
	scheduler.Annotate(d, &api.PlanAnnotations{DesiredTGUpdates: map[string]*api.DesiredUpdates{
		"more": {Place: 2, InPlaceUpdate: 1}, "less": {Stop: 2, DestructiveUpdate: 1},
	}})
	more, less := d.TaskGroups[0], d.TaskGroups[1]
	if diff := cmp.Diff(map[string]uint64{"create": 2, "in-place update": 1}, more.Updates); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{"destroy": 2, "create/destroy update": 1}, less.Updates); diff != "" {
		t.Error(diff)
	}
	if got := more.Fields[0].Annotations; !slices.Equal(got, []string{"forces create"}) {
		t.Errorf("more: %v", got)
	}
	if got := less.Fields[0].Annotations; !slices.Equal(got, []string{"forces destroy"}) {
		t.Errorf("less: %v", got)
	}
	scheduler.Annotate(nil, nil)
}
