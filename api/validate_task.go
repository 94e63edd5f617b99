package api

import (
	"slices"
	"strings"
	"time"
)

// Bounds of resources. The upper ones only keep sums from overflowing.
const (
	minCPU       = 1
	minMemoryMB  = 10
	minDiskMB    = 10
	maxMegabytes = 1 << 30
	maxMHz       = 1 << 30
	maxCores     = 1 << 16
	maxEnvKey    = 4 << 10
	maxTimeout   = Duration(10 * 365 * 24 * time.Hour)
)

func (v *validator) task(at spot, g *TaskGroup, t *Task) {
	v.name(at.field("Name", "name"), "task", t.Name)
	if t.Name == "alloc" {
		v.addf(at.field("Name", "name"), "must not be \"alloc\": that is the name of the folder that all tasks share")
	}
	if t.Driver == "" {
		v.addf(at.field("Driver", "driver"), "must be set, for example \"exec\"")
	} else if unprintable(t.Driver) || len(t.Driver) > maxNameSize {
		v.addf(at.field("Driver", "driver"), "%q is not the name of a driver", clip(t.Driver))
	}
	v.user(at.field("User", "user"), t.User)
	v.taskTimes(at, g, t)
	v.constraints(at, t.Constraints, true)
	v.affinities(at, t.Affinities)
	if v.isType(JobTypeSystem, JobTypeSysbatch) && len(t.Affinities) > 0 {
		v.noPreferences(at, t.Affinities, nil)
	}
	v.meta(at, t.Meta)
	v.env(at.field("Env", "env"), t.Env)
	if depth(t.Config) > maxConfigDepth {
		v.addf(at.field("Config", "config"), "is nested more than %d levels deep", maxConfigDepth)
	}
	if t.Lifecycle != nil {
		v.oneOf(at.field("Lifecycle", "lifecycle").field("Hook", "hook"), t.Lifecycle.Hook, HookPrestart, HookPoststart, HookPoststop)
	}
	v.resources(at.field("Resources", "resources"), t.Resources)
	v.restart(at.field("RestartPolicy", "restart"), t.RestartPolicy)
	v.logs(at.field("LogConfig", "logs"), t.LogConfig, g.EphemeralDisk)
	v.taskFiles(at, g, t)
	v.identities(at, t)
	v.actions(at, t)
}

func (v *validator) taskTimes(at spot, g *TaskGroup, t *Task) {
	kill := at.field("KillTimeout", "kill_timeout")
	notNegative(v, at.field("ShutdownDelay", "shutdown_delay"), t.ShutdownDelay)
	if !notNegative(v, kill, t.KillTimeout) {
		return
	}
	if u := g.Update; u != nil && u.ProgressDeadline > 0 && t.KillTimeout > u.ProgressDeadline {
		v.addf(kill, "must not be longer than the group's update.progress_deadline (%s), but is %s", u.ProgressDeadline, t.KillTimeout)
	}
	if t.KillTimeout > maxTimeout {
		v.addf(kill, "must not be longer than %s", maxTimeout)
	}
}

func (v *validator) env(at spot, env map[string]string) {
	for _, k := range sortedKeys(env) {
		p := at.key(clip(k))
		p.path = at.path + "[" + k + "]"
		switch {
		case k == "":
			v.addf(at, "must not have an empty key")
		case len(k) > maxEnvKey || strings.ContainsAny(k, "=\x00"):
			v.addf(p, "must not hold \"=\" or NUL in its name")
		case strings.ContainsRune(env[k], 0):
			v.addf(p, "must not hold NUL")
		}
	}
}

// depth gives how deep maps and lists are nested.
func depth(v any) int {
	d := 0
	switch x := v.(type) {
	case map[string]any:
		for _, e := range x {
			d = max(d, depth(e))
		}
		return d + 1
	case []any:
		for _, e := range x {
			d = max(d, depth(e))
		}
		return d + 1
	}
	return 0
}

