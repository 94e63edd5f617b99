package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/scheduler/feasible"
	"github.com/seraihq/serai/scheduler/sim"
)

// maxSimAllocations bounds the allocations that jobs given to a simulation ask for.
const maxSimAllocations = 10_000_000

// simEdits are the edits of a simulation as they were given.
type simEdits struct {
	lose, loseNode, add, jobs, scale, config []string
}

func (o *simEdits) define(f *cli.Flags) {
	f.Strings(&o.lose, "lose", "<selector>", "Lose the nodes that a selector chooses: property=value, several joined by commas, \"*\" for any text. Properties: id, name, datacenter, class, pool, status, attr.NAME, meta.NAME.")
	f.Strings(&o.loseNode, "lose-node", "<node>", "Lose a node, by its name or the beginning of its ID.")
	f.Strings(&o.add, "add", "<count>*<selector>", "Add nodes like the first one that a selector chooses.")
	f.Strings(&o.jobs, "job", "<path>[*<copies>]", "Run a job, or several copies of it.")
	f.Strings(&o.scale, "scale", "<job>/<group>=<count>", "Change the count of a group.")
	f.Strings(&o.config, "set-config", "<name>=<value>", "Change the scheduler's configuration: scheduler_algorithm=binpack|spread, memory_oversubscription_enabled=true|false, preempt=TYPE,…|all|none.")
}

// read makes the edits for a world. Jobs are counted against the bound.
func (o *simEdits) read(ctx context.Context, inv *cli.Invocation, s *simulation) (sim.Edits, error) {
	var e sim.Edits
	for _, step := range []func(*sim.Edits) error{
		func(e *sim.Edits) error { return o.readConfig(e, s.world) },
		func(e *sim.Edits) error { return o.readAdd(e, s.world) },
		func(e *sim.Edits) error { return o.readLose(e, s.world) },
		func(e *sim.Edits) error { return o.readScale(e, s) },
		func(e *sim.Edits) error {
			for _, text := range o.jobs {
				jobs, err := s.copies(ctx, inv, text)
				if err != nil {
					return err
				}
				e.Jobs = append(e.Jobs, jobs...)
			}
			return nil
		},
	} {
		if err := step(&e); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (o *simEdits) readLose(e *sim.Edits, w *sim.World) error {
	take := func(flag, text string, nodes []*api.Node) error {
		if len(nodes) == 0 {
			return fmt.Errorf("-%s %q: there is no such node", flag, text)
		}
		for _, n := range nodes {
			if !slices.Contains(e.Lose, n) {
				e.Lose = append(e.Lose, n)
			}
		}
		return nil
	}
	for _, text := range o.lose {
		s, err := sim.ParseSelector(text)
		if err != nil {
			return cli.Usagef("-lose: %v", err)
		}
		if err := take("lose", text, s.Nodes(w)); err != nil {
			return err
		}
	}
	for _, text := range o.loseNode {
		nodes := w.Nodes(func(n *api.Node) bool { return n.Name == text || n.ID == text })
		if len(nodes) == 0 {
			nodes = w.Nodes(func(n *api.Node) bool { return strings.HasPrefix(n.ID, text) })
		}
		if len(nodes) > 1 {
			return fmt.Errorf("-lose-node %q fits %d nodes; give more of it", text, len(nodes))
		}
		if err := take("lose-node", text, nodes); err != nil {
			return err
		}
	}
	return nil
}

func (o *simEdits) readAdd(e *sim.Edits, w *sim.World) error {
	for at, text := range o.add {
		number, selector, ok := strings.Cut(text, "*")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil || n < 1 || n > maxSimNodes {
			return cli.Usagef("-add %q: write it as count*selector, such as 3*class=web, with a count from 1 to %d", text, maxSimNodes)
		}
		s, err := sim.ParseSelector(selector)
		if err != nil {
			return cli.Usagef("-add: %v", err)
		}
		like := s.Nodes(w)
		if len(like) == 0 {
			return fmt.Errorf("-add %q: there is no node to be like", text)
		}
		for i := range n {
			c := *like[0]
			c.ID, c.Name = fmt.Sprintf("added-%d-%d", at+1, i+1), fmt.Sprintf("%s+%d", like[0].Name, i+1)
			c.Status, c.SchedulingEligibility, c.DrainStrategy, c.Drain = api.NodeStatusReady, api.NodeEligible, nil, false
			c.ComputedClass = feasible.ComputedClass(&c)
			e.Add = append(e.Add, &c)
		}
	}
	return nil
}

func (o *simEdits) readScale(e *sim.Edits, s *simulation) error {
	for _, text := range o.scale {
		names, number, ok := strings.Cut(text, "=")
		at := strings.LastIndexByte(names, '/')
		n, err := strconv.Atoi(number)
		if !ok || at < 1 || err != nil || n < 0 {
			return cli.Usagef("-scale %q: write it as job/group=count", text)
		}
		id, group := names[:at], names[at+1:]
		job, err := s.find(id)
		if err != nil {
			return fmt.Errorf("-scale %q: %w", text, err)
		}
		if i := slices.IndexFunc(e.Jobs, func(j *api.Job) bool { return j.NamespacedID() == job.NamespacedID() }); i >= 0 {
			job, e.Jobs = e.Jobs[i], slices.Delete(e.Jobs, i, i+1)
		}
		c := api.Clone(job)
		g := c.LookupTaskGroup(group)
		if g == nil {
			return fmt.Errorf("-scale %q: job %q has no group %q", text, id, group)
		}
		if err := s.charge(n - g.Count); err != nil {
			return err
		}
		g.Count = n
		e.Jobs = append(e.Jobs, c)
	}
	return nil
}

func (o *simEdits) readConfig(e *sim.Edits, w *sim.World) error {
	if len(o.config) == 0 {
		return nil
	}
	c := *w.SchedulerConfig()
	for _, text := range o.config {
		name, value, _ := strings.Cut(text, "=")
		if err := setSimConfig(&c, name, value); err != nil {
			return cli.Usagef("-set-config %q: %v", text, err)
		}
	}
	e.Config = &c
	return nil
}

func setSimConfig(c *api.SchedulerConfiguration, name, value string) error {
	switch name {
	case "scheduler_algorithm":
		if value != api.SchedulerBinpack && value != api.SchedulerSpread {
			return fmt.Errorf("it is %s or %s", api.SchedulerBinpack, api.SchedulerSpread)
		}
		c.SchedulerAlgorithm = value
	case "memory_oversubscription_enabled":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("it is true or false")
		}
		c.MemoryOversubscriptionEnabled = on
	case "preempt":
		return setPreempt(&c.PreemptionConfig, value)
	default:
		return fmt.Errorf("there are scheduler_algorithm, memory_oversubscription_enabled and preempt")
	}
	return nil
}

func setPreempt(p *api.PreemptionConfig, value string) error {
	*p = api.PreemptionConfig{}
	switches := map[string]*bool{
		api.JobTypeService: &p.ServiceSchedulerEnabled, api.JobTypeBatch: &p.BatchSchedulerEnabled,
		api.JobTypeSystem: &p.SystemSchedulerEnabled, api.JobTypeSysbatch: &p.SysBatchSchedulerEnabled,
	}
	for kind := range strings.SplitSeq(value, ",") {
		switch on := switches[kind]; {
		case on != nil:
			*on = true
		case kind == "all":
			for _, on := range switches {
				*on = true
			}
		case kind == "none":
		default:
			return fmt.Errorf("%q is no type of job; there are service, batch, system, sysbatch, all and none", kind)
		}
	}
	return nil
}
