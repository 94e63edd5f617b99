package alloc

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/steps"
)

// Action gives the command that an action of a task stands for, with all
// references resolved; an empty task is the only one that has the action.
func (r *Runner) Action(ctx context.Context, task, name string) (string, []string, error) {
	a := r.alloc.Load()
	var of *api.Task
	var found *api.Action
	for _, t := range r.group().Tasks {
		for _, x := range t.Actions {
			if x.Name != name || task != "" && t.Name != task {
				continue
			}
			if found != nil && of != t {
				return "", nil, api.Errorf(api.ErrInvalid, "several tasks of allocation %s have an action %q: name one", r.id, name)
			}
			of, found = t, x
		}
	}
	if found == nil {
		return "", nil, api.Errorf(api.ErrNotFound, "allocation %s has no action %q in task %q", r.id, name, task)
	}
	d, _, err := r.Running(ctx, of.Name)
	if err != nil {
		return "", nil, err
	}
	in := steps.ConfigInput{Region: r.shared.Region, In: steps.In{
		Alloc: a, Task: of, Driver: d.Info(), Dir: r.dir, Node: r.shared.Node(), Devices: r.shared.Devices, Region: r.shared.Region, Pod: r.net.Pod,
	}}
	return of.Name, steps.Command(in, found.Command, found.Args), nil
}
