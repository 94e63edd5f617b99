package endpoint

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/state"
)

// viewed is what admission needs of a Read or a Write.
type viewed interface {
	SchedulerConfig() *api.SchedulerConfiguration
	NodePool(name string) (*api.NodePool, bool)
}

func (w *Write) view() (*state.View, string) { return w.View, w.Namespace }
func (r *Read) view() (*state.View, string)  { return r.View, r.Namespace }

// admit makes a job that was submitted ready to be stored, or says all that is
// wrong with it. The job is the caller's own.
func (e *Endpoints) admit(at interface {
	view() (*state.View, string)
}, job *api.Job) (*api.Job, []string, error) {
	if job == nil {
		return nil, nil, api.Errorf(api.ErrInvalid, "Job must be specified")
	}
	v, namespace := at.view()
	if err := e.place(job, namespace); err != nil {
		return nil, nil, err
	}
	clearServerFields(job)
	problems := job.Validate(api.ValidateLimits{MaxPriority: e.Limits.JobMaxPriority, MaxCount: e.Limits.JobMaxCount})
	problems = append(problems, job.NotBuilt()...)
	problems = append(problems, e.allowed(v, job)...)
	problems = append(problems, e.driverConfigs(job)...)
	if err := problems.Err(); err != nil {
		return nil, nil, err
	}
	return job, append(job.Warnings(), e.oversubscription(v, job)...), nil
}

// place settles the job's region and namespace. A namespace in the query and
// another one in the job contradict each other: neither is taken.
func (e *Endpoints) place(job *api.Job, namespace string) error {
	if job.Region == "" || job.Region == api.DefaultRegion {
		job.Region = e.Region
	}
	if err := e.region(job.Region); err != nil {
		return err
	}
	if job.Namespace == "" || job.Namespace == api.DefaultNamespace {
		job.Namespace = namespace
	}
	if namespace != api.DefaultNamespace && job.Namespace != namespace {
		return api.Errorf(api.ErrInvalid, "the job is in namespace %q and the request in namespace %q; let them agree", job.Namespace, namespace)
	}
	return nil
}

// clearServerFields drops what only the servers may say of a job.
func clearServerFields(job *api.Job) {
	job.ParentID, job.Dispatched, job.DispatchIdempotencyToken, job.Payload = "", false, "", nil
	job.Status, job.StatusDescription, job.NomadTokenID = "", "", ""
	job.Stable, job.Version, job.VersionTag = false, 0, nil
	job.CreateIndex, job.ModifyIndex, job.JobModifyIndex = 0, 0, 0
}

// allowed checks what the job's namespace and pool permit.
func (e *Endpoints) allowed(v *state.View, job *api.Job) api.Problems {
	var out api.Problems
	ns, ok := v.Namespace(job.Namespace)
	if !ok {
		return api.Problems{{Path: "Namespace", Text: fmt.Sprintf("job %q is in nonexistent namespace %q", job.ID, job.Namespace)}}
	}
	if _, ok := v.NodePool(job.NodePool); !ok && job.NodePool != "" {
		out = append(out, api.Problem{Path: "NodePool", Text: fmt.Sprintf("job %q is in nonexistent node pool %q", job.ID, job.NodePool)})
	}
	c := ns.Capabilities
	if c == nil {
		return out
	}
	for gi, g := range job.TaskGroups {
		for _, n := range g.Networks {
			if !permitted(modeOf(n), c.EnabledNetworkModes, c.DisabledNetworkModes) {
				out = append(out, api.Problem{Path: fmt.Sprintf("TaskGroups[%d].Networks", gi),
					Text: fmt.Sprintf("group %q: network mode %q is not allowed in namespace %q", g.Name, modeOf(n), ns.Name)})
			}
		}
		for ti, t := range g.Tasks {
			if !permitted(t.Driver, c.EnabledTaskDrivers, c.DisabledTaskDrivers) {
				out = append(out, api.Problem{Path: fmt.Sprintf("TaskGroups[%d].Tasks[%d].Driver", gi, ti),
					Text: fmt.Sprintf("group %q: task %q: driver %q is not allowed in namespace %q", g.Name, t.Name, t.Driver, ns.Name)})
			}
		}
	}
	return out
}

func modeOf(n *api.NetworkResource) string {
	if n.Mode == "" {
		return "host"
	}
	return n.Mode
}

func permitted(name string, enabled, disabled []string) bool {
	if slices.Contains(disabled, name) {
		return false
	}
	return len(enabled) == 0 || slices.Contains(enabled, name)
}

// driverConfigs checks the tasks' configurations against the schemas of the
// drivers that are built in. Values that are only known on the node are left.
func (e *Endpoints) driverConfigs(job *api.Job) api.Problems {
	if e.Drivers == nil {
		return nil
	}
	var out api.Problems
	for gi, g := range job.TaskGroups {
		for ti, t := range g.Tasks {
			if _, err := e.Drivers(t.Driver, t.Config); err != nil {
				out = append(out, api.Problem{Path: fmt.Sprintf("TaskGroups[%d].Tasks[%d].Config", gi, ti),
					Text: fmt.Sprintf("group %q: task %q: %v", g.Name, t.Name, err)})
			}
		}
	}
	return out
}

// oversubscription tells of tasks whose memory_max has no effect.
func (e *Endpoints) oversubscription(v viewed, job *api.Job) []string {
	on := v.SchedulerConfig().MemoryOversubscriptionEnabled
	if p, ok := v.NodePool(job.NodePool); ok && p.SchedulerConfiguration != nil && p.SchedulerConfiguration.MemoryOversubscriptionEnabled != nil {
		on = *p.SchedulerConfiguration.MemoryOversubscriptionEnabled
	}
	if on {
		return nil
	}
	var tasks []string
	for _, g := range job.TaskGroups {
		for _, t := range g.Tasks {
			if t.Resources != nil && t.Resources.MemoryMaxMB > 0 && t.Resources.MemoryMaxMB != t.Resources.MemoryMB {
				tasks = append(tasks, g.Name+"/"+t.Name)
			}
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	sort.Strings(tasks)
	return []string{"Memory oversubscription is not enabled; the memory_max of these tasks is ignored: " + strings.Join(tasks, ", ")}
}
