package api

// NotBuilt names the blocks of a job without which it could not do its work
// and that do not exist yet. A job with one of them is refused.
func (j *Job) NotBuilt() Problems {
	v := &validator{job: j}
	at := spot{}
	v.missing(j.Multiregion != nil, at.field("Multiregion", "multiregion"))
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
	for _, name := range sortedKeys(g.Volumes) {
		v.volumeMissing(at.field("Volumes", "volume").key(name), g.Volumes[name])
	}
	v.missing(g.Consul != nil, at.field("Consul", "consul"))
	v.connectMissing(at, g.Services)
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i)
		v.taskMissing(p.in("task", t.Name), t)
	}
}

// volumeMissing names what a volume asks for beyond a directory that the operator
// has given a name.
func (v *validator) volumeMissing(at spot, r *VolumeRequest) {
	if r == nil {
		return
	}
	switch r.Type {
	case "csi":
		v.addf(at.field("Type", "type"), "\"csi\" is not supported yet, and the job could not work without it: use a \"host\" volume, or wait for a version that has it")
	case "host":
		v.missing(r.Sticky, at.field("Sticky", "sticky"))
	}
}

func (v *validator) connectMissing(at spot, services []*Service) {
	for i, s := range services {
		v.missing(s.Connect != nil, at.field("Services", "service").index(i).field("Connect", "connect"))
	}
}

func (v *validator) taskMissing(at spot, t *Task) {
	for i, id := range append([]*WorkloadIdentity{t.Identity}, t.Identities...) {
		p := at.field("Identity", "identity")
		if i > 0 {
			p = at.field("Identities", "identity").index(i - 1)
		}
		v.missing(id != nil && len(id.ExtraClaims) > 0, p.field("ExtraClaims", "extra_claims"))
	}
	for i := range t.Secrets {
		v.missing(true, at.field("Secrets", "secret").index(i))
	}
	v.missing(t.CSIPluginConfig != nil, at.field("CSIPluginConfig", "csi_plugin"))
	v.missing(t.Vault != nil, at.field("Vault", "vault"))
	v.missing(t.Consul != nil, at.field("Consul", "consul"))
	v.missing(t.Schedule != nil, at.field("Schedule", "schedule"))
	v.connectMissing(at, t.Services)
	if r := t.Resources; r != nil {
		p := at.field("Resources", "resources")
		v.missing(r.NUMA != nil && len(r.NUMA.Devices) > 0, p.field("NUMA", "numa").field("Devices", "devices"))
	}
}
