package taskenv

import (
	"maps"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// Dirs are an allocation's directories as the task itself sees them.
type Dirs struct {
	Alloc   string // shared by the group's tasks
	Local   string
	Secrets string
}

// Input is what an environment is made from. All of it is only read.
type Input struct {
	Region  string
	Node    *api.Node
	Alloc   *api.Allocation
	Task    *api.Task
	Dirs    Dirs
	Network *api.AllocNetworkStatus // nil with the host's network
	// Extra are variables that set-up steps add; they win over all others.
	Extra map[string]string
}

// Env is a task's environment, and what ${…} stands for.
type Env struct {
	vars  map[string]string
	facts map[string]string // node.*, attr.*, meta.*
}

// New makes the environment.
func New(in Input) *Env {
	e := &Env{vars: map[string]string{}, facts: Facts(in.Node, in.Region)}
	e.identity(in)
	e.directories(in.Dirs)
	e.resources(in)
	e.ports(in)
	e.legacyPorts(in)
	e.meta(in)
	// The task's own variables may refer to all of the above, and not to each other.
	own := make(map[string]string, len(in.Task.Env))
	for k, v := range in.Task.Env {
		own[Name(e.Replace(k))] = e.Replace(v)
	}
	maps.Copy(e.vars, own)
	maps.Copy(e.vars, in.Extra)
	return e
}

// Map gives the variables; the caller may change it.
func (e *Env) Map() map[string]string { return maps.Clone(e.vars) }

// All gives the variables, and beside them what else ${…} stands for by its name: "node.unique.name", "attr.kernel.name", "meta.rack". The caller may
// change it.
func (e *Env) All() map[string]string {
	all := maps.Clone(e.facts)
	maps.Copy(all, e.vars)
	return all
}

// With gives an environment that differs in these variables.
func (e *Env) With(vars map[string]string) *Env {
	other := &Env{vars: maps.Clone(e.vars), facts: e.facts}
	maps.Copy(other.vars, vars)
	return other
}

// Facts gives what ${node.…}, ${attr.…} and ${meta.…} stand for on a node.
func Facts(n *api.Node, region string) map[string]string {
	facts := make(map[string]string, len(n.Attributes)+len(n.Meta)+8)
	for k, v := range n.Attributes {
		facts["attr."+k] = v
	}
	for k, v := range n.Meta {
		facts["meta."+k] = v
	}
	facts["node.unique.id"] = n.ID
	facts["node.unique.name"] = n.Name
	facts["node.datacenter"] = n.Datacenter
	facts["node.region"] = region
	facts["node.class"] = n.NodeClass
	facts["node.pool"] = n.NodePool
	return facts
}

// Name makes a valid variable name: what is not a letter, a digit, "_" or "."
// becomes "_".
func Name(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		}
		return '_'
	}, s)
}

func (e *Env) set(name, value string) {
	if value != "" {
		e.vars["NOMAD_"+name] = value
	}
}

func (e *Env) identity(in Input) {
	a := in.Alloc
	e.set("ALLOC_ID", a.ID)
	e.set("SHORT_ALLOC_ID", a.ID[:min(8, len(a.ID))])
	e.set("ALLOC_NAME", a.Name)
	if i := Index(a.Name); i >= 0 {
		e.set("ALLOC_INDEX", strconv.Itoa(i))
	}
	e.set("TASK_NAME", in.Task.Name)
	e.set("GROUP_NAME", a.TaskGroup)
	e.set("JOB_ID", a.JobID)
	e.set("JOB_NAME", a.Job.Name)
	e.set("JOB_PARENT_ID", a.Job.ParentID)
	e.set("NAMESPACE", a.Namespace)
	e.set("REGION", in.Region)
	e.set("DC", in.Node.Datacenter)
	e.set("PARENT_CGROUP", in.Node.CgroupParent)
}

// Index gives the number at the end of an allocation's name, web.cache[3]; -1
// when there is none.
func Index(name string) int {
	open := strings.LastIndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return -1
	}
	i, err := strconv.Atoi(name[open+1 : len(name)-1])
	if err != nil {
		return -1
	}
	return i
}

func (e *Env) directories(d Dirs) {
	e.set("ALLOC_DIR", d.Alloc)
	e.set("TASK_DIR", d.Local)
	e.set("SECRETS_DIR", d.Secrets)
	if d.Secrets != "" {
		e.set("UNIX_ADDR", "unix://"+d.Secrets+"/api.sock")
	}
}

func (e *Env) resources(in Input) {
	if in.Alloc.AllocatedResources == nil {
		return
	}
	r := in.Alloc.AllocatedResources.Tasks[in.Task.Name]
	if r == nil {
		return
	}
	e.set("CPU_LIMIT", strconv.FormatInt(r.Cpu.CpuShares, 10))
	e.set("CPU_CORES", Cores(r.Cpu.ReservedCores))
	e.set("MEMORY_LIMIT", strconv.FormatInt(r.Memory.MemoryMB, 10))
	if r.Memory.MemoryMaxMB > 0 {
		e.set("MEMORY_MAX_LIMIT", strconv.FormatInt(r.Memory.MemoryMaxMB, 10))
	}
}

// meta sets the metadata of job, group and task, the nearer winning: as written
// and in upper case.
func (e *Env) meta(in Input) {
	merged := maps.Clone(in.Alloc.Job.Meta)
	if merged == nil {
		merged = map[string]string{}
	}
	if g := in.Alloc.Job.LookupTaskGroup(in.Alloc.TaskGroup); g != nil {
		maps.Copy(merged, g.Meta)
	}
	maps.Copy(merged, in.Task.Meta)
	for k, v := range merged {
		v = e.Replace(v)
		e.vars["NOMAD_META_"+Name(k)] = v
		e.vars["NOMAD_META_"+strings.ToUpper(Name(k))] = v
	}
}
