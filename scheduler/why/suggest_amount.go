package why

import (
	"fmt"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/scheduler/fit"
)

// resources looks for the most that could be asked of each dimension that is
// short: of the task that asks for most of it, in round numbers.
func (s *search) resources() error {
	alone := false
	for _, a := range amounts {
		if !s.exhausted(a.dimension) {
			continue
		}
		task := s.greediest(a.dimension, a.of)
		if task < 0 {
			continue
		}
		asked := *a.of(s.g, s.g.Tasks[task])
		if asked <= a.least {
			continue
		}
		round := rounding(asked)
		change := func(step int) *api.Job {
			return s.smaller(func(g *api.TaskGroup) { *a.of(g, g.Tasks[task]) = max(step*round, a.least) })
		}
		step, places, err := s.most((asked-1)/round, change)
		if err != nil {
			return err
		}
		if step == 0 {
			continue
		}
		alone = true
		to := max(step*round, a.least)
		name := s.g.Tasks[task].Name
		if a.dimension == fit.DimensionDisk {
			name = ""
		}
		s.add(float64(asked-to)/float64(asked), places, api.PlacementSuggestion{
			Kind: api.SuggestResources, Object: a.dimension, Task: name, From: fmt.Sprint(asked), To: fmt.Sprint(to),
			Text: less(name, a.name, to, asked, a.unit),
		})
	}
	fewer, err := s.devices()
	if err != nil || alone || fewer {
		return err
	}
	return s.together()
}

// devices looks for the most devices that could be asked for, of the task that
// asks for most.
func (s *search) devices() (found bool, err error) {
	if !s.exhausted(fit.DimensionDevices) {
		return false, nil
	}
	task, at, asked := -1, -1, uint64(1)
	for i, t := range s.g.Tasks {
		if t.Resources == nil {
			continue
		}
		for k, d := range t.Resources.Devices {
			if d.Count > asked {
				task, at, asked = i, k, d.Count
			}
		}
	}
	if task < 0 {
		return false, nil
	}
	t := s.g.Tasks[task]
	step, places, err := s.most(int(min(asked-1, 1024)), func(step int) *api.Job {
		return s.smaller(func(g *api.TaskGroup) { g.Tasks[task].Resources.Devices[at].Count = uint64(max(step, 1)) })
	})
	if err != nil || step == 0 {
		return false, err
	}
	name := t.Resources.Devices[at].Name
	s.add(float64(asked-uint64(step))/float64(asked), places, api.PlacementSuggestion{
		Kind: api.SuggestResources, Object: fit.DimensionDevices, Task: t.Name, From: fmt.Sprint(asked), To: fmt.Sprint(step),
		Text: fmt.Sprintf("ask for %d of device %q instead of %d in task %q", step, name, asked, t.Name),
	})
	return true, nil
}

func less(task, what string, to, from int, unit string) string {
	of := "the group"
	if task != "" {
		of = fmt.Sprintf("task %q", task)
	}
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Sprintf("ask for %s = %d%s instead of %d in %s", what, to, unit, from, of)
}

// greediest finds the task that asks for most; for disk, which the group has,
// any will do.
func (s *search) greediest(dimension string, of func(*api.TaskGroup, *api.Task) *int) int {
	best := -1
	for i, t := range s.g.Tasks {
		if dimension == fit.DimensionDisk && s.g.EphemeralDisk == nil || dimension != fit.DimensionDisk && t.Resources == nil {
			continue
		}
		if dimension == fit.DimensionCPU && t.Resources.Cores > 0 {
			continue
		}
		if best < 0 || *of(s.g, t) > *of(s.g, s.g.Tasks[best]) {
			best = i
		}
	}
	return best
}

// rounding gives the unit in which an amount is made smaller: 1, 2, 5, 10 and
// so on, so that there are no more than about 50 steps.
func rounding(asked int) int {
	for unit := 1; ; unit *= 10 {
		for _, k := range []int{1, 2, 5} {
			if asked <= 50*unit*k {
				return unit * k
			}
		}
	}
}

// smaller gives a job that asks for less: also what runs, where it would be
// replaced by that. A batch job's new version would begin anew.
func (s *search) smaller(change func(g *api.TaskGroup)) *api.Job {
	return s.job(func(j *api.Job, g *api.TaskGroup) {
		change(g)
		if j.Type == api.JobTypeService || j.Type == api.JobTypeSystem {
			next(j)
		}
	})
}

// most finds the largest step at which all are placed, else at which some are.
func (s *search) most(steps int, change func(step int) *api.Job) (step, places int, err error) {
	for _, want := range []int{s.of, 1} {
		// The smallest first: where that is of no use, nothing is.
		n, _, err := s.gain(edit{job: change(0)})
		if err != nil {
			return 0, 0, err
		}
		if n < want {
			continue
		}
		step, err = largest(steps, func(step int) (bool, error) {
			n, _, err := s.gain(edit{job: change(step)})
			if n >= want {
				places = n
			}
			return n >= want, err
		})
		return step, places, err
	}
	return 0, 0, nil
}

// together asks for less of CPU and memory at once, by the same part.
func (s *search) together() error {
	if !s.exhausted(fit.DimensionCPU) && !s.exhausted(fit.DimensionMemory) {
		return nil
	}
	const parts = 20
	change := func(step int) *api.Job {
		return s.smaller(func(g *api.TaskGroup) {
			for _, t := range g.Tasks {
				if r := t.Resources; r != nil {
					r.CPU = max(r.CPU*step/parts, min(r.CPU, 1))
					r.MemoryMB = max(r.MemoryMB*step/parts, min(r.MemoryMB, 10))
				}
			}
		})
	}
	step, places, err := s.most(parts-1, change)
	if err != nil || step == 0 {
		return err
	}
	percent := 100 * step / parts
	s.add(1-float64(step)/parts, places, api.PlacementSuggestion{
		Kind: api.SuggestResources, Object: "cpu and memory", From: "100%", To: fmt.Sprintf("%d%%", percent),
		Text: fmt.Sprintf("ask for %d%% of the cpu and memory in every task", percent),
	})
	return nil
}
