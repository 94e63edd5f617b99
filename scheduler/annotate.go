package scheduler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// What a change comes to, as written into the diff of a dry run.
const (
	forcesCreate      = "forces create"
	forcesDestroy     = "forces destroy"
	forcesInPlace     = "forces in-place update"
	forcesDestructive = "forces create/destroy update"
)

// Annotate writes into the diff of two versions of a job what the dry run of
// the new one has come to: counts by group, and what each changed task and
// count forces. It changes the diff.
func Annotate(d *api.JobDiff, a *api.PlanAnnotations) {
	if d == nil {
		return
	}
	for _, g := range d.TaskGroups {
		if a != nil && a.DesiredTGUpdates[g.Name] != nil {
			g.Updates = counts(a.DesiredTGUpdates[g.Name])
		}
		annotateCount(g)
		for _, t := range g.Tasks {
			if t.Type != api.DiffNone {
				t.Annotations = append(t.Annotations, taskForces(g, t))
			}
		}
	}
}

func counts(u *api.DesiredUpdates) map[string]uint64 {
	out := map[string]uint64{}
	for name, n := range map[string]uint64{
		"ignore":                u.Ignore,
		"create":                u.Place,
		"destroy":               u.Stop,
		"migrate":               u.Migrate,
		"in-place update":       u.InPlaceUpdate,
		"create/destroy update": u.DestructiveUpdate,
		"canary":                u.Canary,
		"preemptions":           u.Preemptions,
	} {
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

func annotateCount(g *api.TaskGroupDiff) {
	for _, f := range g.Fields {
		if f.Name != "Count" {
			continue
		}
		old, _ := strconv.Atoi(f.Old) // empty: there was no such group
		now, _ := strconv.Atoi(f.New)
		switch {
		case now > old:
			f.Annotations = append(f.Annotations, forcesCreate)
		case now < old:
			f.Annotations = append(f.Annotations, forcesDestroy)
		}
	}
}

func taskForces(g *api.TaskGroupDiff, t *api.TaskDiff) string {
	switch g.Type {
	case api.DiffAdded:
		return forcesCreate
	case api.DiffDeleted:
		return forcesDestroy
	}
	for _, f := range t.Fields {
		if f.Type != api.DiffNone && !slices.Contains(inPlaceFields, f.Name) {
			return forcesDestructive
		}
	}
	for _, o := range t.Objects {
		if o.Type != api.DiffNone && !inPlaceObject(o) {
			return forcesDestructive
		}
	}
	return forcesInPlace
}

// inPlaceFields and inPlaceObject name what reconcile.Destructive does not look
// at in a task.
var inPlaceFields = []string{"KillTimeout", "KillSignal", "ShutdownDelay"}

func inPlaceObject(o *api.ObjectDiff) bool {
	switch strings.TrimSuffix(o.Name, "s") {
	case "Constraint", "RestartPolicy", "ScalingPolicie", "ScalingPolicy", "Scaling", "Action", "Schedule":
		return true
	case "Service":
		return !slices.ContainsFunc(o.Objects, func(x *api.ObjectDiff) bool {
			return x.Type != api.DiffNone && (x.Name == "Connect" || x.Name == "ConsulConnect")
		})
	case "LogConfig":
		return !slices.ContainsFunc(o.Fields, func(f *api.FieldDiff) bool {
			return f.Type != api.DiffNone && f.Name == "Disabled"
		})
	}
	return false
}
