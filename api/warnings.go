package api

import "strings"

// Warnings names the blocks of a job that are stored and shown and have no
// effect yet, and settings that old job files have and that do nothing. Blocks
// that only have default values, or what they inherit, are not named.
func (j *Job) Warnings() []string {
	v := &validator{job: j}
	at := spot{}
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

func (v *validator) groupIdle(at spot, g *TaskGroup) {
	v.idle(g.Scaling != nil, at.field("Scaling", "scaling"), "nothing changes the count by itself")
	if u := g.Update; u != nil && v.job.Type == JobTypeService {
		v.legacy(u.Stagger > 0 && u.Stagger != updateDefaults().Stagger, at.field("Update", "update").field("Stagger", "stagger"), "it is for system jobs; write min_healthy_time for the pace of a service")
	}
	v.servicesIdle(at, g.Services)
	for i, n := range g.Networks {
		p := at.field("Networks", "network").index(i)
		v.networkIdle(p, n, g)
	}
	v.old(g.StopAfterClientDisconnect != 0, at.field("StopAfterClientDisconnect", "stop_after_client_disconnect"), "stop_on_client_after = …")
	v.old(g.MaxClientDisconnect != 0, at.field("MaxClientDisconnect", "max_client_disconnect"), "lost_after = …")
	v.old(g.PreventRescheduleOnLost, at.field("PreventRescheduleOnLost", "prevent_reschedule_on_lost"), "replace = false")
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i)
		v.taskIdle(p.in("task", t.Name), t)
	}
}

// networkIdle names what a network's mode, or a driver that shows its tasks the
// node's own files, leaves without effect.
func (v *validator) networkIdle(at spot, n *NetworkResource, g *TaskGroup) {
	v.unused(n.Hostname != "" && !n.OwnNamespace(), at.field("Hostname", "hostname"), "with network mode host tasks have the host name of their node")
	v.unused(n.CNI != nil && !strings.HasPrefix(n.Mode, cniMode), at.field("CNI", "cni"), "it is for network mode cni/NAME")
	for _, t := range g.Tasks {
		v.unused(n.DNS != nil && t.Driver == "raw_exec", at.field("DNS", "dns"), "task \""+clip(t.Name)+"\" sees the files of its node, as all of raw_exec do, and so its resolver")
	}
}

// unused names what has no effect beside something else of the job.
func (v *validator) unused(present bool, at spot, why string) {
	if present {
		v.addf(at, "has no effect: %s", why)
	}
}

// old names a setting that still works, and the argument of the disconnect block
// as which it is read.
func (v *validator) old(present bool, at spot, instead string) {
	if present {
		v.addf(at, "is an old setting: write disconnect { %s }", instead)
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
	for i, id := range t.Identities {
		if len(id.Audience) == 0 {
			v.addf(at.field("Identities", "identity").index(i).field("Audience", "aud"), "is empty, so that whoever takes tokens of this cluster takes the one of identity %q, and serai itself does not: name whom it is for", clip(id.Name))
		}
	}
	v.idle(len(t.ScalingPolicies) > 0, at.field("ScalingPolicies", "scaling"), "nothing changes the resources by itself")
	v.servicesIdle(at, t.Services)
	if r := t.Resources; r != nil {
		p := at.field("Resources", "resources")
		v.legacy(r.Cores == 0 && r.NUMA != nil && r.NUMA.Affinity != "none", p.field("NUMA", "numa"), "it is about whole cores, and the task asks for none; write cores in place of cpu")
		v.legacy(r.IOPS != 0, p.field("IOPS", "iops"), "it was never enforced")
	}
}
