package api

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ValidateLimits are the bounds that an operator sets. The zero value of a
// field means its default.
type ValidateLimits struct {
	MaxPriority int // default 100
	MaxCount    int // of all groups of a job together; default 50000
}

// Bounds that no configuration lifts.
const (
	defaultMaxPriority = 100
	absoluteMaxPrio    = 32766
	defaultMaxCount    = 50_000
	maxUIDescription   = 1000
	maxConfigDepth     = 32
)

// validator collects the problems of one job.
type validator struct {
	job      *Job
	limits   ValidateLimits
	problems Problems
	parsed   int // bytes of templates
}

func (v *validator) addf(at spot, format string, args ...any) {
	v.problems = append(v.problems, at.problem(format, args...))
}

// oneOf checks that a text is one of a few words.
func (v *validator) oneOf(at spot, value string, words ...string) bool {
	if slices.Contains(words, value) {
		return true
	}
	if value == "" {
		v.addf(at, "must be set: it is one of %s", strings.Join(words, ", "))
	} else {
		v.addf(at, "must be one of %s, not %q", strings.Join(words, ", "), clip(value))
	}
	return false
}

// notNegative checks a number or duration.
func notNegative[N ~int | ~int64](v *validator, at spot, n N) bool {
	if n < 0 {
		v.addf(at, "must not be negative, but is %v", n)
		return false
	}
	return true
}

// Validate checks a complete job and gives every problem at once. It looks at
// the job alone: whether its namespace, node pool and drivers exist is known elsewhere.
func (j *Job) Validate(limits ValidateLimits) Problems {
	if limits.MaxPriority <= 0 {
		limits.MaxPriority = defaultMaxPriority
	}
	if limits.MaxCount <= 0 {
		limits.MaxCount = defaultMaxCount
	}
	v := &validator{job: j, limits: limits}
	v.whole(spot{})
	v.groups(spot{})
	return v.problems
}

var jobTypes = []string{JobTypeService, JobTypeBatch, JobTypeSystem, JobTypeSysbatch}

// whole checks what belongs to the job itself.
func (v *validator) whole(at spot) {
	j := v.job
	v.jobID(at.field("ID", "job ID"), j.ID)
	v.jobName(at.field("Name", "name"), j.Name)
	known := v.oneOf(at.field("Type", "type"), j.Type, jobTypes...)
	if most := min(v.limits.MaxPriority, absoluteMaxPrio); j.Priority < 1 || j.Priority > most {
		v.addf(at.field("Priority", "priority"), "must be from 1 to %d, not %d", most, j.Priority)
	}
	for i, dc := range j.Datacenters {
		if dc == "" || strings.ContainsRune(dc, 0) {
			v.addf(at.field("Datacenters", "datacenters").index(i), "must not hold an empty name; write \"*\" for all datacenters")
		}
	}
	v.constraints(at, j.Constraints, false)
	v.affinities(at, j.Affinities)
	v.spreads(at, j.Spreads)
	if known {
		v.jobPolicies(at)
	}
	v.meta(at, j.Meta)
	v.ui(at.field("UI", "ui"), j.UI)
	v.periodic(at.field("Periodic", "periodic"), j.Periodic)
	v.parameterized(at.field("ParameterizedJob", "parameterized"), j.ParameterizedJob)
	v.payloadFiles(at)
}

// isType says whether the job is of one of the types.
func (v *validator) isType(types ...string) bool { return slices.Contains(types, v.job.Type) }

func (v *validator) jobPolicies(at spot) {
	j := v.job
	if v.isType(JobTypeSystem, JobTypeSysbatch) {
		v.noPreferences(at, j.Affinities, j.Spreads)
	}
	v.update(at.field("Update", "update"), j.Update)
	v.reschedule(at.field("Reschedule", "reschedule"), j.Reschedule)
	v.migrate(at.field("Migrate", "migrate"), j.Migrate)
}

func (v *validator) noPreferences(at spot, affinities []*Affinity, spreads []*Spread) {
	if len(affinities) > 0 {
		v.addf(at.field("Affinities", "affinity"), "has no place in a %s job, which runs on every node that fits: remove the block", v.job.Type)
	}
	if len(spreads) > 0 {
		v.addf(at.field("Spreads", "spread"), "has no place in a %s job, which runs on every node that fits: remove the block", v.job.Type)
	}
}

func (v *validator) ui(at spot, ui *JobUIConfig) {
	if ui == nil {
		return
	}
	if n := utf8.RuneCountInString(ui.Description); n > maxUIDescription {
		v.addf(at.field("Description", "description"), "has %d characters; at most %d are allowed", n, maxUIDescription)
	}
	for i, l := range ui.Links {
		p := at.field("Links", "link").index(i)
		if l.Label == "" {
			v.addf(p.field("Label", "label"), "must be set")
		}
		if l.URL == "" {
			v.addf(p.field("URL", "url"), "must be set")
		}
	}
}

func (v *validator) periodic(at spot, p *PeriodicConfig) {
	if p == nil {
		return
	}
	if !v.isType(JobTypeBatch, JobTypeSysbatch) {
		v.addf(at, "works only in batch and sysbatch jobs, not in a %s job", v.job.Type)
	}
	if p.Enabled && p.Spec == "" && len(p.Specs) == 0 {
		v.addf(at, "needs cron or crons, for example cron = \"*/15 * * * *\"")
	}
	if p.Spec != "" && len(p.Specs) > 0 {
		v.addf(at, "must have either cron or crons, not both")
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil {
		v.addf(at.field("TimeZone", "time_zone"), "%q is not known; write a name such as \"Europe/Berlin\"", clip(p.TimeZone))
	}
	v.expressions(at, p)
}

func (v *validator) parameterized(at spot, p *ParameterizedJobConfig) {
	if p == nil {
		return
	}
	if !v.isType(JobTypeBatch, JobTypeSysbatch) {
		v.addf(at, "works only in batch and sysbatch jobs, not in a %s job", v.job.Type)
	}
	v.oneOf(at.field("Payload", "payload"), p.Payload, "optional", "required", "forbidden")
	v.metaKeys(at.field("MetaRequired", "meta_required"), p.MetaRequired)
	v.metaKeys(at.field("MetaOptional", "meta_optional"), p.MetaOptional)
	for i, k := range p.MetaOptional {
		if slices.Contains(p.MetaRequired, k) {
			v.addf(at.field("MetaOptional", "meta_optional").index(i), "names %q, which meta_required names too", clip(k))
		}
	}
}

// meta checks the keys of a meta block.
func (v *validator) meta(at spot, m map[string]string) {
	for _, k := range sortedKeys(m) {
		if k == "" || strings.ContainsRune(k, 0) {
			v.addf(at.field("Meta", "meta").key(k), "must have a key that is not empty and holds no NUL")
		}
	}
}
