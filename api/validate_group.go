package api

// groups checks the groups of the job.
func (v *validator) groups(at spot) {
	j := v.job
	if len(j.TaskGroups) == 0 {
		v.addf(at.field("TaskGroups", "group"), "is missing: a job needs at least one group with a task")
	}
	total, seen := 0, map[string]bool{}
	for i, g := range j.TaskGroups {
		p := at.field("TaskGroups", "").index(i)
		p = p.in("group", g.Name)
		if seen[g.Name] {
			v.addf(p, "appears twice: give each group its own name")
		}
		seen[g.Name] = true
		v.group(p, g)
		if g.Count > 0 {
			total = min(total+g.Count, 1<<40)
		}
	}
	if total > v.limits.MaxCount {
		v.addf(at.field("TaskGroups", "count"), "of all groups together is %d; at most %d are allowed", total, v.limits.MaxCount)
	}
}

func (v *validator) group(at spot, g *TaskGroup) {
	v.name(at.field("Name", "name"), "group", g.Name)
	notNegative(v, at.field("Count", "count"), g.Count)
	if v.isType(JobTypeSystem, JobTypeSysbatch) {
		if g.Count > 1 {
			v.addf(at.field("Count", "count"), "must be 1 or 0 in a %s job, which runs once on every node that fits, not %d", v.job.Type, g.Count)
		}
		v.noPreferences(at, g.Affinities, g.Spreads)
	}
	v.constraints(at, g.Constraints, false)
	v.affinities(at, g.Affinities)
	v.spreads(at, g.Spreads)
	v.meta(at, g.Meta)
	v.groupPolicies(at, g)
	ports := v.networks(at, g)
	v.volumes(at, g)
	v.tasks(at, g)
	v.services(at, g, ports)
}

func (v *validator) groupPolicies(at spot, g *TaskGroup) {
	v.restart(at.field("RestartPolicy", "restart"), g.RestartPolicy)
	v.disconnect(at.field("Disconnect", "disconnect"), g.Disconnect)
	v.oldDisconnect(at, g)
	v.scaling(at.field("Scaling", "scaling"), g.Scaling, g.Count)
	if d := g.EphemeralDisk; d != nil && (d.SizeMB < minDiskMB || d.SizeMB > maxMegabytes) {
		v.addf(at.field("EphemeralDisk", "ephemeral_disk").field("SizeMB", "size"), "must be from %d to %d MB, not %d", minDiskMB, maxMegabytes, d.SizeMB)
	}
	if !contains(jobTypes, v.job.Type) {
		return // what follows depends on it
	}
	// What a group has from its job is reported there.
	if !same(g.Update, v.job.Update) {
		v.update(at.field("Update", "update"), g.Update)
	}
	if !same(g.ReschedulePolicy, v.job.Reschedule) {
		v.reschedule(at.field("ReschedulePolicy", "reschedule"), g.ReschedulePolicy)
	}
	if !same(g.Migrate, v.job.Migrate) {
		v.migrate(at.field("Migrate", "migrate"), g.Migrate)
	}
	notNegative(v, at.field("ShutdownDelay", "shutdown_delay"), g.ShutdownDelay)
	if notNegative(v, at.field("MaxRunDuration", "max_run_duration"), g.MaxRunDuration) && g.MaxRunDuration > 0 &&
		!v.isType(JobTypeBatch, JobTypeSysbatch) {
		v.addf(at.field("MaxRunDuration", "max_run_duration"), "works only in batch and sysbatch jobs, not in a %s job", v.job.Type)
	}
}

// same says whether two optional blocks have the same content.
func same[T comparable](a, b *T) bool { return a != nil && b != nil && *a == *b }

func (v *validator) tasks(at spot, g *TaskGroup) {
	if len(g.Tasks) == 0 {
		v.addf(at.field("Tasks", "task"), "is missing: a group needs at least one task")
		return
	}
	seen := map[string]bool{}
	mains, leaders := 0, 0
	for i, t := range g.Tasks {
		p := at.field("Tasks", "").index(i)
		p = p.in("task", t.Name)
		if seen[t.Name] {
			v.addf(p, "appears twice: give each task of a group its own name")
		}
		seen[t.Name] = true
		if t.IsMain() {
			mains++
		}
		if t.Leader {
			leaders++
		}
		v.task(p, g, t)
	}
	if mains == 0 {
		v.addf(at.field("Tasks", "task"), "needs at least one without a lifecycle block: prestart, poststart and poststop tasks serve a main task")
	}
	if leaders > 1 {
		v.addf(at.field("Tasks", "task"), "has %d leaders; at most one task of a group can be the leader", leaders)
	}
}

func (v *validator) volumes(at spot, g *TaskGroup) {
	for _, name := range sortedKeys(g.Volumes) {
		vol := g.Volumes[name]
		p := at.field("Volumes", "volume").key(name)
		if vol == nil {
			v.addf(p, "is empty")
			continue
		}
		v.oneOf(p.field("Type", "type"), vol.Type, "host", "csi")
		if vol.Source == "" {
			v.addf(p.field("Source", "source"), "must be set: it names the volume")
		}
		if vol.PerAlloc && (vol.Sticky || v.isType(JobTypeSystem, JobTypeSysbatch) || g.Update != nil && g.Update.Canary > 0) {
			v.addf(p.field("PerAlloc", "per_alloc"), "does not go together with sticky, canary or a system job")
		}
		if vol.Type == "csi" {
			v.oneOf(p.field("AttachmentMode", "attachment_mode"), vol.AttachmentMode, "file-system", "block-device")
			v.oneOf(p.field("AccessMode", "access_mode"), vol.AccessMode, "single-node-reader-only", "single-node-writer",
				"multi-node-reader-only", "multi-node-single-writer", "multi-node-multi-writer")
		}
	}
}