func (v *validator) resources(at spot, r *Resources) {
	if r == nil {
		return
	}
	cpu, cores := at.field("CPU", "cpu"), at.field("Cores", "cores")
	switch {
	case r.Cores < 0 || r.Cores > maxCores:
		v.addf(cores, "must be from 0 to %d, not %d", maxCores, r.Cores)
	case r.Cores > 0 && r.CPU > 0:
		v.addf(cores, "and cpu exclude each other: ask for whole cores or for MHz")
	case r.Cores == 0 && r.CPU < minCPU:
		v.addf(cpu, "must be at least %d MHz, not %d: ask for what the task needs, 100 is a good start", minCPU, r.CPU)
	case r.CPU > maxMHz:
		v.addf(cpu, "must be at most %d MHz, not %d", maxMHz, r.CPU)
	}
	memory := at.field("MemoryMB", "memory")
	switch {
	case r.MemoryMB < minMemoryMB:
		v.addf(memory, "must be at least %d MB, not %d: ask for what the task needs, 64 is a good start", minMemoryMB, r.MemoryMB)
	case r.MemoryMB > maxMegabytes:
		v.addf(memory, "must be at most %d MB, not %d", maxMegabytes, r.MemoryMB)
	}
	if m := r.MemoryMaxMB; m != 0 && m != -1 && (m < r.MemoryMB || m > maxMegabytes) {
		v.addf(at.field("MemoryMaxMB", "memory_max"), "must be at least memory (%d MB), or -1 for no limit, not %d", r.MemoryMB, m)
	}
	if r.SecretsMB < 0 || r.SecretsMB > r.MemoryMB {
		v.addf(at.field("SecretsMB", "secrets"), "must be from 0 to memory (%d MB), not %d", r.MemoryMB, r.SecretsMB)
	}
	if r.DiskMB != 0 {
		v.addf(at.field("DiskMB", "disk"), "no longer exists: write ephemeral_disk { size = %d } in the group", r.DiskMB)
	}
	for i, d := range r.Devices {
		p := at.field("Devices", "device").index(i)
		if parts := strings.Split(d.Name, "/"); d.Name == "" || len(parts) > 3 || slices.Contains(parts, "") {
			v.addf(p, "must be named TYPE, VENDOR/TYPE or VENDOR/TYPE/MODEL, not %q", clip(d.Name))
		}
		v.deviceCount(p, d)
		v.constraints(p, d.Constraints, true)
		v.affinities(p, d.Affinities)
	}
	if r.NUMA != nil {
		v.oneOf(at.field("NUMA", "numa").field("Affinity", "affinity"), r.NUMA.Affinity, "none", "prefer", "require")
	}
}

func (v *validator) logs(at spot, l *LogConfig, disk *EphemeralDisk) {
	if l == nil {
		return
	}
	files, size := at.field("MaxFiles", "max_files"), at.field("MaxFileSizeMB", "max_file_size")
	if l.MaxFiles < 1 || l.MaxFiles > 1<<20 {
		v.addf(files, "must be at least 1, not %d", l.MaxFiles)
		return
	}
	if l.MaxFileSizeMB < 1 || l.MaxFileSizeMB > maxMegabytes {
		v.addf(size, "must be at least 1 MB, not %d", l.MaxFileSizeMB)
		return
	}
	if disk != nil && disk.SizeMB >= minDiskMB && !l.Disabled && l.MaxFiles*l.MaxFileSizeMB >= disk.SizeMB {
		v.addf(at, "may take %d MB, which must be less than the group's ephemeral_disk.size of %d MB: make the disk larger or keep fewer or smaller files",
			l.MaxFiles*l.MaxFileSizeMB, disk.SizeMB)
	}
}

func (v *validator) taskFiles(at spot, g *TaskGroup, t *Task) {
	v.templates(at, t)
	for i, a := range t.Artifacts {
		p := at.field("Artifacts", "artifact").index(i)
		if a.GetterSource == "" {
			v.addf(p.field("GetterSource", "source"), "must be set")
		}
		v.oneOf(p.field("GetterMode", "mode"), a.GetterMode, "any", "file", "dir")
		v.artifact(p, t, a)
	}
	for i, m := range t.VolumeMounts {
		p := at.field("VolumeMounts", "volume_mount").index(i)
		if _, ok := g.Volumes[m.Volume]; !ok {
			v.addf(p.field("Volume", "volume"), "%q is not a volume of the group", clip(m.Volume))
		}
		if m.Destination == "" {
			v.addf(p.field("Destination", "destination"), "must be set")
		} else if d := "/" + strings.Trim(m.Destination, "/") + "/"; d == "//" || strings.Contains(d, "/../") || strings.Contains(d, "/./") {
			v.addf(p.field("Destination", "destination"), "must be a path beneath the task's root, without \"..\", not %q", clip(m.Destination))
		}
		if t.Driver == "raw_exec" {
			v.addf(p, "does not work with the driver \"raw_exec\", whose tasks see the host's own files: use \"exec\", or the path on the host")
		}
		v.oneOf(p.field("PropagationMode", "propagation_mode"), m.PropagationMode, "private", "host-to-task", "bidirectional")
	}
	if c := t.CSIPluginConfig; c != nil {
		v.oneOf(at.field("CSIPluginConfig", "csi_plugin").field("Type", "type"), c.Type, "node", "controller", "monolith")
	}
	if d := t.DispatchPayload; d != nil && d.File == "" {
		v.addf(at.field("DispatchPayload", "dispatch_payload").field("File", "file"), "must be set: it is a path under local/")
	}
}

