package api

import "strings"

// NotBuilt names the blocks of a job without which it could not do its work
// and that do not exist yet. A job with one of them is refused.
func (j *Job) NotBuilt() Problems {
	v := &validator{job: j}
	at := spot{}
	v.missing(j.Multiregion != nil, at.field("Multiregion", "multiregion"))
	v.missing(j.Periodic != nil, at.field("Periodic", "periodic"))
	v.missing(j.ParameterizedJob != nil, at.field("ParameterizedJob", "parameterized"))
	for i, g := range j.TaskGroups {
		p := at.field("TaskGroups", "").index(i)
		v.groupMissing(p.in("group", g.Name), g)
	}
	return v.problems
}

// missing reports a block that a job has and that is not there yet.
func (v *validator) missing(present bool, at spot) {
	if present {
		v.addf(at, "is not supported yet, and the job could not work without it: remove the block, or wait for a version that has it")
	}
}

func (v *validator) groupMissing(at spot, g *TaskGroup) {
	for i, n := range g.Networks {
		v.networkMissing(at.field("Networks", "network").index(i), n)
	}
	for _, name := range sortedKeys(g.Volumes) {
		v.missing(true, at.field("Volumes", "volume").key(name))
	}
	v.missing(g.Consul != nil, at.field("Consul", "consul"))
	v.connectMissing(at, g.Services)
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i)
		v.taskMissing(p.in("task", t.Name), t)
	}
}

func (v *validator) networkMissing(at spot, n *NetworkResource) {
	if n.Mode == "bridge" || strings.HasPrefix(n.Mode, "cni/") {
		v.addf(at.field("Mode", "mode"), "%q is not supported yet, and the job could not work without it: use \"host\", or wait for a version that has it", clip(n.Mode))
	}
}

func (v *validator) connectMissing(at spot, services []*Service) {
	for i, s := range services {
		v.missing(s.Connect != nil, at.field("Services", "service").index(i).field("Connect", "connect"))
	}
}

func (v *validator) taskMissing(at spot, t *Task) {
	for i := range t.Artifacts {
		v.missing(true, at.field("Artifacts", "artifact").index(i))
	}
	for i := range t.Templates {
		v.missing(true, at.field("Templates", "template").index(i))
	}
	for i := range t.VolumeMounts {
		v.missing(true, at.field("VolumeMounts", "volume_mount").index(i))
	}
	for i := range t.Secrets {
		v.missing(true, at.field("Secrets", "secret").index(i))
	}
	v.missing(t.CSIPluginConfig != nil, at.field("CSIPluginConfig", "csi_plugin"))
	v.missing(t.Vault != nil, at.field("Vault", "vault"))
	v.missing(t.Consul != nil, at.field("Consul", "consul"))
	v.missing(t.Schedule != nil, at.field("Schedule", "schedule"))
	v.missing(t.DispatchPayload != nil, at.field("DispatchPayload", "dispatch_payload"))
	v.connectMissing(at, t.Services)
	if r := t.Resources; r != nil {
		p := at.field("Resources", "resources")
		for i := range r.Devices {
			v.missing(true, p.field("Devices", "device").index(i))
		}
		v.missing(r.Cores > 0, p.field("Cores", "cores"))
		v.missing(r.NUMA != nil && r.NUMA.Affinity == "require", p.field("NUMA", "numa"))
		for i, n := range r.Networks {
			v.networkMissing(p.field("Networks", "network").index(i), n)
		}
	}
}
