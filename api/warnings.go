package api

// Warnings names the blocks of a job that are stored and shown and have no
// effect yet, and settings that old job files have and that do nothing. Blocks
// that only have default values, or what they inherit, are not named.
func (j *Job) Warnings() []string {
	v := &validator{job: j}
	at := spot{}
	v.idle(!sameOrNil(j.Update, DefaultUpdate(j.Type)), at.field("Update", "update"), "a new version replaces the old one without rolling, canaries or health")
	v.idle(!sameOrNil(j.Reschedule, DefaultReschedule(j.Type)), at.field("Reschedule", "reschedule"), "an allocation that failed for good is not placed anew")
	v.idle(!sameOrNil(j.Migrate, DefaultMigrate(j.Type)), at.field("Migrate", "migrate"), "nodes cannot be drained")
	v.idle(len(j.Affinities) > 0, at.field("Affinities", "affinity"), "every node that fits is equally good")
	v.idle(len(j.Spreads) > 0, at.field("Spreads", "spread"), "every node that fits is equally good")
	v.idle(j.VaultNamespace != "", at.field("VaultNamespace", "vault_namespace"), "there is no Vault integration")
	v.idle(j.ConsulNamespace != "", at.field("ConsulNamespace", "consul_namespace"), "there is no Consul integration")
	for i, g := range j.TaskGroups {
		p := at.field("TaskGroups", "").index(i)
		v.groupIdle(p.in("group", g.Name), g)
	}
	out := make([]string, len(v.problems))
	for i, p := range v.problems {
		out[i] = p.Text
	}
	return out
}

func (v *validator) idle(present bool, at spot, consequence string) {
	if present {
		v.addf(at, "has no effect yet: %s", consequence)
	}
}

// sameOrNil says whether an optional block is absent, empty or equal to another.
func sameOrNil[T comparable](a, b *T) bool {
	var zero T
	return a == nil || *a == zero || same(a, b)
}

// inherited says whether a group's block is that of its job or the default.
func inherited[T comparable](own, job, def *T) bool {
	return sameOrNil(own, def) || same(own, job)
}

func (v *validator) groupIdle(at spot, g *TaskGroup) {
	j := v.job
	v.idle(!inherited(g.Update, j.Update, DefaultUpdate(j.Type)), at.field("Update", "update"), "a new version replaces the old one without rolling, canaries or health")
	v.idle(!inherited(g.ReschedulePolicy, j.Reschedule, DefaultReschedule(j.Type)), at.field("ReschedulePolicy", "reschedule"), "an allocation that failed for good is not placed anew")
	v.idle(!inherited(g.Migrate, j.Migrate, DefaultMigrate(j.Type)), at.field("Migrate", "migrate"), "nodes cannot be drained")
	v.idle(len(g.Affinities) > 0, at.field("Affinities", "affinity"), "every node that fits is equally good")
	v.idle(len(g.Spreads) > 0, at.field("Spreads", "spread"), "every node that fits is equally good")
	v.idle(g.Scaling != nil, at.field("Scaling", "scaling"), "nothing changes the count by itself")
	v.idle(g.Disconnect != nil, at.field("Disconnect", "disconnect"), "allocations of a node that is out of reach are lost")
	v.idle(g.EphemeralDisk != nil && (g.EphemeralDisk.Sticky || g.EphemeralDisk.Migrate), at.field("EphemeralDisk", "ephemeral_disk"), "data do not follow an allocation to its successor")
	v.servicesIdle(at, g.Services)
	for i, n := range g.Networks {
		p := at.field("Networks", "network").index(i)
		v.idle(n.DNS != nil, p.field("DNS", "dns"), "tasks use the resolver of their node")
		v.idle(n.Hostname != "", p.field("Hostname", "hostname"), "tasks have the host name of their node")
		v.idle(n.CNI != nil, p.field("CNI", "cni"), "there are no CNI networks")
	}
	v.legacy(g.StopAfterClientDisconnect != 0, at.field("StopAfterClientDisconnect", "stop_after_client_disconnect"), "write disconnect { stop_on_client_after = … }")
	v.legacy(g.MaxClientDisconnect != 0, at.field("MaxClientDisconnect", "max_client_disconnect"), "write disconnect { lost_after = … }")
	v.legacy(g.PreventRescheduleOnLost, at.field("PreventRescheduleOnLost", "prevent_reschedule_on_lost"), "write disconnect { replace = false }")
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i)
		v.taskIdle(p.in("task", t.Name), t)
	}
}

// legacy names a setting that has been replaced for good.
func (v *validator) legacy(present bool, at spot, instead string) {
	if present {
		v.addf(at, "is ignored: %s", instead)
	}
}

func (v *validator) servicesIdle(at spot, services []*Service) {
	for i, s := range services {
		p := at.field("Services", "service").index(i)
		p.name += " \"" + clip(s.Name) + "\""
		v.idle(true, p, "it is registered nowhere and its checks do not run")
	}
}

func (v *validator) taskIdle(at spot, t *Task) {
	v.idle(len(t.Affinities) > 0, at.field("Affinities", "affinity"), "every node that fits is equally good")
	v.idle(t.Identity != nil && (t.Identity.Env || t.Identity.File) || len(t.Identities) > 0, at.field("Identities", "identity"), "the task gets no token")
	v.idle(len(t.Actions) > 0, at.field("Actions", "action"), "there is no command to run it")
	v.idle(len(t.ScalingPolicies) > 0, at.field("ScalingPolicies", "scaling"), "nothing changes the resources by itself")
	v.servicesIdle(at, t.Services)
	if r := t.Resources; r != nil {
		p := at.field("Resources", "resources")
		v.idle(r.NUMA != nil && r.NUMA.Affinity == "prefer", p.field("NUMA", "numa"), "cores are not pinned")
		v.legacy(r.IOPS != 0, p.field("IOPS", "iops"), "it was never enforced")
	}
}