// identity checks what holds for named identities and for the default one.
func (v *validator) identity(at spot, id *WorkloadIdentity) {
	v.oneOf(at.field("ChangeMode", "change_mode"), id.ChangeMode, "", "noop", "restart", "signal")
	if (id.ChangeMode == "signal") != (id.ChangeSignal != "") {
		v.addf(at.field("ChangeSignal", "change_signal"), "goes with change_mode = \"signal\", and that needs it")
	}
	if id.Filepath != "" && !id.File {
		v.addf(at.field("Filepath", "filepath"), "has no effect without file = true")
	}
	if id.ServiceName != "" {
		v.addf(at.field("ServiceName", "service_name"), "is for identities of services, and this one is of a task")
	}
	for i, aud := range id.Audience {
		if aud == "" || len(aud) > maxAudience || unprintable(aud) {
			v.addf(at.field("Audience", "aud").index(i), "must have 1 to %d printable characters", maxAudience)
		}
	}
}

func (v *validator) identities(at spot, t *Task) {
	seen := map[string]bool{}
	for i, id := range t.Identities {
		p := at.field("Identities", "identity").index(i)
		if !identityName.MatchString(id.Name) {
			v.addf(p.field("Name", "name"), "%q must be 1 to 128 letters, digits, dashes or underscores", clip(id.Name))
		}
		if seen[id.Name] {
			v.addf(p.field("Name", "name"), "%q appears twice", clip(id.Name))
		}
		seen[id.Name] = true
		if id.Name == DefaultIdentity {
			v.addf(p.field("Name", "name"), "%q appears twice: it is the name of the identity without one", id.Name)
		}
		if notNegative(v, p.field("TTL", "ttl"), id.TTL) && id.TTL > 0 && id.TTL < Duration(time.Second) {
			v.addf(p.field("TTL", "ttl"), "%v is too short: let it be a second or more", id.TTL)
		}
		v.identity(p, id)
	}
	if id := t.Identity; id != nil {
		p := at.field("Identity", "identity")
		if id.TTL != 0 {
			v.addf(p.field("TTL", "ttl"), "cannot be set on the default identity: give the identity a name")
		}
		v.identity(p, id)
	}
	names := map[string]bool{}
	for i, s := range t.Secrets {
		p := at.field("Secrets", "secret").index(i)
		if !secretName.MatchString(s.Name) {
			v.addf(p, "%q must be named by 1 to 128 letters, digits or underscores", clip(s.Name))
		}
		if names[s.Name] {
			v.addf(p, "%q appears twice", clip(s.Name))
		}
		names[s.Name] = true
		if s.Provider == "" {
			v.addf(p.field("Provider", "provider"), "must be set")
		}
	}
}

func (v *validator) actions(at spot, t *Task) {
	seen := map[string]bool{}
	for i, a := range t.Actions {
		p := at.field("Actions", "action").index(i)
		if a.Name == "" || len(a.Name) > maxNameSize || blank(a.Name) || unprintable(a.Name) {
			v.addf(p, "%q must be named by 1 to %d characters without spaces", clip(a.Name), maxNameSize)
		}
		if seen[a.Name] {
			v.addf(p, "%q appears twice", clip(a.Name))
		}
		seen[a.Name] = true
		if a.Command == "" {
			v.addf(p.field("Command", "command"), "must be set")
		}
	}
}
